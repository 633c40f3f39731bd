/**
 * Byte streams that two parsers are known to read differently, after RFC 9112 (sections 2.2, 5, 6, 7, 9.3, 11.2), the published
 * CL.TE, TE.CL, TE.TE, CL.0 and chunk-extension variants, and the cases that llhttp and the proxies have had to mend.
 *
 * Most carry a second request where one of the readings finds the entity body of the first.
 */

/** Belongs to another process than the request that carries it. */
export const SMUGGLED = 'GET /admin/s HTTP/1.1\r\nHost: localhost\r\n\r\n'

/**
 * What, the bytes, and how they must be read: `a` is the outer request, `s` the carried one where it is a request of its own by every
 * reading of the RFC, a number the status with which the rest is refused, `…` the rest of an entity body that has not come.
 */
export type SmugglingVector = readonly [what: string, bytes: string, reading: string]

const HOST = 'Host: localhost'

function request(fields: readonly string[], body = '', line = 'POST /2/a HTTP/1.1'): string {
  return `${[line, HOST, ...fields].join('\r\n')}\r\n\r\n${body}`
}

const CHUNKED_THEN_SMUGGLED = `0\r\n\r\n${SMUGGLED}`
const LENGTH = `Content-Length: ${CHUNKED_THEN_SMUGGLED.length}`

/** CL.TE and TE.CL: whoever does not recognise the coding takes the length. */
function withLength(coding: string): string {
  return request([LENGTH, coding], CHUNKED_THEN_SMUGGLED)
}

/** TE.0: whoever does not recognise the coding finds no body. */
function alone(coding: string): string {
  return request([coding], CHUNKED_THEN_SMUGGLED)
}

function length(value: string, body = `12345${SMUGGLED}`): string {
  return request([`Content-Length:${value}`], body)
}

function chunks(body: string): string {
  return request(['Transfer-Encoding: chunked'], body)
}

/** An entity body of the carried request's size, in a request that usually has none. */
function bodied(line: string, ...fields: string[]): string {
  return request([...fields, `Content-Length: ${SMUGGLED.length}`], SMUGGLED, line)
}

