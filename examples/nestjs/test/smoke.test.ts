import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { ProgramSite } from '../../../packages/core/test/e2e/programs.ts'

const app = fileURLToPath(new URL('../app.js', import.meta.url))

test('a controller answers on the prefix and keeps its state', async () => {
  await using site = await ProgramSite.open()
  const program = site.run([app], {})
  await program.ready()
  await fetch(`${site.base}/nest/rooms/lobby`)
  expect(await (await fetch(`${site.base}/nest/rooms/lobby`)).json()).toMatchObject({ room: 'lobby', visits: 2 })
  expect((await fetch(`${site.base}/nest/other`)).status).toBe(404)
  expect(await program.end()).toBe(0)
})
