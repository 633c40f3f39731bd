import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import httpsys from '../../src/index.ts'
import { startBroker } from '../support/broker-fixture.ts'

const root = new URL('../../../../', import.meta.url)
const page = readFileSync(new URL('ECOSYSTEM.md', root), 'utf8')

/** The cells of the rows under a heading. */
function rowsOf(heading: string): string[][] {
  const section = page.split(/^## /m).find((text) => text.startsWith(heading))!
  const lines = section.split('\n').filter((line) => line.startsWith('| '))
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

test('every framework that mount knows is on the page, and no other', () => {
  const named = rowsOf('Frameworks').map(([name]) => name)
  expect(named.toSorted()).toEqual(httpsys.frameworks.names.toSorted())
})

test('every test on the page exists, and every ecosystem test is on it', () => {
  const tests = [...rowsOf('Frameworks'), ...rowsOf('WebSockets')].map((cells) => cells.at(-1)!)
  expect(tests.filter((path) => !existsSync(new URL(path, root)))).toEqual([])
  const folder = 'packages/core/test/ecosystem/'
  const found = readdirSync(new URL(folder, root)).filter((name) => name.endsWith('.test.ts'))
  expect(found.filter((name) => !tests.includes(folder + name))).toEqual([])
})

test('the ten lines on the page serve an app', async () => {
  await using fixture = await startBroker()
  const code = /^```js\n(.*?)^```/ms.exec(page)![1]!
  // Beside the tests, so that the import in it is found.
  const directory = await mkdtemp(fileURLToPath(new URL('.example-', import.meta.url)))
  vi.stubEnv('HTTPSYS_BASE', 'http://localhost:0')
  let server: Server | undefined
  try {
    await writeFile(`${directory}/example.mjs`, code)
    ;({ server } = (await import(`${directory}/example.mjs`)) as { server: Server })
    const { port } = server.address() as AddressInfo
    expect(await (await fetch(`http://localhost:${port}/tiny/hello`)).text()).toBe('hello from tiny')
  } finally {
    server?.close()
    server?.closeAllConnections()
    httpsys.frameworks.unregister('tiny')
    vi.unstubAllEnvs()
    await rm(directory, { recursive: true, force: true })
  }
  expect(fixture.violations).toEqual([])
})
