import { expect, test } from 'vitest'
import { parseH2load } from '../../src/loads/h2load.ts'

const OUTPUT = `finished in 5.00s, 4.00 req/s, 1.00KB/s
requests: 25 total, 25 started, 20 done, 19 succeeded, 1 failed, 1 errored, 2 timeout
status codes: 19 2xx, 0 3xx, 1 4xx, 0 5xx
traffic: 12.34KB (12636) total, 1.00KB (1024) headers (space savings 90.00%), 2.00KB (2048) data
`
const LOG = Array.from(
  { length: 20 },
  (_, index) => `${1000 + index}\t${index === 5 ? 404 : 200}\t${(20 - index) * 1000}`,
)

test("h2load's counts, its bytes and the times of its log are read", () => {
  expect(parseH2load(OUTPUT, `${LOG.join('\n')}\n`, 5)).toEqual({
    requests: 19,
    bytes: 12_636,
    seconds: 5,
    p50: 11,
    p99: 20,
    p999: 20,
    badStatuses: 1,
    socketErrors: 3,
  })
})

test('what is no result of h2load is shown', () => {
  expect(() => parseH2load('unable to connect', '', 5)).toThrow('h2load gave no result: unable to connect')
})
