import { expect, test } from 'vitest'
import { parseRawHeaders } from '../../../src/broker/client/raw-headers.ts'

const LINE = 'GET / HTTP/1.1\r\n'

test.each<[string, string, string[]]>([
  ['one field', 'Host: a\r\n', ['Host', 'a']],
  ['names as the client wrote them', 'hOsT: a\r\nX-Y_z: b\r\n', ['hOsT', 'a', 'X-Y_z', 'b']],
  ['the same name twice, in order', 'A: 1\r\nB: 2\r\nA: 3\r\n', ['A', '1', 'B', '2', 'A', '3']],
  ['white space around values', 'A:1\r\nB:\t 2 \t\r\n', ['A', '1', 'B', '2']],
  ['white space within values', 'A: 1 \t 2\r\n', ['A', '1 \t 2']],
  ['empty values', 'A:\r\nB: \t\r\nC: 1\r\n', ['A', '', 'B', '', 'C', '1']],
  ['colons in values', 'Host: [::1]:80\r\nA: b: c\r\n', ['Host', '[::1]:80', 'A', 'b: c']],
  ['bytes outside ASCII', 'A: \u00c3\u00bc\r\n', ['A', '\u00c3\u00bc']],
])('cuts %s', (_, fields, expected) => {
  const text = `${LINE}${fields}\r\nA: body, not a field\r\n`
  expect(parseRawHeaders(text, LINE.length, expected.length / 2)).toEqual(expected)
})

test('no fields give no names', () => {
  expect(parseRawHeaders(`${LINE}\r\n`, LINE.length, 0)).toEqual([])
})
