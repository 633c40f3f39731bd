import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FrameClient,
  GOAWAY,
  HEADERS,
  PADDED,
  PING,
  PREFACE,
  PRIORITY,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
  block,
  frame,
  get,
  settings,
  u32,
} from '../../../support/http2-frames.ts'
import { Http2Site } from '../../../support/http2-site.ts'

let site: Http2Site

beforeAll(async () => {
  site = await Http2Site.open()
  await site.serve('/2/', (request, response) => {
    request.on('error', () => {})
    // What may not be passed on is not.
    const isSound = !/[\r\n\0]|(?:^|,)x[ :]|,,/.test(request.rawHeaders.join())
    request.resume().on('end', () => response.writeHead(isSound ? 200 : 500).end('ok'))
  })
  // A stream that stays open.
  await site.serve('/open/', () => {})
})
afterAll(() => site[Symbol.asyncDispose]())

const WHOLE = END_HEADERS | END_STREAM
const GET = block(...get('/2/'))
const OPEN = block(...get('/open/'))
const POST = block([':method', 'POST'], [':scheme', 'https'], [':path', '/2/'], [':authority', 'localhost'])

/** A GET with other fields. */
function fields(...list: [string, string][]): Buffer {
  return frame(HEADERS, WHOLE, 1, block(...list))
}

/** Once the site is served no request may have been lost by what a client did on its own connection. */
async function isServing(): Promise<void> {
  using other = await FrameClient.open(site.port, site.ca)
  other.send(frame(HEADERS, WHOLE, 1, GET))
  expect(await other.outcome(1)).toBe('status 200')
}

describe('what RFC 9113 lets a client do is answered', () => {
  test.each<[string, string, ...Buffer[]]>([
    ['4.1', 'frames of a type that nobody knows are ignored', frame(0xbe, 255, 0, 'x'), frame(HEADERS, WHOLE, 1, GET)],
    ['4.1', 'so is the bit in front of the stream', frame(HEADERS, WHOLE, 0x8000_0001, GET)],
    [
      '4.3',
      'a head may come in pieces',
      frame(HEADERS, END_STREAM, 1, GET.subarray(0, 5)),
      frame(CONTINUATION, 0, 1, GET.subarray(5, 20)),
      frame(CONTINUATION, END_HEADERS, 1, GET.subarray(20)),
    ],
    ['5.3', 'priorities are ignored', frame(PRIORITY, 0, 3, '\0\0\0\0\x10'), frame(HEADERS, WHOLE, 1, GET)],
    [
      '6.1',
      'a body may be padded, and empty',
      frame(HEADERS, END_HEADERS, 1, POST),
      frame(DATA, PADDED, 1, '\x02a\0\0'),
      frame(DATA, 0, 1),
      frame(DATA, END_STREAM, 1),
    ],
    [
      '6.2',
      'a head may be padded',
      frame(HEADERS, WHOLE | PADDED, 1, Buffer.concat([Buffer.from([3]), GET, Buffer.alloc(3)])),
    ],
    ['6.5', 'settings that nobody knows are ignored', settings([0x99, 1]), frame(HEADERS, WHOLE, 1, GET)],
    [
      '8.1',
      'trailers end a request',
      frame(HEADERS, END_HEADERS, 1, POST),
      frame(DATA, 0, 1, 'x'),
      frame(HEADERS, WHOLE, 1, block(['x-sum', '1'])),
    ],
    ['8.2.2', 'TE may say trailers', fields(...get('/2/', ['te', 'trailers']))],
    ['8.3.1', 'Host may stand for the authority', fields(...get('/2/').slice(0, 3), ['host', 'localhost'])],
  ])('section %s: %s', async (_section, _title, ...frames) => {
    using client = await FrameClient.open(site.port, site.ca)
    client.send(...frames)
    expect(await client.outcome(1)).toBe('status 200')
  })

  test('section 6.5.3: SETTINGS are acknowledged', async () => {
    using client = await FrameClient.open(site.port, site.ca)
    client.send(settings([4, 100_000]))
    expect(await client.next(({ type, flags }) => type === SETTINGS && flags === ACK)).toBeDefined()
  })

  test('section 6.7: PING is answered with what it carried', async () => {
    using client = await FrameClient.open(site.port, site.ca)
    client.send(frame(PING, 0, 0, '12345678'))
    const answer = await client.next(({ type }) => type === PING)
    expect(answer).toMatchObject({ flags: ACK, payload: Buffer.from('12345678') })
  })

  test('section 6.9: a response keeps to the window of its stream', async () => {
    using client = await FrameClient.open(site.port, site.ca)
    client.send(settings([4, 1]), frame(HEADERS, WHOLE, 1, GET))
    const isData = ({ type }: { type: number }): boolean => type === DATA
    expect(await client.next(isData)).toMatchObject({ flags: 0, payload: Buffer.from('o') })
    client.send(frame(WINDOW_UPDATE, 0, 1, u32(1)))
    expect(await client.next(isData)).toMatchObject({ payload: Buffer.from('k') })
  })
})

