import { expect, test } from 'vitest'
import type { Launch } from '../src/scenario.ts'
import { underLoad } from '../src/under-load.ts'
import type { LoadOutcome } from '../src/under-load.ts'

/** A measurement whose loads, the warm-up first, come out so. */
async function measureWith(outcomes: Partial<LoadOutcome>[]): Promise<number> {
  const conditions = { warmup: 1, seconds: 1, isSmoke: false }
  const group = { members: () => [{ pid: process.pid, role: 'server' }] }
  const measure = await underLoad({ group, conditions } as unknown as Launch, async (seconds) => {
    // Long enough for the kernel's accounting.
    for (const end = performance.now() + 50; performance.now() < end;);
    return { count: 1, seconds, ...outcomes.shift()! }
  })
  return (await measure()).outcome.count
}

test('a load that is late before it is measured does not count, as servers that have slept are slow at first', async () => {
  expect(await measureWith([{ lateness: 'late' }, { lateness: 'late' }, { count: 7 }])).toBe(7)
})

test('a load that is late while it is measured is no measurement', async () => {
  await expect(measureWith([{}, {}, { lateness: '4720 of 5000' }])).rejects.toThrow('4720 of 5000')
})
