import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { ProgramSite } from '../../../packages/core/test/e2e/programs.ts'

const launch = fileURLToPath(new URL('../launch.js', import.meta.url))

test('three processes count for themselves, and tell their pages', async () => {
  await using site = await ProgramSite.open()
  const program = site.run([launch], {})
  await expect.poll(() => program.output.match(/ready/g)?.length, { timeout: 15_000 }).toBe(3)
  expect(await (await fetch(`${site.base}/1/`)).text()).toContain('<strong>/1/</strong>')
  const events = await fetch(`${site.base}/1/events`)
  const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader()
  const first = await reader.read()
  await (await fetch(`${site.base}/1/`)).text()
  const second = await reader.read()
  expect([first.value, second.value]).toEqual([
    expect.stringContaining('"visits":1'),
    expect.stringContaining('"visits":2'),
  ])
  await reader.cancel()
  expect(await program.end()).toBe(0)
})
