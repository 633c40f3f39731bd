import { expect, test } from 'vitest'
import { billLines, billOf } from '../../src/measure/bill.ts'

test('1,250 VMs at $460.80 a month become 205 at 6.1 times the throughput, which saves $5,778,432 a year', () => {
  expect(billOf({ vms: 1_250, monthly: 460.8 }, 6.1)).toEqual({
    vms: 205,
    costBefore: 6_912_000,
    costAfter: 1_133_568,
    saving: 5_778_432,
  })
  expect(billLines({ vms: 1_250, monthly: 460.8 }, 6.1, 'nginx')).toEqual([
    'At 6.10 × the requests per CPU of nginx: 1250 VMs become 205.',
    'A year costs $1,133,568 and not $6,912,000: $5,778,432 saved.',
  ])
})

test('a part of a VM is a whole one', () => {
  expect(billOf({ vms: 10, monthly: 1 }, 3).vms).toBe(4)
  expect(billOf({ vms: 10, monthly: 1 }, 5).vms).toBe(2)
})

test('says what is paid more when nothing is saved', () => {
  expect(billLines({ vms: 10, monthly: 100 }, 0.5, 'nginx')[1]).toBe(
    'A year costs $24,000 and not $12,000: $12,000 more.',
  )
})

test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses a ratio of %s', (times) => {
  expect(() => billOf({ vms: 1, monthly: 1 }, times)).toThrow(RangeError)
})
