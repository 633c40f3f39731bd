import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { dateLine, dateValue } from '../../../src/broker/daemon/coarse-clock.ts'

beforeEach(() => void vi.useFakeTimers({ now: Date.UTC(2026, 10, 29, 12, 0, 0, 700) }))
afterEach(() => void vi.useRealTimers())

test('the Date field says the second, and changes with it', () => {
  expect(dateLine()).toBe('Date: Sun, 29 Nov 2026 12:00:00 GMT\r\n')
  vi.advanceTimersByTime(299)
  expect(dateValue()).toBe('Sun, 29 Nov 2026 12:00:00 GMT')
  vi.advanceTimersByTime(1)
  expect(dateValue()).toBe('Sun, 29 Nov 2026 12:00:01 GMT')
  // Nobody has asked for a while.
  vi.advanceTimersByTime(3_600_000)
  expect(dateLine()).toBe('Date: Sun, 29 Nov 2026 13:00:01 GMT\r\n')
  vi.advanceTimersByTime(1000)
})
