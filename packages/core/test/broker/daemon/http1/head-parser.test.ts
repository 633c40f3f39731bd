import { describe, expect, test } from 'vitest'
import {
  FORM_ABSOLUTE,
  FORM_ASTERISK,
  FORM_ORIGIN,
  HeadParser,
} from '../../../../src/broker/daemon/http1/head-parser.ts'
import {
  REJECT_BARE_CR,
  REJECT_CODING,
  REJECT_CONNECT,
  REJECT_CONTENT_LENGTH,
  REJECT_FIELD,
  REJECT_FRAMING,
  REJECT_HEAD_TOO_LONG,
  REJECT_HOST,
  REJECT_LINE,
  REJECT_LINE_BREAK,
  REJECT_SECOND_LENGTH,
  REJECT_TARGET,
  REJECT_TARGET_TOO_LONG,
  REJECT_VERB,
  REJECT_VERSION,
  rejectOf,
} from '../../../../src/broker/daemon/exchange/reject.ts'

const parser = new HeadParser()

function parse(text: string): number {
  const bytes = Buffer.from(text, 'latin1')
  return parser.parse(bytes, 0, bytes.length)
}

const HEAD = 'GET /a/b?c=d HTTP/1.1\r\nHost: localhost:8080\r\nX-Y:  z \t\r\n\r\n'

describe('a head', () => {
  test('gives offsets of what it is made of', () => {
    const text = `\r\n${HEAD}rest`
    expect(parse(text)).toBe(text.length - 4)
    const part = (start: number, end: number): string => text.slice(start, end)
    expect(part(parser.headStart, parser.methodEnd)).toBe('GET')
    expect(part(parser.targetStart, parser.targetEnd)).toBe('/a/b?c=d')
    expect(part(parser.pathStart, parser.pathEnd)).toBe('/a/b')
    expect(part(parser.hostStart, parser.hostEnd)).toBe('localhost:8080')
    expect(part(parser.fieldsStart, parser.fieldsStart + 5)).toBe('Host:')
    expect([parser.fieldCount, parser.minor, parser.targetForm, parser.contentLength]).toEqual([2, 1, FORM_ORIGIN, -1])
  })

  test('is incomplete up to its last byte, wherever it is cut', () => {
    for (let length = 0; length < HEAD.length; length++) expect(parse(HEAD.slice(0, length))).toBe(0)
    expect(parse(HEAD)).toBe(HEAD.length)
  })

  test('may begin anywhere in the bytes', () => {
    const bytes = Buffer.from(`xxxx${HEAD}`)
    expect(parser.parse(bytes, 4, bytes.length)).toBe(bytes.length)
    expect(parser.headStart).toBe(4)
  })

  test.each([
    ['http://h:1/p?q', FORM_ABSOLUTE, '/p', 'h:1'],
    ['HTTPS://h', FORM_ABSOLUTE, '', 'h'],
    ['http://h?q', FORM_ABSOLUTE, '', 'h'],
    ['http://[::1]:80/', FORM_ABSOLUTE, '/', '[::1]:80'],
  ])('with the target %s names host and path', (target, form, path, authority) => {
    const text = `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`
    expect(parse(text)).toBe(text.length)
    expect(parser.targetForm).toBe(form)
    expect(text.slice(parser.pathStart, parser.pathEnd)).toBe(path)
    expect(text.slice(parser.authorityStart, parser.authorityEnd)).toBe(authority)
  })

  test('OPTIONS * has no path', () => {
    expect(parse('OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n')).toBeGreaterThan(0)
    expect([parser.targetForm, parser.pathEnd - parser.pathStart]).toEqual([FORM_ASTERISK, 0])
  })

  test.each([
    ['HTTP/1.1', '', true],
    ['HTTP/1.1', 'Connection: close\r\n', false],
    ['HTTP/1.1', 'Connection: a, Close , b\r\n', false],
    ['HTTP/1.1', 'Connection: a\r\nConnection: close\r\n', false],
    ['HTTP/1.1', 'Connection: closer\r\n', true],
    ['HTTP/1.0', '', false],
    ['HTTP/1.0', 'Connection: Keep-Alive\r\n', true],
    ['HTTP/1.0', 'Connection: keep-alive, close\r\n', false],
  ])('%s with %j keeps the connection: %s', (version, fields, isKeepAlive) => {
    expect(parse(`GET / ${version}\r\nHost: x\r\n${fields}\r\n`)).toBeGreaterThan(0)
    expect(parser.isKeepAlive).toBe(isKeepAlive)
  })

  test.each([
    ['Content-Length: 0\r\n', 0, false],
    ['content-LENGTH: 999999999999999\r\n', 999_999_999_999_999, false],
    ['Transfer-Encoding: chunked\r\n', -1, true],
    ['TRANSFER-encoding:CHUNKED\r\n', -1, true],
  ])('%j frames the body', (field, contentLength, isChunked) => {
    expect(parse(`POST / HTTP/1.1\r\nHost: x\r\n${field}\r\n`)).toBeGreaterThan(0)
    expect([parser.contentLength, parser.isChunked]).toEqual([contentLength, isChunked])
  })

  test.each([
    ['Connection: upgrade\r\nUpgrade: websocket\r\n', true],
    ['Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n', true],
    ['Upgrade: websocket\r\n', false],
    ['Connection: upgrade\r\n', false],
  ])('%j offers another protocol: %s', (fields, isUpgrade) => {
    expect(parse(`GET / HTTP/1.1\r\nHost: x\r\n${fields}\r\n`)).toBeGreaterThan(0)
    expect(parser.isUpgrade).toBe(isUpgrade)
  })

  test.each([
    ['Expect: 100-continue\r\n', 1],
    ['Expect: 100-Continue\r\n', 1],
    ['Expect: else\r\n', 2],
    ['', 0],
  ])('%j expects %i', (field, expect_) => {
    expect(parse(`GET / HTTP/1.1\r\nHost: x\r\n${field}\r\n`)).toBeGreaterThan(0)
    expect(parser.expect).toBe(expect_)
  })
})

