import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { ProgramSite } from '../../../packages/core/test/e2e/programs.ts'

const launch = fileURLToPath(new URL('../launch.js', import.meta.url))

test('two games keep their own scores, check their input, and tell them live', async () => {
  await using site = await ProgramSite.open()
  const program = site.run([launch], {})
  await expect.poll(() => program.output.match(/ready/g)?.length, { timeout: 15_000 }).toBe(2)
  const post = (body: object): Promise<Response> =>
    fetch(`${site.base}/red/scores`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })
  const { WebSocket } = await import('ws')
  const live = new WebSocket(`${site.base.replace('http', 'ws')}/red/live`)
  const [hello] = await once(live, 'message')
  expect(JSON.parse(String(hello))).toHaveProperty('process')
  const told = once(live, 'message')
  expect(await (await post({ player: 'ada', points: 3 })).json()).toEqual({ player: 'ada', points: 3 })
  expect(JSON.parse(String((await told)[0]))).toEqual({ player: 'ada', points: 3 })
  expect((await post({ player: '' })).status).toBe(400)
  expect(await (await fetch(`${site.base}/blue/scores`)).json()).toMatchObject({ scores: {} })
  live.terminate()
  expect(await program.end()).toBe(0)
})
