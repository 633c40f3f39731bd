import { expect, test } from 'vitest'
import { growthOf } from '../src/trend.ts'
import type { Sample } from '../src/trend.ts'

const STEADY: Sample = { memory: 60, descriptors: 40, handles: 20, timers: 5 }

/** What is a trend in a process that is sampled so often, and holds this each time. */
function trendsIn(count: number, sampleAt: (index: number) => Partial<Sample>): string[] {
  const samples = Array.from({ length: count }, (_, index) => ({ ...STEADY, ...sampleAt(index) }))
  return growthOf(samples).flatMap(({ what, isTrend }) => (isTrend ? [what] : []))
}

test.each(['memory', 'descriptors', 'handles', 'timers'] as const)('%s that grow slowly are a trend', (what) => {
  expect(trendsIn(600, (index) => ({ [what]: STEADY[what] + index / 10 }))).toEqual([what])
})

test.each([
  ['what grows at the beginning and stays', (index: number) => Math.min(index, 100)],
  ['what comes and goes', (index: number) => (index % 7) * 10],
  ['what is there once', (index: number) => (index === 590 ? 1000 : 0)],
  ['what becomes less', (index: number) => 600 - index],
  ['a little more', (index: number) => index / 100],
])('%s is no trend', (_what, grown) => {
  const sampleAt = (index: number): Partial<Sample> => ({
    memory: STEADY.memory + grown(index),
    timers: STEADY.timers + grown(index),
  })
  expect(trendsIn(600, sampleAt)).toEqual([])
})