describe('what is not a head', () => {
  const host = 'Host: x\r\n'
  test.each([
    ['bare LF after the line', `GET / HTTP/1.1\n${host}\r\n`, REJECT_LINE_BREAK],
    ['bare LF after a field', `GET / HTTP/1.1\r\nHost: x\n\r\n`, REJECT_LINE_BREAK],
    ['bare LF at the end', `GET / HTTP/1.1\r\n${host}\n`, REJECT_LINE_BREAK],
    ['bare CR in a value', `GET / HTTP/1.1\r\nA: b\rc\r\n${host}\r\n`, REJECT_BARE_CR],
    ['a leading LF', `\n${HEAD}`, REJECT_LINE_BREAK],
    ['many leading empty lines', `${'\r\n'.repeat(5)}${HEAD}`, REJECT_LINE_BREAK],
    ['obs-fold', `GET / HTTP/1.1\r\n${host}A: b\r\n c\r\n\r\n`, REJECT_FIELD],
    ['a field without a name', `GET / HTTP/1.1\r\n${host}: b\r\n\r\n`, REJECT_FIELD],
    ['a space before the colon', `GET / HTTP/1.1\r\n${host}A : b\r\n\r\n`, REJECT_FIELD],
    ['NUL in a value', `GET / HTTP/1.1\r\n${host}A: \0\r\n\r\n`, REJECT_FIELD],
    ['DEL in a value', `GET / HTTP/1.1\r\n${host}A: \x7f\r\n\r\n`, REJECT_FIELD],
    ['a high byte in a name', `GET / HTTP/1.1\r\n${host}\x80: b\r\n\r\n`, REJECT_FIELD],
    ['no method', ` / HTTP/1.1\r\n${host}\r\n`, REJECT_VERB],
    ['a TLS hello', '\x16\x03\x01\x00', REJECT_VERB],
    ['a method of 33 characters', `${'A'.repeat(33)} / HTTP/1.1\r\n${host}\r\n`, REJECT_VERB],
    ['two spaces before the target', `GET  / HTTP/1.1\r\n${host}\r\n`, REJECT_TARGET],
    ['two spaces after the target', `GET /  HTTP/1.1\r\n${host}\r\n`, REJECT_LINE],
    ['a tab in the target', `GET /\t HTTP/1.1\r\n${host}\r\n`, REJECT_TARGET],
    ['a fragment', `GET /#a HTTP/1.1\r\n${host}\r\n`, REJECT_TARGET],
    ['a high byte in the target', `GET /\x80 HTTP/1.1\r\n${host}\r\n`, REJECT_TARGET],
    ['a target without a slash', `GET a HTTP/1.1\r\n${host}\r\n`, REJECT_TARGET],
    ['another scheme', `GET ftp://h/ HTTP/1.1\r\n${host}\r\n`, REJECT_TARGET],
    ['a user name', `GET http://u@h/ HTTP/1.1\r\n${host}\r\n`, REJECT_TARGET],
    ['no authority', `GET http:/// HTTP/1.1\r\n${host}\r\n`, REJECT_TARGET],
    ['* for GET', `GET * HTTP/1.1\r\n${host}\r\n`, REJECT_TARGET],
    ['CONNECT', `CONNECT h:1 HTTP/1.1\r\n${host}\r\n`, REJECT_CONNECT],
    ['HTTP/2.0', 'PRI * HTTP/2.0\r\n\r\n', REJECT_VERSION],
    ['HTTP/1.2', `GET / HTTP/1.2\r\n${host}\r\n`, REJECT_VERSION],
    ['lower-case http', `GET / http/1.1\r\n${host}\r\n`, REJECT_LINE],
    ['HTTP/0.9 without a version', 'GET /\r\n', REJECT_TARGET],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', REJECT_HOST],
    ['two Hosts', `GET / HTTP/1.1\r\n${host}${host}\r\n`, REJECT_HOST],
    ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', REJECT_HOST],
    ['a Host with a slash', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', REJECT_HOST],
    ['a Host with an @', 'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n', REJECT_HOST],
    ['two lengths', `GET / HTTP/1.1\r\n${host}Content-Length: 3\r\nContent-Length: 3\r\n\r\n`, REJECT_SECOND_LENGTH],
    ['a signed length', `GET / HTTP/1.1\r\n${host}Content-Length: +3\r\n\r\n`, REJECT_CONTENT_LENGTH],
    ['a hexadecimal length', `GET / HTTP/1.1\r\n${host}Content-Length: 0x3\r\n\r\n`, REJECT_CONTENT_LENGTH],
    ['a list of lengths', `GET / HTTP/1.1\r\n${host}Content-Length: 3, 3\r\n\r\n`, REJECT_CONTENT_LENGTH],
    ['an empty length', `GET / HTTP/1.1\r\n${host}Content-Length: \r\n\r\n`, REJECT_CONTENT_LENGTH],
    [
      'a length of 16 digits',
      `GET / HTTP/1.1\r\n${host}Content-Length: 1000000000000000\r\n\r\n`,
      REJECT_CONTENT_LENGTH,
    ],
    ['a tab behind a length', `GET / HTTP/1.1\r\n${host}Content-Length: 3 \t \r\n\r\n`, REJECT_CONTENT_LENGTH],
    [
      'length and coding',
      `GET / HTTP/1.1\r\n${host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n`,
      REJECT_FRAMING,
    ],
    [
      'coding and length',
      `GET / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n`,
      REJECT_FRAMING,
    ],
    [
      'two codings',
      `GET / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
      REJECT_FRAMING,
    ],
    ['a coding in HTTP/1.0', `GET / HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n`, REJECT_FRAMING],
    ['a tab before the coding', `GET / HTTP/1.1\r\n${host}Transfer-Encoding:\tchunked\r\n\r\n`, REJECT_FRAMING],
    ['chunked twice', `GET / HTTP/1.1\r\n${host}Transfer-Encoding: chunked, chunked\r\n\r\n`, REJECT_CODING],
    ['gzip, chunked', `GET / HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n`, REJECT_CODING],
    ['xchunked', `GET / HTTP/1.1\r\n${host}Transfer-Encoding: xchunked\r\n\r\n`, REJECT_CODING],
    ['chunked with a vertical tab', `GET / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\x0b\r\n\r\n`, REJECT_FIELD],
  ])('%s is refused, also when it comes byte by byte', (_what, text, code) => {
    expect(parse(text)).toBe(code)
    let verdict = 0
    for (let length = 1; length <= text.length && verdict === 0; length++) verdict = parse(text.slice(0, length))
    expect(verdict).toBe(code)
  })

  test('a head is too long from the byte on that exceeds the limit', () => {
    const fill = (length: number): string => `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(length)}\r\n\r\n`
    const room = 16_384 - fill(0).length
    expect(parse(fill(room))).toBe(16_384)
    expect(parse(fill(room + 1))).toBe(REJECT_HEAD_TOO_LONG)
    expect(parse(fill(100_000).slice(0, 16_384))).toBe(0)
    expect(parse(fill(100_000).slice(0, 16_385))).toBe(REJECT_HEAD_TOO_LONG)
  })

  test('a request line that does not end is too long a URL', () => {
    expect(parse(`GET /${'a'.repeat(16_380)}`)).toBe(REJECT_TARGET_TOO_LONG)
  })

  test('more than 256 fields are too many', () => {
    const fields = (count: number): string => `GET / HTTP/1.1\r\nHost: x\r\n${'a: b\r\n'.repeat(count - 1)}\r\n`
    expect(parse(fields(256))).toBeGreaterThan(0)
    expect(parse(fields(257))).toBe(REJECT_HEAD_TOO_LONG)
  })

  test.each([
    [REJECT_TARGET_TOO_LONG, 414],
    [REJECT_HEAD_TOO_LONG, 431],
    [REJECT_VERSION, 505],
    [REJECT_CODING, 501],
    [REJECT_FRAMING, 400],
    [REJECT_HOST, 400],
  ])('code %i is status %i', (code, status) => {
    expect(rejectOf(code).status).toBe(status)
  })
})
