import fc from 'fast-check'
import { expect, test } from 'vitest'
import { areSafeFields, isSafeReason } from '../../../../src/broker/daemon/exchange/response-fields.ts'

function isSafe(text: string): boolean {
  const bytes = Buffer.from(text, 'latin1')
  return areSafeFields(bytes, 0, bytes.length)
}

test.each([
  '',
  'A: b\r\n',
  'A:b\r\nC: d e\tf\r\n',
  'X:\r\n',
  'Date: x\r\n',
  'X: \x80\xff\r\n',
  'Upgrade: websocket\r\n',
  'Trailer: X\r\n',
])('an owner may send %j', (text) => {
  expect(isSafe(text)).toBe(true)
})

test.each([
  ['an end of the head', 'A: b\r\n\r\n'],
  ['an end of the head and another response', 'A: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'],
  ['a bare CR', 'A: b\rC: d\r\n'],
  ['a bare LF', 'A: b\nC: d\r\n'],
  ['NUL', 'A: \0\r\n'],
  ['no line break', 'A: b'],
  ['half a line break', 'A: b\r'],
  ['no colon', 'A\r\n'],
  ['no name', ': b\r\n'],
  ['a space in a name', 'A b: c\r\n'],
  ['a space behind a name', 'Content-Length : 5\r\n'],
  ['a folded line', 'A: b\r\n c\r\n'],
  ['Content-Length', 'Content-Length: 5\r\n'],
  ['content-length', 'A: b\r\ncontent-length: 5\r\n'],
  ['Transfer-Encoding', 'tRANSFER-eNCODING: chunked\r\n'],
  ['Connection', 'Connection: close\r\n'],
])('an owner may not send %s', (_what, text) => {
  expect(isSafe(text)).toBe(false)
})

test('whatever passes is a list of lines without framing', () => {
  const line = fc.tuple(
    fc.string({ unit: 'binary-ascii', maxLength: 20 }),
    fc.constantFrom('\r\n', '\n', '\r', '', '\r\n\r\n'),
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 4 }), (lines) => {
      const text = lines.map(([name, end]) => name + end).join('')
      if (!isSafe(text)) return
      expect(text).toMatch(/^(?:[^\s:\0]+:[^\r\n\0]*\r\n)*$/)
      expect(text).not.toMatch(/^(?:content-length|transfer-encoding|connection)\s*:/im)
    }),
    { numRuns: 5000 },
  )
})

test('a reason phrase has no line break', () => {
  expect(isSafeReason(Buffer.from('Fine So Far'), 0, 11)).toBe(true)
  expect(isSafeReason(Buffer.from('OK\r\nA: b'), 0, 8)).toBe(false)
})