/** How a coding is hidden from one of two parsers: the field line, the reading with a length beside it, and without. */
const CODINGS: readonly (readonly [what: string, line: string, withLength: string, alone: string])[] = [
  ['as it should be', 'Transfer-Encoding: chunked', '400', 'a s'],
  ['in capitals', 'TRANSFER-ENCODING: CHUNKED', '400', 'a s'],
  ['no space after the colon', 'Transfer-Encoding:chunked', '400', 'a s'],
  ['a tab after the colon', 'Transfer-Encoding:\tchunked', '400', '400'],
  ['a trailing space', 'Transfer-Encoding: chunked ', '400', 'a s'],
  ['a trailing tab', 'Transfer-Encoding: chunked\t', '400', '400'],
  ['a space before the colon', 'Transfer-Encoding : chunked', '400', '400'],
  ['a tab before the colon', 'Transfer-Encoding\t: chunked', '400', '400'],
  ['a leading space', ' Transfer-Encoding: chunked', '400', '400'],
  ['folded after the colon', 'Transfer-Encoding:\r\n chunked', '400', '400'],
  ['folded behind the value', 'Transfer-Encoding: chunked\r\n x', '400', '400'],
  ['folded into the field before', 'A: b\r\n Transfer-Encoding: chunked', '400', '400'],
  ['a line feed before the colon', 'Transfer-Encoding\n: chunked', '400', '400'],
  ['behind a bare line feed', 'A: b\nTransfer-Encoding: chunked', '400', '400'],
  ['behind a bare carriage return', 'A: b\rTransfer-Encoding: chunked', '400', '400'],
  ['ended by a bare line feed', 'Transfer-Encoding: chunked\nA: b', '400', '400'],
  ['ended by CR CR LF', 'Transfer-Encoding: chunked\r\r\nA: b', '400', '400'],
  ['a NUL behind the name', 'Transfer-Encoding\0: chunked', '400', '400'],
  ['a NUL behind the value', 'Transfer-Encoding: chunked\0', '400', '400'],
  ['a vertical tab before the value', 'Transfer-Encoding: \vchunked', '400', '400'],
  ['a form feed before the value', 'Transfer-Encoding: \fchunked', '400', '400'],
  ['a no-break space before the value', 'Transfer-Encoding: \xa0chunked', '400', '501'],
  ['a byte order mark before the name', '\xef\xbb\xbfTransfer-Encoding: chunked', '400', '400'],
  ['xchunked', 'Transfer-Encoding: xchunked', '400', '501'],
  ['chunkedx', 'Transfer-Encoding: chunkedx', '400', '501'],
  ['chunk', 'Transfer-Encoding: chunk', '400', '501'],
  ['with a parameter', 'Transfer-Encoding: chunked;q=1', '400', '501'],
  ['quoted', 'Transfer-Encoding: "chunked"', '400', '501'],
  ['in single quotes', "Transfer-Encoding: 'chunked'", '400', '501'],
  ['identity', 'Transfer-Encoding: identity', '400', '501'],
  ['identity, chunked', 'Transfer-Encoding: identity, chunked', '400', '501'],
  ['chunked, identity', 'Transfer-Encoding: chunked, identity', '400', '501'],
  ['chunked twice in one field', 'Transfer-Encoding: chunked, chunked', '400', '501'],
  ['gzip, chunked', 'Transfer-Encoding: gzip, chunked', '400', '501'],
  ['an empty element', 'Transfer-Encoding: , chunked', '400', '501'],
  ['a trailing comma', 'Transfer-Encoding: chunked,', '400', '501'],
  ['empty', 'Transfer-Encoding:', '400', '501'],
  ['twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', '400', '400'],
  ['twice, the second unknown', 'Transfer-Encoding: chunked\r\nTransfer-encoding: cow', '400', '400'],
  ['twice, the first unknown', 'Transfer-Encoding: cow\r\nTransfer-Encoding: chunked', '400', '400'],
  ['twice, the second identity', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', '400', '400'],
  ['a Kelvin sign for its k', 'Transfer-Encoding: chun\xe2\x84\xaaed', '400', '501'],
  ['an underscore in the name', 'Transfer_Encoding: chunked', 'a', 'a 400'],
  ['another field that ends alike', 'X-Transfer-Encoding: chunked', 'a', 'a 400'],
  ['another field that begins alike', 'Transfer-Encodings: chunked', 'a', 'a 400'],
  ['a long s in the name', 'Tran\xc5\xbffer-Encoding: chunked', '400', '400'],
  ['no colon', 'Transfer-Encoding chunked', '400', '400'],
  ['named by Connection', 'Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked', '400', 'a s'],
]

export const SMUGGLING_VECTORS: readonly SmugglingVector[] = [
  ...CODINGS.flatMap(([what, line, withOne, without]): SmugglingVector[] => [
    [`Content-Length and a coding: ${what}`, withLength(line), withOne],
    [`a coding without Content-Length: ${what}`, alone(line), without],
  ]),
  ['a coding before the length', request(['Transfer-Encoding: chunked', LENGTH], CHUNKED_THEN_SMUGGLED), '400'],
  ['a coding in HTTP/1.0', request(['Transfer-Encoding: chunked'], CHUNKED_THEN_SMUGGLED, 'POST /2/a HTTP/1.0'), '400'],
  [
    'a coding and a length in HTTP/1.0',
    request(
      [LENGTH, 'Transfer-Encoding: chunked', 'Connection: keep-alive'],
      CHUNKED_THEN_SMUGGLED,
      'POST /2/a HTTP/1.0',
    ),
    '400',
  ],

  // Content-Length
  ['a length', length(' 5'), 'a s'],
  ['no space before the length', length('5'), 'a s'],
  ['spaces around the length', length('   5  '), 'a s'],
  ['tabs around the length', length(' \t5\t '), '400'],
  ['leading zeros', length(' 0005'), 'a s'],
  ['a plus sign', length(' +5'), '400'],
  ['a minus sign', length(' -5'), '400'],
  ['minus zero', length(' -0'), '400'],
  ['hexadecimal', length(' 0x5'), '400'],
  ['a decimal point', length(' 5.0'), '400'],
  ['an exponent', length(' 5e0'), '400'],
  ['an underscore among digits', length(' 0_5'), '400'],
  ['two numbers', length(' 5 5'), '400'],
  ['a list of equal lengths', length(' 5, 5'), '400'],
  ['a list of different lengths', length(' 5, 0'), '400'],
  ['a trailing comma', length(' 5,'), '400'],
  ['a semicolon', length(' 5;'), '400'],
  ['quoted', length(' "5"'), '400'],
  ['empty', length(''), '400'],
  ['only white space', length(' \t'), '400'],
  ['a NUL behind the digits', length(' 5\0'), '400'],
  ['a vertical tab before the digits', length(' \v5'), '400'],
  ['a full-width digit', length(' \xef\xbc\x95'), '400'],
  ['a superscript digit', length(' \xb5'), '400'],
  ['2^64 + 5, which wraps to 5', length(' 18446744073709551621'), '400'],
  ['2^32 + 5, which wraps to 5', length(' 4294967301'), '…'],
  ['2^53', length(' 9007199254740992'), '400'],
  ['a thousand digits', length(` ${'9'.repeat(1000)}`), '400'],
  ['two equal fields', length(' 5\r\nContent-Length: 5'), '400'],
  ['two different fields', length(' 5\r\nContent-Length: 0'), '400'],
  ['two fields, the second empty', length(' 5\r\nContent-Length:'), '400'],
  ['folded', length('\r\n 5'), '400'],
  ['folded behind the digits', length(' 5\r\n 0'), '400'],
  ['a space before the colon', request(['Content-Length : 5'], `12345${SMUGGLED}`), '400'],
  ['an underscore in the name', request(['Content_Length: 5'], SMUGGLED), 'a s'],
  [
    'a space before the name of the first field',
    `POST /2/a HTTP/1.1\r\n ${HOST}\r\nContent-Length: 5\r\n\r\n12345`,
    '400',
  ],
  ['a length of zero before a request', length(' 0', SMUGGLED), 'a s'],
  ['a length named by Connection', bodied('POST /2/a HTTP/1.1', 'Connection: Content-Length'), 'a'],
  ['a length that covers the next request', bodied('POST /2/a HTTP/1.1'), 'a'],

  // Entity bodies where some servers expect none, or answer before they have read them
  ['GET with a body', bodied('GET /2/a HTTP/1.1'), 'a'],
  ['HEAD with a body', bodied('HEAD /2/a HTTP/1.1'), 'a'],
  ['DELETE with a body', bodied('DELETE /2/a HTTP/1.1'), 'a'],
  ['OPTIONS with a body', bodied('OPTIONS /2/a HTTP/1.1'), 'a'],
  ['TRACE with a body', bodied('TRACE /2/a HTTP/1.1'), 'a'],
  ['a method that nobody knows, with a body', bodied('GPOST /2/a HTTP/1.1'), 'a'],
  [
    'GET with a chunked body',
    request(['Transfer-Encoding: chunked'], CHUNKED_THEN_SMUGGLED, 'GET /2/a HTTP/1.1'),
    'a s',
  ],
  ['a body for an app that does not read it', bodied('POST /2/a?ignore HTTP/1.1'), 'a'],
  ['a body for a prefix that nobody has', bodied('POST /nobody HTTP/1.1'), '404'],
  [
    'a body for a host that nobody has',
    `POST /2/a HTTP/1.1\r\nHost: other.example\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    '400',
  ],
  ['100-continue with a body', bodied('POST /2/a HTTP/1.1', 'Expect: 100-continue'), 'a'],
  ['100-continue on GET', bodied('GET /2/a HTTP/1.1', 'Expect: 100-continue'), 'a'],
  ['100-continue, obfuscated', bodied('POST /2/a HTTP/1.1', 'Expect: y 100-continue'), '417'],
  ['100-continue twice', bodied('POST /2/a HTTP/1.1', 'Expect: 100-continue', 'Expect: 100-continue'), 'a'],
  ['100-continue without a body', request(['Expect: 100-continue'], SMUGGLED), 'a s'],
  [
    'an upgrade to WebSocket with a body, refused',
    bodied('GET /2/a HTTP/1.1', 'Connection: Upgrade', 'Upgrade: websocket'),
    'a',
  ],
  [
    'an upgrade to h2c with a body',
    bodied('GET /2/a HTTP/1.1', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: '),
    'a',
  ],
  ['HTTP/1.0 without a length', request([], SMUGGLED, 'POST /2/a HTTP/1.0'), 'a'],
  [
    'HTTP/1.0 with a length, kept alive',
    `POST /2/a HTTP/1.0\r\n${HOST}\r\nConnection: keep-alive\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    'a',
  ],
  ['Connection: close before a request', request(['Connection: close'], SMUGGLED), 'a'],
  ['the preface of HTTP/2', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${SMUGGLED}`, '505'],
  ['CONNECT', `CONNECT localhost:80 HTTP/1.1\r\n${HOST}\r\n\r\n${SMUGGLED}`, '501'],
  ['a TE field', request(['TE: trailers, chunked', 'Content-Length: 5'], `12345${SMUGGLED}`), 'a s'],

  // Chunks
  ['one chunk', chunks(`5\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), 'a s'],
  ['a carried request in a chunk', chunks(`${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`), 'a'],
  ['capital hexadecimal digits', chunks(`2C\r\n${'x'.repeat(44)}\r\n0\r\n\r\n${SMUGGLED}`), 'a s'],
  ['leading zeros in a size', chunks(`0005\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), 'a s'],
  ['several zeros as the last chunk', chunks(`0000\r\n\r\n${SMUGGLED}`), 'a s'],
  ['0x before a size', chunks(`0x5\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['a plus sign before a size', chunks(`+5\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['a minus sign before a size', chunks(`-5\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['a space before a size', chunks(` 5\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['a space behind a size', chunks(`5 \r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['a tab behind a size', chunks(`5\t\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['an underscore in a size', chunks(`0_5\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['no size', chunks(`\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['letters that are no digits', chunks(`G\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['a NUL behind a size', chunks(`5\0\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['2^64 + 5 as a size, which wraps to 5', chunks(`10000000000000005\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['2^32 + 5 as a size, which wraps to 5', chunks(`100000005\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '…'],
  ['a size of a hundred digits', chunks(`${'F'.repeat(100)}\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['a size that ends in LF', chunks(`5\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['a size that ends in CR', chunks(`5\r12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['a size that ends in CR CR LF', chunks(`5\r\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['a size that ends in LF CR', chunks(`5\n\r12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['data longer than its size', chunks(`5\r\n1234567\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['data shorter than its size', chunks(`5\r\n123\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['data that ends in LF', chunks(`5\r\n12345\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['data that ends in CR', chunks(`5\r\n12345\r0\r\n\r\n${SMUGGLED}`), '400'],
  ['data that ends in two other bytes', chunks(`5\r\n12345XX0\r\n\r\n${SMUGGLED}`), '400'],
  ['data that ends in nothing', chunks(`5\r\n123450\r\n\r\n${SMUGGLED}`), '400'],
  ['data that ends in CR LF CR LF', chunks(`5\r\n12345\r\n\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['an extension', chunks(`5;a=b\r\n12345\r\n0;c\r\n\r\n${SMUGGLED}`), 'a s'],
  ['a quoted extension', chunks(`5;a="b c"\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), 'a s'],
  ['an extension that ends in LF (TERM.EXT)', chunks(`5;a\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['an extension with a bare CR', chunks(`5;a\rb\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['an extension with a quoted line break', chunks(`5;a="\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['an extension with a NUL', chunks(`5;a\0\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['an extension without a name', chunks(`5;\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['a space before an extension', chunks(`5 ;a\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '400'],
  ['an extension of 20 KiB', chunks(`5;${'a'.repeat(20_480)}\r\n12345\r\n0\r\n\r\n${SMUGGLED}`), '413'],
  [
    'extensions of 20 KiB in small pieces',
    chunks(`${`1;${'a'.repeat(1022)}\r\nx\r\n`.repeat(20)}0\r\n\r\n${SMUGGLED}`),
    '413',
  ],
  ['a trailer', chunks(`0\r\nX: y\r\n\r\n${SMUGGLED}`), 'a s'],
  ['a length as a trailer', chunks(`0\r\nContent-Length: 5\r\n\r\n${SMUGGLED}`), '400'],
  ['a coding as a trailer', chunks(`0\r\nTransfer-Encoding: chunked\r\n\r\n${SMUGGLED}`), '400'],
  ['a Host as a trailer', chunks(`0\r\nHost: other\r\n\r\n${SMUGGLED}`), '400'],
  ['the carried request as a trailer (TERM.TRAIL)', chunks(`0\r\n${SMUGGLED}`), '400'],
  ['a trailer with LF', chunks(`0\r\nX: y\n\r\n${SMUGGLED}`), '400'],
  ['a folded trailer', chunks(`0\r\nX: y\r\n z\r\n\r\n${SMUGGLED}`), '400'],
  ['the last chunk without an empty line', chunks(`0\r\nGET /admin/s HTTP/1.1\r\n\r\n${SMUGGLED}`), '400'],
  ['the last line as LF', chunks(`0\r\n\n${SMUGGLED}`), '400'],
  ['the last line as CR', chunks(`0\r\n\r${SMUGGLED}`), '400'],
  ['the last size as LF', chunks(`0\n\r\n${SMUGGLED}`), '400'],

  // Line breaks and characters
  ['LF for every line break', `GET /2/a HTTP/1.1\n${HOST}\n\n${SMUGGLED}`, '400'],
  ['LF behind the request line', `GET /2/a HTTP/1.1\n${HOST}\r\n\r\n${SMUGGLED}`, '400'],
  ['LF behind a field', `GET /2/a HTTP/1.1\r\n${HOST}\n\r\n${SMUGGLED}`, '400'],
  ['an empty line of LF', `GET /2/a HTTP/1.1\r\n${HOST}\r\n\n${SMUGGLED}`, '400'],
  ['an empty line of CR', `GET /2/a HTTP/1.1\r\n${HOST}\r\n\r${SMUGGLED}`, '400'],
  ['CR for every line break', `GET /2/a HTTP/1.1\r${HOST}\r\r${SMUGGLED}`, '400'],
  ['LF CR behind a field', `GET /2/a HTTP/1.1\r\n${HOST}\n\r\n\r${SMUGGLED}`, '400'],
  ['a bare CR in a value', request(['A: b\rc'], SMUGGLED, 'GET /2/a HTTP/1.1'), '400'],
  ['a NUL in a value', request(['A: b\0c'], SMUGGLED, 'GET /2/a HTTP/1.1'), '400'],
  ['a NUL in a name', request(['A\0: b'], SMUGGLED, 'GET /2/a HTTP/1.1'), '400'],
  ['a space in a name', request(['A b: c'], SMUGGLED, 'GET /2/a HTTP/1.1'), '400'],
  ['no name', request([': c'], SMUGGLED, 'GET /2/a HTTP/1.1'), '400'],
  ['a field without a colon', request(['A'], SMUGGLED, 'GET /2/a HTTP/1.1'), '400'],
  ['a folded field', request(['A: b', ' c'], SMUGGLED, 'GET /2/a HTTP/1.1'), '400'],
  ['a fold of a tab', request(['A: b', '\tc'], SMUGGLED, 'GET /2/a HTTP/1.1'), '400'],
  ['a line of white space only', request(['A: b', ' '], SMUGGLED, 'GET /2/a HTTP/1.1'), '400'],
  ['a delete character in a value', request(['A: b\x7fc'], SMUGGLED, 'GET /2/a HTTP/1.1'), '400'],
  ['bytes above ASCII in a name', request(['\xc3\xa4: b'], SMUGGLED, 'GET /2/a HTTP/1.1'), '400'],
  ['bytes above ASCII in a value', request(['A: \xc3\xa4'], SMUGGLED, 'GET /2/a HTTP/1.1'), 'a s'],

  // Request lines
  ['two spaces behind the method', request([], SMUGGLED, 'GET  /2/a HTTP/1.1'), '400'],
  ['two spaces before the version', request([], SMUGGLED, 'GET /2/a  HTTP/1.1'), '400'],
  ['tabs between the parts', request([], SMUGGLED, 'GET\t/2/a\tHTTP/1.1'), '400'],
  ['a space behind the version', request([], SMUGGLED, 'GET /2/a HTTP/1.1 '), '400'],
  ['a space before the method', request([], SMUGGLED, ' GET /2/a HTTP/1.1'), '400'],
  ['a space in the target', request([], SMUGGLED, 'GET /2/a /admin/s HTTP/1.1'), '400'],
  ['two versions', request([], SMUGGLED, 'GET /2/a HTTP/1.1 HTTP/1.1'), '400'],
  ['no version', `GET /2/a\r\n${SMUGGLED}`, '400'],
  ['a small http', request([], SMUGGLED, 'GET /2/a http/1.1'), '400'],
  ['HTTP/1.10', request([], SMUGGLED, 'GET /2/a HTTP/1.10'), '400'],
  ['HTTP/01.1', request([], SMUGGLED, 'GET /2/a HTTP/01.1'), '400'],
  ['HTTP/1,1', request([], SMUGGLED, 'GET /2/a HTTP/1,1'), '400'],
  ['HTTP/1.2', request([], SMUGGLED, 'GET /2/a HTTP/1.2'), '505'],
  ['HTTP/0.9', request([], SMUGGLED, 'GET /2/a HTTP/0.9'), '505'],
  ['HTTP/3.0', request([], SMUGGLED, 'GET /2/a HTTP/3.0'), '505'],
  ['a NUL in the target', request([], SMUGGLED, 'GET /2/a\0 HTTP/1.1'), '400'],
  ['a bare CR in the target', request([], SMUGGLED, 'GET /2/a\rb HTTP/1.1'), '400'],
  ['a fragment in the target', request([], SMUGGLED, 'GET /2/a#b HTTP/1.1'), '400'],
  ['empty lines before a request', `\r\n\r\n${request([], SMUGGLED, 'GET /2/a HTTP/1.1')}`, 'a s'],
  ['LFs before a request', `\n\n${request([], SMUGGLED, 'GET /2/a HTTP/1.1')}`, '400'],
  ['a CR before a request', `\r${request([], SMUGGLED, 'GET /2/a HTTP/1.1')}`, '400'],
  ['a line break behind an entity body', `${length(' 5', '12345')}\r\n${SMUGGLED}`, 'a s'],
  ['a method with a colon', request([], SMUGGLED, 'GET:x /2/a HTTP/1.1'), '400'],
  ['a response', `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n${SMUGGLED}`, '400'],

  // Hosts and paths: which process a request is for
  ['no Host', `GET /2/a HTTP/1.1\r\n\r\n${SMUGGLED}`, '400'],
  ['two Hosts', request([HOST], SMUGGLED, 'GET /2/a HTTP/1.1'), '400'],
  ['two Hosts that differ', request(['Host: other.example'], SMUGGLED, 'GET /2/a HTTP/1.1'), '400'],
  ['a Host with a space before its colon', `GET /2/a HTTP/1.1\r\nHost : localhost\r\n\r\n${SMUGGLED}`, '400'],
  ['a list of Hosts', `GET /2/a HTTP/1.1\r\nHost: localhost, other\r\n\r\n${SMUGGLED}`, '400'],
  ['a Host with a user', `GET /2/a HTTP/1.1\r\nHost: localhost@other\r\n\r\n${SMUGGLED}`, '400'],
  ['a Host with a path', `GET /2/a HTTP/1.1\r\nHost: localhost/admin/\r\n\r\n${SMUGGLED}`, '400'],
  ['an empty Host', `GET /2/a HTTP/1.1\r\nHost:\r\n\r\n${SMUGGLED}`, '400'],
  ['a folded Host', `GET /2/a HTTP/1.1\r\nHost:\r\n localhost\r\n\r\n${SMUGGLED}`, '400'],
  ['dots that lead to another process', request([], '', 'GET /2/../admin/s HTTP/1.1'), '400'],
  ['escaped dots', request([], '', 'GET /2/%2e%2e/admin/s HTTP/1.1'), '400'],
  ['an escaped slash', request([], '', 'GET /2/..%2fadmin/s HTTP/1.1'), '400'],
  ['a backslash', request([], '', 'GET /2/..\\admin/s HTTP/1.1'), '400'],
  ['two slashes', request([], '', 'GET //admin/s HTTP/1.1'), '400'],
  ['an escaped letter', request([], '', 'GET /%61dmin/s HTTP/1.1'), 's'],
  ['an absolute target with dots', request([], '', 'GET http://localhost/2/../admin/s HTTP/1.1'), '400'],
  ['an absolute target for another host', request([], '', 'GET http://other.example/admin/s HTTP/1.1'), '400'],
  ['an absolute target with a user', request([], '', 'GET http://localhost@other/admin/s HTTP/1.1'), '400'],
]
