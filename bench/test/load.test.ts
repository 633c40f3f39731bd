import { describe, expect, test } from 'vitest'
import { loadFailure, parseAutocannon, parseWrk } from '../src/load.ts'

const WRK = `Running 4s test @ http://127.0.0.1:40123/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.20ms  300.00us   9.00ms   90.00%
  200000 requests in 4.00s, 30.00MB read
Requests/sec:  50000.00
bench requests=200000 microseconds=4001000 p50=1150 p99=3700 connect=1 read=2 write=3 timeout=4 status=5
`
const GOOD = { requests: 10, seconds: 1, p50: 1, p99: 2, badStatuses: 0, socketErrors: 0 }

describe('wrk’s output', () => {
  test('gives requests, time, latency and every kind of error', () => {
    expect(parseWrk(WRK)).toEqual({
      requests: 200_000,
      seconds: 4.001,
      p50: 1.15,
      p99: 3.7,
      badStatuses: 5,
      socketErrors: 10,
    })
  })

  test.each([
    ['unable to connect to 127.0.0.1:1 Connection refused\n', 'Connection refused'],
    ['', 'no output'],
    ['bench requests=1 microseconds=2\n', 'has no p50'],
    [WRK.replace('timeout=4', 'timeout=x'), 'has no timeout'],
  ])('without a whole result line is an error that shows it', (output, message) => {
    expect(() => parseWrk(output)).toThrow(message)
  })
})

describe('autocannon’s output', () => {
  test('is the result itself', () => {
    expect(parseAutocannon(`${JSON.stringify(GOOD)}\n`)).toEqual(GOOD)
  })

  test.each(['', '{}', 'Error: Cannot find package autocannon', '{"requests":1}'])('%j is an error', (output) => {
    expect(() => parseAutocannon(output)).toThrow('autocannon gave no result')
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
