import { describe, expect, test } from 'vitest'
import { isCacheableResponse, sharedMaxAge, varyOf } from '../../src/base/cacheability.ts'
import { fieldValues, listMembers } from '../../src/base/field-lines.ts'

describe('field lines', () => {
  test('are found whatever the case of their names, and lose the white space around them', () => {
    const fields = 'a: 1\r\nVARY: \t x \r\nvary:\r\nxvary: no\r\nvary2: no\r\n'
    expect(fieldValues(fields, 'vary')).toEqual(['x', ''])
    expect(fieldValues('', 'vary')).toEqual([])
  })

  test('hold lists that may go on in the next field', () => {
    expect(listMembers(['A, b', '', ' C,,'])).toEqual(['a', 'b', 'c'])
  })
})

describe('what may be cached at all', () => {
  test.each([
    ['', true],
    ['Content-Type: text/plain\r\nCache-Control: no-cache, max-age=0\r\n', true],
    ['Set-Cookie: a=b\r\n', false],
    ['set-cookie:\r\n', false],
    ['Cache-Control: private\r\n', false],
    ['Cache-Control: private="set-cookie"\r\n', false],
    ['Cache-Control: public\r\ncache-control: x, NO-STORE\r\n', false],
    ['Cache-Control: x="no-store"\r\n', true],
    ['Vary: Accept\r\n', true],
    ['Vary: Accept, *\r\n', false],
    ['Vary: *\r\n', false],
  ])('%j: %s', (fields, isAllowed) => {
    expect(isCacheableResponse(200, fields)).toBe(isAllowed)
  })

  test.each([200, 203, 204, 300, 301, 302, 307, 308, 404, 410])('status %d may', (status) => {
    expect(isCacheableResponse(status, '')).toBe(true)
  })

  test.each([201, 206, 303, 304, 400, 401, 403, 500, 502, 503])('status %d may not', (status) => {
    expect(isCacheableResponse(status, '')).toBe(false)
  })
})

test('a coded body varies with what the client can decode', () => {
  expect(varyOf('Vary: Accept, ORIGIN\r\nVary: accept\r\n')).toEqual(['accept', 'origin'])
  expect(varyOf('Content-Encoding: gzip\r\n')).toEqual(['accept-encoding'])
  expect(varyOf('Content-Encoding: identity\r\n')).toEqual([])
})

test.each([
  ['public, max-age=60', 60],
  ['PUBLIC, S-MaxAge=5, max-age=60', 5],
  ['public, max-age="60"', 60],
  ['public, max-age = 60', 60],
  ['public, max-age=60\r\nCache-Control: s-maxage=7', 7],
  ['public, max-age=99999999999', 0],
  ['public, max-age=4000000000', 0x7fff_ffff],
  ['max-age=60', 0],
  ['public', 0],
  ['public, max-age=0', 0],
  ['public, max-age=-1', 0],
  ['public, max-age=1.5', 0],
  ['public, max-age=60, max-age=61', 0],
  ['public, max-age=60, no-cache', 0],
  ['public, x-max-age=60', 0],
  ['x="public, max-age=60"', 0],
])('Cache-Control: %s is good for %d seconds', (value, seconds) => {
  expect(sharedMaxAge(`Cache-Control: ${value}\r\n`)).toBe(seconds)
})