describe('what breaks the connection', () => {
  test.each<[string, string, string, ...Buffer[]]>([
    [
      '4.2',
      'a frame that is longer than allowed',
      'goaway 6',
      frame(HEADERS, END_HEADERS, 1, POST),
      frame(DATA, 0, 1, Buffer.alloc(16_385)),
    ],
    [
      '4.3',
      'a head that can not be decompressed',
      'goaway 9',
      frame(HEADERS, WHOLE, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])),
    ],
    [
      '4.3',
      'another frame within a head',
      'goaway 1',
      frame(HEADERS, 0, 1, GET.subarray(0, 5)),
      frame(PING, 0, 0, '12345678'),
    ],
    ['5.1', 'DATA on a stream that nobody opened', 'goaway 1', frame(DATA, 0, 1, 'x')],
    ['5.1', 'RST_STREAM there', 'goaway 1', frame(RST_STREAM, 0, 1, u32(8))],
    ['5.1', 'WINDOW_UPDATE there', 'goaway 1', frame(WINDOW_UPDATE, 0, 1, u32(1))],
    ['5.1', 'DATA behind the end of a request', 'goaway 5', frame(HEADERS, WHOLE, 1, OPEN), frame(DATA, 0, 1, 'x')],
    ['5.1.1', 'a stream with an even number', 'goaway 1', frame(HEADERS, WHOLE, 2, GET)],
    ['6.1', 'DATA outside a stream', 'goaway 1', frame(DATA, 0, 0, 'x')],
    [
      '6.1',
      'more padding than payload',
      'goaway 1',
      frame(HEADERS, END_HEADERS, 1, POST),
      frame(DATA, PADDED, 1, '\x09a'),
    ],
    ['6.2', 'HEADERS outside a stream', 'goaway 1', frame(HEADERS, WHOLE, 0, GET)],
    ['6.4', 'RST_STREAM outside a stream', 'goaway 1', frame(RST_STREAM, 0, 0, u32(8))],
    ['6.4', 'RST_STREAM of another length', 'goaway 6', frame(HEADERS, WHOLE, 1, OPEN), frame(RST_STREAM, 0, 1, 'xxx')],
    ['6.5', 'SETTINGS on a stream', 'goaway 1', frame(SETTINGS, 0, 1)],
    ['6.5', 'SETTINGS of another length', 'goaway 6', frame(SETTINGS, 0, 0, 'xxxxx')],
    ['6.5', 'an acknowledgement with a payload', 'goaway 6', frame(SETTINGS, ACK, 0, 'xxxxxx')],
    ['6.5.2', 'ENABLE_PUSH that is neither 0 nor 1', 'goaway 1', settings([2, 2])],
    ['6.5.2', 'INITIAL_WINDOW_SIZE above 2^31 - 1', 'goaway 3', settings([4, 0x8000_0000])],
    ['6.5.2', 'MAX_FRAME_SIZE below 2^14', 'goaway 1', settings([5, 16_383])],
    [
      '6.6',
      'PUSH_PROMISE of a client',
      'goaway 1',
      frame(HEADERS, END_HEADERS, 1, POST),
      frame(PUSH_PROMISE, END_HEADERS, 1, Buffer.concat([u32(2), GET])),
    ],
    ['6.7', 'PING on a stream', 'goaway 1', frame(PING, 0, 1, '12345678')],
    ['6.7', 'PING of another length', 'goaway 6', frame(PING, 0, 0, '1234567')],
    ['6.8', 'GOAWAY on a stream', 'goaway 1', frame(GOAWAY, 0, 1, Buffer.alloc(8))],
    ['6.9', 'WINDOW_UPDATE of nothing', 'goaway 1', frame(WINDOW_UPDATE, 0, 0, u32(0))],
    ['6.9', 'WINDOW_UPDATE of another length', 'goaway 6', frame(WINDOW_UPDATE, 0, 0, 'xxx')],
    ['6.9.1', 'a window above 2^31 - 1', 'goaway 3', frame(WINDOW_UPDATE, 0, 0, u32(0x7fff_ffff))],
    ['6.10', 'CONTINUATION of nothing', 'goaway 1', frame(CONTINUATION, END_HEADERS, 1, GET)],
  ])('section %s: %s', async (_section, _title, outcome, ...frames) => {
    using client = await FrameClient.open(site.port, site.ca)
    client.send(...frames)
    expect(await client.outcome(1)).toBe(outcome)
    await isServing()
  })

  test('section 3.4: another preface', async () => {
    using client = await FrameClient.connect(site.port, site.ca)
    client.send(Buffer.from('GET /2/ HTTP/1.1\r\nHost: localhost\r\n\r\n'))
    await isServing()
  })

  test('section 5.1.1: a stream that is older than the last is not answered', async () => {
    using client = await FrameClient.open(site.port, site.ca)
    client.send(frame(HEADERS, WHOLE, 5, OPEN), frame(HEADERS, WHOLE, 3, GET), frame(HEADERS, WHOLE, 7, GET))
    // nghttp2 takes it for one that has been closed, instead of ending the connection.
    expect(await client.outcome(7)).toBe('status 200')
    expect(client.frames.some(({ stream }) => stream === 3)).toBe(false)
  })
})

