import { describe, expect, test } from 'vitest'
import {
  CHUNK_DATA,
  CHUNK_END,
  CHUNK_MORE,
  ChunkedDecoder,
} from '../../../../src/broker/daemon/http1/chunked-decoder.ts'
import { REJECT_CHUNK, REJECT_EXTENSIONS, REJECT_TRAILER } from '../../../../src/broker/daemon/exchange/reject.ts'

/** Decodes the text given in pieces; returns body, trailers and what is left, or the refusal. */
function decode(text: string, size = text.length): { body: string; trailers: string; rest: string } | number {
  const decoder = new ChunkedDecoder()
  const bytes = Buffer.from(text, 'latin1')
  let body = ''
  for (let start = 0; start < bytes.length; start += size) {
    const end = Math.min(bytes.length, start + size)
    for (let position = start; ; position = decoder.position) {
      const event = decoder.step(bytes, position, end)
      if (event < 0) return event
      if (event === CHUNK_MORE) break
      if (event === CHUNK_END) return { body, trailers: decoder.trailers, rest: text.slice(decoder.position) }
      expect(event).toBe(CHUNK_DATA)
      body += bytes.toString('latin1', decoder.dataStart, decoder.dataEnd)
    }
  }
  return { body, trailers: '', rest: 'incomplete' }
}

describe('a chunked body', () => {
  test.each([
    ['one chunk', '5\r\nhello\r\n0\r\n\r\nnext', { body: 'hello', trailers: '', rest: 'next' }],
    ['several chunks', '1\r\na\r\nA\r\n0123456789\r\n00\r\n\r\n', { body: 'a0123456789', trailers: '', rest: '' }],
    ['nothing', '0\r\n\r\n', { body: '', trailers: '', rest: '' }],
    ['line breaks in the data', '4\r\n\r\n\r\n\r\n0\r\n\r\n', { body: '\r\n\r\n', trailers: '', rest: '' }],
    ['extensions', '1;a;b=c;d="e;\\"\r"\r\n', REJECT_CHUNK],
    ['sound extensions', '1;a;b=c;d="e;\\""\r\nx\r\n0;z\r\n\r\n', { body: 'x', trailers: '', rest: '' }],
    ['trailers', '0\r\nA: b\r\nC:\r\n\r\nx', { body: '', trailers: 'A: b\r\nC:\r\n', rest: 'x' }],
  ])('of %s is read whole and byte by byte', (_what, text, expected) => {
    expect(decode(text)).toEqual(expected)
    expect(decode(text, 1)).toEqual(expected)
    expect(decode(text, 3)).toEqual(expected)
  })

  test.each([
    ['no size', '\r\n', REJECT_CHUNK],
    ['a size that is no number', 'x\r\n', REJECT_CHUNK],
    ['a sign', '-1\r\n', REJECT_CHUNK],
    ['0x', '0x1\r\n', REJECT_CHUNK],
    ['a space behind the size', '1 \r\na\r\n', REJECT_CHUNK],
    ['a space before the size', ' 1\r\na\r\n', REJECT_CHUNK],
    ['a size beyond 2^53', '10000000000000005\r\n', REJECT_CHUNK],
    ['many zeros', '00000000000001\r\n', REJECT_CHUNK],
    ['LF behind the size', '1\na\r\n0\r\n\r\n', REJECT_CHUNK],
    ['LF behind the data', '1\r\na\n0\r\n\r\n', REJECT_CHUNK],
    ['data longer than the size', '1\r\nab\r\n0\r\n\r\n', REJECT_CHUNK],
    ['CR without LF', '1\r\na\r0\r\n\r\n', REJECT_CHUNK],
    ['an extension without a name', '1;\r\na\r\n0\r\n\r\n', REJECT_CHUNK],
    ['a control character in an extension', '1;a=\x00\r\n', REJECT_CHUNK],
    ['LF in an extension', '1;a\nb\r\n', REJECT_CHUNK],
    ['endless extensions', `1;${'a'.repeat(20_000)}\r\n`, REJECT_EXTENSIONS],
    ['LF at the end', '0\r\n\n', REJECT_TRAILER],
    ['a trailer without a colon', '0\r\nbad\r\n\r\n', REJECT_TRAILER],
    ['a folded trailer', '0\r\nA: b\r\n c\r\n\r\n', REJECT_TRAILER],
    ['a control character in a trailer', '0\r\nA: \x00\r\n\r\n', REJECT_TRAILER],
    ['Content-Length as a trailer', '0\r\nContent-Length: 5\r\n\r\n', REJECT_TRAILER],
    ['Transfer-Encoding as a trailer', '0\r\nA: b\r\ntransfer-ENCODING: chunked\r\n\r\n', REJECT_TRAILER],
    ['Host as a trailer', '0\r\nHost: x\r\n\r\n', REJECT_TRAILER],
    ['endless trailers', `0\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`, REJECT_TRAILER],
  ])('with %s is refused, whole and byte by byte', (_what, text, code) => {
    expect(decode(text)).toBe(code)
    expect(decode(text, 1)).toBe(code)
  })
})
