import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const soak = fileURLToPath(new URL('../dist/soak.js', import.meta.url))

function run(minutes: number, ...args: string[]): { status: number | null; lines: string[] } {
  // In so short a time the heaps of several threads do not settle.
  const env = { ...process.env, HTTPSYS_BROKER_THREADS: '1' }
  const options = { encoding: 'utf8', env } as const
  const { status, stdout } = spawnSync(process.execPath, [soak, '--minutes', String(minutes), ...args], options)
  return { status, lines: stdout.trimEnd().split('\n') }
}

/** What is printed of a process in the end. */
const held = (name: string): RegExp =>
  new RegExp(`^${name}: memory \\d+ → \\d+, descriptors .*, handles .*, timers .*$`)

test('a soak passes in which no process holds more and more', () => {
  const { status, lines } = run(0.3)
  expect(lines.at(-2)).toMatch(held('broker'))
  expect(lines.at(-1)).toMatch(held('owner'))
  expect(lines[0]).toMatch(/^sent [1-9]\d*, answered [1-9]\d*, .* lost 0, misrouted 0$/)
  expect(status).toBe(0)
})

test.each(['broker', 'owner'])('a soak fails when the %s leaks, and says what', (leaking) => {
  // As long as the one above: the other's heap must have settled.
  const { status, lines } = run(0.3, '--leak', leaking)
  const trends = lines.filter((line) => line.includes('trend'))
  expect(trends).toEqual([`${leaking}: a trend in memory, descriptors, handles, timers`])
  expect(status).toBe(1)
})

test('a soak of something else is refused', () => {
  expect(run(0.15, '--leak', 'client').status).toBe(2)
})