describe('what breaks one stream', () => {
  test.each<[string, string, RegExp, ...Buffer[]]>([
    [
      '5.3',
      'PRIORITY of another length',
      /^(?:reset|goaway) 6$/,
      frame(HEADERS, END_HEADERS, 1, POST),
      frame(PRIORITY, 0, 1, 'xxxx'),
      frame(DATA, END_STREAM, 1),
    ],
    [
      '6.9',
      'WINDOW_UPDATE of nothing',
      /^(?:reset|goaway) 1$/,
      frame(HEADERS, WHOLE, 1, OPEN),
      frame(WINDOW_UPDATE, 0, 1, u32(0)),
    ],
    [
      '6.9.1',
      'a window above 2^31 - 1',
      /^(?:reset|goaway) 3$/,
      frame(HEADERS, WHOLE, 1, OPEN),
      frame(WINDOW_UPDATE, 0, 1, u32(0x7fff_ffff)),
    ],
    [
      '8.1.1',
      'a body shorter than its Content-Length',
      /^reset 1$/,
      frame(HEADERS, END_HEADERS, 1, Buffer.concat([POST, block(['content-length', '3'])])),
      frame(DATA, END_STREAM, 1, 'x'),
    ],
    [
      '8.1.1',
      'a longer one',
      // The nghttp2 of Node 24 and newer ends the connection.
      /^(?:reset|goaway) 1$/,
      frame(HEADERS, END_HEADERS, 1, Buffer.concat([POST, block(['content-length', '1'])])),
      frame(DATA, END_STREAM, 1, 'xy'),
    ],
    ['8.1.1', 'a Content-Length without a body', /^reset 1$/, fields(...get('/2/', ['content-length', '3']))],
    [
      '8.1',
      'trailers that do not end the request',
      /^reset 1$/,
      frame(HEADERS, END_HEADERS, 1, POST),
      frame(HEADERS, END_HEADERS, 1, block(['x', 'y'])),
    ],
    [
      '8.1',
      'trailers with pseudo-header fields',
      /^reset 1$/,
      frame(HEADERS, END_HEADERS, 1, POST),
      frame(HEADERS, WHOLE, 1, block([':path', '/3/'])),
    ],
    ['8.2', 'a name in upper case', /^reset 1$/, fields(...get('/2/', ['X-Upper', '1']))],
    ['8.2', 'a name with a colon', /^reset 1$|^status 200$/, fields(...get('/2/', ['x:y', '1']))],
    ['8.2', 'a name with a space', /^reset 1$|^status 200$/, fields(...get('/2/', ['x y', '1']))],
    ['8.2', 'an empty name', /^reset 1$|^status 200$/, fields(...get('/2/', ['', '1']))],
    ['8.2.1', 'a line break in a value', /^reset 1$|^status [24]00$/, fields(...get('/2/', ['x', 'a\r\nhost: other']))],
    ['8.2.1', 'a lone LF', /^reset 1$|^status [24]00$/, fields(...get('/2/', ['x', 'a\nb']))],
    ['8.2.1', 'NUL', /^reset 1$|^status [24]00$/, fields(...get('/2/', ['x', 'a\0b']))],
    ['8.2.2', 'Connection', /^reset 1$/, fields(...get('/2/', ['connection', 'close']))],
    ['8.2.2', 'Transfer-Encoding', /^reset 1$/, fields(...get('/2/', ['transfer-encoding', 'chunked']))],
    ['8.2.2', 'Upgrade', /^reset 1$/, fields(...get('/2/', ['upgrade', 'websocket']))],
    ['8.2.2', 'Keep-Alive', /^reset 1$/, fields(...get('/2/', ['keep-alive', 'timeout=5']))],
    ['8.2.2', 'TE of anything else', /^reset 1$/, fields(...get('/2/', ['te', 'gzip']))],
    ['8.3', 'a pseudo-header field behind others', /^reset 1$/, fields(...get('/2/', ['x', 'y'], [':path', '/3/']))],
    [
      '8.3',
      'one that nobody knows',
      /^reset 1$/,
      fields(...get('/2/').slice(0, 3), [':target', '/3/'], [':authority', 'localhost']),
    ],
    ['8.3', 'one of responses', /^reset 1$/, fields([':status', '200'], ...get('/2/'))],
    ['8.3.1', 'two of a kind', /^reset 1$/, fields([':path', '/3/'], ...get('/2/'))],
    ['8.3.1', 'no method', /^reset 1$/, fields(...get('/2/').slice(1))],
    ['8.3.1', 'no scheme', /^reset 1$/, fields(get('/2/')[0]!, ...get('/2/').slice(2))],
    ['8.3.1', 'no path', /^reset 1$/, fields(...get('/2/').slice(0, 2), [':authority', 'localhost'])],
    ['8.3.1', 'an empty path', /^reset 1$/, fields(...get(''))],
    [
      '8.3.1',
      'a path that does not begin with a slash',
      /^reset 1$|^status 400$/,
      fields(...get('https://localhost/2/')),
    ],
    ['8.3.1', 'a path with a space', /^reset 1$|^status 400$/, fields(...get('/2/ HTTP/1.1'))],
    ['8.3.1', 'a path with a line break', /^reset 1$|^status 400$/, fields(...get('/2/\r\nx: y'))],
    [
      '8.3.1',
      'a method with a space',
      /^reset 1$|^status 400$/,
      fields([':method', 'GET /3/'], ...get('/2/').slice(1)),
    ],
    ['8.3.1', 'neither authority nor Host', /^reset 1$|^status 400$/, fields(...get('/2/').slice(0, 3))],
    [
      '8.3.1',
      'two Host fields',
      /^reset 1$|^status 400$/,
      fields(...get('/2/').slice(0, 3), ['host', 'localhost'], ['host', 'other']),
    ],
    ['8.5', 'CONNECT', /^status 501$/, fields([':method', 'CONNECT'], [':authority', 'localhost:80'])],
    ['8.5', 'CONNECT with a path', /^reset 1$/, fields([':method', 'CONNECT'], ...get('/2/').slice(1))],
  ])('section %s: %s', async (_section, _title, outcome, ...frames) => {
    using client = await FrameClient.open(site.port, site.ca)
    client.send(...frames)
    expect(await client.outcome(1)).toMatch(outcome)
    if (outcome.source.includes('goaway')) return
    client.send(frame(HEADERS, WHOLE, 3, GET))
    expect(await client.outcome(3)).toBe('status 200')
  })

  test('section 5.1.2: more streams than the server allows at once', async () => {
    using client = await FrameClient.open(site.port, site.ca)
    for (let id = 1; id <= 203; id += 2) client.send(frame(HEADERS, WHOLE, id, OPEN))
    // nghttp2 ends the connection of a client that knows the limit.
    expect(await client.outcome(203)).toMatch(/^(?:reset 7|goaway 1|closed)$/)
    await isServing()
  })
})

test('the preface may come byte by byte', async () => {
  using client = await FrameClient.connect(site.port, site.ca)
  client.socket.setNoDelay(true)
  for (const byte of Buffer.concat([Buffer.from(PREFACE), frame(SETTINGS, 0, 0), frame(HEADERS, WHOLE, 1, GET)])) {
    client.send(Buffer.from([byte]))
  }
  expect(await client.outcome(1)).toBe('status 200')
})
