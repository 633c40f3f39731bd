import { expect, test } from 'vitest'
import { readCachePolicy, secondsToLive } from '../../src/http/cache-policy.ts'

test.each([
  [{ ttl: 60 }, 60],
  [{ ttl: 0 }, 0],
  [{ ttl: 5, untilInvalidated: false }, 5],
  [{ untilInvalidated: true }, Infinity],
  [undefined, 0],
  [null, 0],
])('%j means %d seconds', (policy, seconds) => {
  expect(readCachePolicy(policy)).toBe(seconds)
})

test.each([
  [60, '60'],
  [{}, '{}'],
  [{ ttl: '60' }, "{ ttl: '60' }"],
  [{ ttl: -1 }, '{ ttl: -1 }'],
  [{ ttl: 1.5 }, '{ ttl: 1.5 }'],
  [{ ttl: Infinity }, '{ ttl: Infinity }'],
  [{ ttl: 2 ** 31 }, '{ ttl: 2147483648 }'],
  [{ ttl: 1, untilInvalidated: true }, '{ ttl: 1, untilInvalidated: true }'],
  [{ untilInvalidated: 1 }, '{ untilInvalidated: 1 }'],
])('%j is no policy, and the error shows how to write one', (policy, subject) => {
  expect(() => readCachePolicy(policy)).toThrow(
    expect.objectContaining({
      code: 'EINVAL',
      subject,
      remedy: expect.stringContaining('res.cachePolicy = { ttl: N }') as string,
    }),
  )
})

const PUBLIC = 'Cache-Control: public, max-age=60\r\n'

test('Cache-Control counts where the prefix says so and the app has set no policy', () => {
  expect(secondsToLive(200, PUBLIC, -1, false)).toBe(0)
  expect(secondsToLive(200, PUBLIC, -1, true)).toBe(60)
  expect(secondsToLive(200, PUBLIC, 5, true)).toBe(5)
  expect(secondsToLive(200, PUBLIC, 0, true)).toBe(0)
  expect(secondsToLive(200, '', -1, true)).toBe(0)
})

test('a policy does not make a response cacheable that is for one client', () => {
  expect(secondsToLive(200, 'Set-Cookie: a=b\r\n', 60, false)).toBe(0)
  expect(secondsToLive(500, '', Infinity, false)).toBe(0)
})
