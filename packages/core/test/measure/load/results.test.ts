import { describe, expect, test } from 'vitest'
import { loadFailure, parseLoadResult } from '../../../src/measure/load/http-load.ts'
import { parseWrk, wrkScript } from '../../../src/measure/load/wrk.ts'

const WRK = `Running 4s test @ http://127.0.0.1:40123/
  200000 requests in 4.00s, 30.00MB read
Requests/sec:  50000.00
measured requests=200000 bytes=31457280 microseconds=4001000 p50=1150 p99=3700 p999=9100 connect=1 read=2 write=3 timeout=4 status=5
`
const GOOD = { requests: 10, bytes: 100, seconds: 1, p50: 1, p99: 2, p999: 3, badStatuses: 0, socketErrors: 0 }

describe('wrk’s output', () => {
  test('gives requests, bytes, time, latency and every kind of error', () => {
    expect(parseWrk(WRK)).toEqual({
      requests: 200_000,
      bytes: 31_457_280,
      seconds: 4.001,
      p50: 1.15,
      p99: 3.7,
      p999: 9.1,
      badStatuses: 5,
      socketErrors: 10,
    })
  })

  test.each([
    ['unable to connect to 127.0.0.1:1 Connection refused\n', 'Connection refused'],
    ['', 'no output'],
    ['measured requests=1 bytes=1 microseconds=2\n', 'has no p50'],
    [WRK.replace('timeout=4', 'timeout=x'), 'has no timeout'],
  ])('without a whole result line is an error that shows it', (output, message) => {
    expect(() => parseWrk(output)).toThrow(message)
  })
})

test('wrk’s script holds each request as it goes out, with nothing that Lua could read otherwise', () => {
  const requests = [{ method: 'POST', path: '/a"\\]]', headers: { 'X-A': '1\u00e9' }, body: '"]] .. os.exit()\n' }]
  const literal = /local different = \{\n {2}"(.*)",\n\}/.exec(wrkScript(requests, 'h:1'))?.[1] ?? ''
  expect(literal).not.toMatch(/["\]']/)
  const sent = literal.replace(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number(code)))
  expect(sent).toBe(
    'POST /a"\\]] HTTP/1.1\r\nHost: h:1\r\nX-A: 1\u00e9\r\nContent-Length: 17\r\n\r\n"]] .. os.exit()\n',
  )
})

describe('a load program’s output', () => {
  test('is the result itself', () => {
    expect(parseLoadResult(`${JSON.stringify(GOOD)}\n`)).toEqual(GOOD)
  })

  test.each(['', '{}', 'Error: Cannot find package', '{"requests":1}'])('%j is an error', (output) => {
    expect(() => parseLoadResult(output)).toThrow('The load generator gave no result')
  })
})

describe('a load', () => {
  test('with good answers only is no failure', () => {
    expect(loadFailure(GOOD)).toBeUndefined()
  })

  test.each([
    [{ ...GOOD, badStatuses: 1 }, '1 responses with a bad status'],
    [{ ...GOOD, socketErrors: 2 }, '2 socket errors or time-outs'],
    [{ ...GOOD, requests: 0 }, 'no response at all'],
    [{ ...GOOD, badStatuses: 1, socketErrors: 2 }, '1 responses with a bad status, 2 socket errors or time-outs'],
  ])('%j is a failure', (result, message) => {
    expect(loadFailure(result)).toBe(message)
  })
})
