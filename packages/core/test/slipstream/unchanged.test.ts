import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { ProgramSite } from '../e2e/programs.ts'

const preload = new URL('../../dist/slipstream.js', import.meta.url).href

function app(name: string): string {
  return fileURLToPath(new URL(`apps/${name}`, import.meta.url))
}

test.each([
  ['node:http', [], {}],
  ['a port of its own', ['--import', preload], { HTTPSYS_PREFIX: 'auto' }],
])('supertest, which reads the address in the tick of listen, finds an app on %s', async (_where, flags, env) => {
  await using site = await ProgramSite.open()
  const program = site.run([...flags, app('supertest.mjs')], env)
  expect([await program.exit(), program.output, program.errors]).toEqual([0, 'passed\n', ''])
})

test('OpenTelemetry’s http instrumentation sees requests as on node:http', async () => {
  await using site = await ProgramSite.open()
  const spansOf = async (flags: string[], env: NodeJS.ProcessEnv): Promise<unknown> => {
    const program = site.run([...flags, app('otel.cjs')], env)
    expect([await program.exit(), program.errors.replace(/^httpsys: port .*\n/, '')]).toEqual([0, ''])
    return JSON.parse(program.output)
  }
  const plain = await spansOf([], {})
  expect(plain).toMatchObject({
    seen: [
      { isKept: true, isContinued: false },
      { isKept: true, isContinued: false },
      { isKept: true, isContinued: true },
    ],
    spans: [
      { kind: 1, method: 'GET', status: 200 },
      { kind: 1, method: 'GET', status: 404 },
      { kind: 1, method: 'GET', status: 200 },
    ],
  })
  const flags = ['--import', preload]
  expect(await spansOf(flags, { HTTPSYS_PREFIX: 'auto' })).toEqual(plain)
  expect(await spansOf(flags, { HTTPSYS_PREFIX: '/2/', ASK: `${site.base}/2/` })).toEqual(plain)
})
