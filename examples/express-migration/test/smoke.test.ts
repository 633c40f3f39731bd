import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { ProgramSite } from '../../../packages/core/test/e2e/programs.ts'
import { freePort } from '../../../packages/core/test/support/free-port.ts'

const folder = new URL('../', import.meta.url)
const read = (name: string): string[] => readFileSync(new URL(name, folder), 'utf8').split('\n')

test('the app and the moved app answer alike', async () => {
  await using site = await ProgramSite.open()
  const port = await freePort()
  const before = site.run([fileURLToPath(new URL('before.js', folder))], { PORT: String(port) })
  const after = site.run([fileURLToPath(new URL('after.js', folder))], {})
  await Promise.all([before.ready(), after.ready()])
  const bases = [`http://127.0.0.1:${port}`, `${site.base}/shop`]
  const json = { 'content-type': 'application/json' }
  for (const [path, init] of [
    ['/', {}],
    ['/visits/ada', {}],
    ['/visits/ada', {}],
    ['/echo', { method: 'POST', body: '{"a":1}', headers: json }],
    ['/echo', { method: 'POST', body: '{"a"', headers: json }],
    ['/fail', {}],
  ] as const) {
    const [first, second] = await Promise.all(bases.map((base) => answerTo(base, path, init)))
    expect(second).toEqual(first)
  }
  const missing = await Promise.all(bases.map(async (base) => (await fetch(`${base}/missing`)).status))
  expect(missing).toEqual([404, 404])
  expect(await Promise.all([before.end(), after.end()])).toEqual([0, 0])
})

async function answerTo(base: string, path: string, init: RequestInit): Promise<unknown> {
  const answer = await fetch(base + path, init)
  const headers = Object.fromEntries(answer.headers)
  delete headers['date']
  delete headers['keep-alive']
  return { status: answer.status, headers, body: await answer.text() }
}

test('the lines in the README are all that differs', () => {
  const [before, after] = [read('before.js'), read('after.js')]
  const changed = before.filter((line) => !after.includes(line)).map((line) => `-${line}`)
  changed.push(...after.filter((line) => !before.includes(line)).map((line) => `+${line}`))
  const shown = read('README.md').filter((line) => /^[-+](?!\s)/.test(line) && line.length > 1)
  expect(shown.toSorted()).toEqual(changed.toSorted())
})
