import fc from 'fast-check'

/** Mostly right, so that the odd pieces meet requests that are otherwise whole. */
function often<T>(right: T, ...odd: T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: 4 * odd.length, arbitrary: fc.constant(right) },
    { weight: odd.length, arbitrary: fc.constantFrom(...odd) },
  )
}

const lineEnd = often('\r\n', '\n', '\r', '\r\n ', '\r\r\n')
const method = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH') },
  { weight: 1, arbitrary: fc.constantFrom('FOO', 'get', 'G T', '', 'CONNECT') },
)
const space = often(' ', '  ', '\t', '')
const target = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('/', '/a', '/a?b=c', '//', '/%zz', 'http://h/', 'https://h/x?y', '*') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'http://h',
      '/a b',
      '/a#b',
      'a',
      '/\x80',
      '/\x01',
      '/a\tb',
      'ftp://h/',
      'http://u@h/',
      '',
    ),
  },
)
const version = often('HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1', 'HTTP/1.1 ', 'HTTP/11', 'HTTP/0.9')
const field = fc.constantFrom(
  'X: y',
  'X:',
  'X:  y \t',
  'X: a\tb',
  'X: \x80\xff',
  'X: \x00',
  'X: \x7f',
  ': x',
  'X Y: z',
  'X : z',
  'A: b\r\n c',
  'Host: again',
  'Host: a b',
  'Expect: 100-continue',
  'Expect: x',
  'Connection: close',
  'Connection: keep-alive',
  'Connection: a, close',
  'Upgrade: x',
)
const framing = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('', '', 'Content-Length: 3\r\n', 'Transfer-Encoding: chunked\r\n') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'content-length:0\r\n',
      'Content-Length: +3\r\n',
      'Content-Length: 3,3\r\n',
      'Content-Length: 0x3\r\n',
      'Content-Length:\r\n',
      'Content-Length: 3 \r\n',
      'Content-Length: 99999999999999999999\r\n',
      'Content-Length: 3\r\nContent-Length: 3\r\n',
      'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n',
      'Transfer-Encoding: Chunked\r\n',
      'Transfer-Encoding: gzip, chunked\r\n',
      'Transfer-Encoding: chunked, chunked\r\n',
      'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
      'Transfer-Encoding: identity\r\n',
      'Transfer-Encoding:\tchunked\r\n',
      'Transfer-Encoding : chunked\r\n',
      'Transfer-Encoding: chunked\x0b\r\n',
      'Transfer-Encoding: xchunked\r\n',
    ),
  },
)
const chunked = '3\r\nabc\r\n0\r\n\r\n'
const body = fc.constantFrom(
  '',
  'abc',
  chunked,
  '3;x=y\r\nabc\r\n0\r\n\r\n',
  '3;\r\nabc\r\n0\r\n\r\n',
  '3;a="b\\"c"\r\nabc\r\n0\r\n\r\n',
  '3 \r\nabc\r\n0\r\n\r\n',
  '3\nabc\n0\n\n',
  '3\r\nabc0\r\n\r\n',
  '03\r\nabc\r\n0\r\nT: v\r\n\r\n',
  '0\r\nContent-Length: 5\r\n\r\n',
  '0\r\n\r\n',
  'x\r\n',
  '-3\r\nabc\r\n0\r\n\r\n',
  '0x3\r\nabc\r\n0\r\n\r\n',
  '10000000000000003\r\nabc\r\n0\r\n\r\n',
  '3\r\nabc\r\n0\r\nbad\r\n\r\n',
)
const requestText = fc
  .tuple(
    method,
    space,
    target,
    version,
    lineEnd,
    often('Host: h\r\n', '', 'host:h\r\n'),
    fc.array(field, { maxLength: 2 }),
    framing,
    lineEnd,
    body,
  )
  .map(([verb, gap, url, number, end, host, fields, length, last, rest]) => {
    const lines = fields.map((line) => `${line}\r\n`).join('')
    return `${verb}${gap}${url} ${number}${end}${host}${lines}${length}${last}${rest}`
  })
const mutation = fc.tuple(fc.nat(200), fc.constantFrom('\r', '\n', '\0', ' ', ':', '\t', 'a', '\x80', '\r\n', ''))

/** Streams of one to three requests, most of them nearly right, some with stray bytes put in or taken out. */
export const requestStream: fc.Arbitrary<Buffer> = fc
  .tuple(
    often('', '\r\n', '\n'),
    fc.array(requestText, { minLength: 1, maxLength: 3 }),
    fc.array(mutation, { maxLength: 1 }),
  )
  .map(([lead, requests, mutations]) => {
    let text = lead + requests.join('')
    for (const [place, bytes] of mutations) {
      const at = place % Math.max(1, text.length)
      text = text.slice(0, at) + bytes + text.slice(at + (bytes === '' ? 1 : 0))
    }
    return Buffer.from(text, 'latin1')
  })
