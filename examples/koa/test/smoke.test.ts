import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { ProgramSite } from '../../../packages/core/test/e2e/programs.ts'

const launch = fileURLToPath(new URL('../launch.js', import.meta.url))

test('two notebooks keep their own notes', async () => {
  await using site = await ProgramSite.open()
  const program = site.run([launch], {})
  await expect.poll(() => program.output.match(/ready/g)?.length, { timeout: 15_000 }).toBe(2)
  const post = (path: string, body: string): Promise<Response> => fetch(`${site.base}${path}`, { method: 'POST', body })
  expect(await (await post('/a/notes', 'buy milk')).json()).toMatchObject({ prefix: '/a', notes: ['buy milk'] })
  expect(await (await fetch(`${site.base}/b/notes`)).json()).toMatchObject({ prefix: '/b', notes: [] })
  expect(await (await fetch(`${site.base}/a/notes.txt`)).text()).toBe('buy milk\n')
  const refused = await post('/a/notes', '')
  expect([refused.status, await refused.json()]).toEqual([400, { error: 'a note needs a text' }])
  expect(await program.end()).toBe(0)
})
