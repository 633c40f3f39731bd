import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const soak = fileURLToPath(new URL('../dist/soak.js', import.meta.url))

function run(...args: string[]): { status: number | null; lines: string[] } {
  const { status, stdout } = spawnSync(process.execPath, [soak, '--minutes', '0.15', ...args], { encoding: 'utf8' })
  return { status, lines: stdout.trimEnd().split('\n') }
}

/** What is printed of a process in the end. */
const held = (name: string): RegExp =>
  new RegExp(`^${name}: memory \\d+ → \\d+, descriptors .*, handles .*, timers .*$`)

test('a soak passes in which no process holds more and more', () => {
  const { status, lines } = run()
  expect(lines.at(-2)).toMatch(held('broker'))
  expect(lines.at(-1)).toMatch(held('owner'))
  expect(lines[0]).toMatch(/^sent [1-9]\d*, answered [1-9]\d*, .* lost 0, misrouted 0$/)
  expect(status).toBe(0)
})

test.each(['broker', 'owner'])('a soak fails when the %s leaks, and says what', (leaking) => {
  const { status, lines } = run('--leak', leaking)
  const trends = lines.filter((line) => line.includes('trend'))
  expect(trends).toEqual([`${leaking}: a trend in memory, descriptors, handles, timers`])
  expect(status).toBe(1)
})

test('a soak of something else is refused', () => {
  expect(run('--leak', 'client').status).toBe(2)
})
