import { expect, test } from 'vitest'
import { Latencies } from '../../../src/measure/load/latencies.ts'

test('percentiles are those of the latencies, to the microsecond, and of the longest to the millisecond', () => {
  const latencies = new Latencies()
  for (let number = 1; number <= 998; number++) latencies.add(number / 10)
  latencies.add(5_000)
  latencies.add(4_000)
  expect(latencies.percentile(0.5)).toBe(50)
  expect(latencies.percentile(0.998)).toBe(99.8)
  expect(latencies.percentile(0.999)).toBe(4_000)
  expect(latencies.percentile(1)).toBe(5_000)
})

test('percentiles of nothing are 0', () => {
  expect(new Latencies().percentile(0.99)).toBe(0)
})
