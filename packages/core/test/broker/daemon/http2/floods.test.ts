import { expect, test } from 'vitest'
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FrameClient,
  GOAWAY,
  HEADERS,
  PING,
  PRIORITY,
  RST_STREAM,
  WINDOW_UPDATE,
  block,
  frame,
  get,
  settings,
  u32,
} from '../../../support/http2-frames.ts'
import { Http2Site } from '../../../support/http2-site.ts'

const WHOLE = END_HEADERS | END_STREAM
const OPEN = block(...get('/open/'))
const LONG = block(...get('/open/', ['content-length', '3']))

async function openSite(): Promise<Http2Site> {
  const site = await Http2Site.open()
  await site.serve('/open/', (request) => void request.on('error', () => {}))
  await site.serve('/2/', (_request, response) => response.end('ok'))
  return site
}

/** Sends what the function makes until the server has had enough; returns the code of its GOAWAY, -1 without one. */
async function flood(client: FrameClient, make: (round: number) => Buffer[], maxRounds = 2000): Promise<number> {
  for (let round = 0; round < maxRounds && !client.isClosed; round++) {
    client.send(...make(round))
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const goaway = await client.next(({ type }) => type === GOAWAY)
  return goaway === undefined ? -1 : goaway.payload.readUInt32BE(4)
}

/** A hundred times the same frame. */
function many(bytes: Buffer): Buffer[] {
  return Array.from({ length: 100 }, () => bytes)
}

/** The nghttp2 of Node 24 and newer notices by itself. */
const BY_EITHER = /^HTTP2_(?:Flood|Connection)$/

test.each<[string, string | RegExp, (round: number) => Buffer[]]>([
  [
    'streams that are reset as soon as they are opened',
    'HTTP2_Resets',
    (round) => {
      const first = 1 + round * 20
      const ids = Array.from({ length: 10 }, (_, index) => first + index * 2)
      return ids.flatMap((id) => [frame(HEADERS, WHOLE, id, OPEN), frame(RST_STREAM, 0, id, u32(8))])
    },
  ],
  [
    'requests that the server has to reset',
    'HTTP2_Resets',
    (round) => {
      const first = 1 + round * 20
      const ids = Array.from({ length: 10 }, (_, index) => first + index * 2)
      // Their bodies are not as long as they say.
      return ids.flatMap((id) => [frame(HEADERS, END_HEADERS, id, LONG), frame(DATA, END_STREAM, id, 'x')])
    },
  ],
  ['PING', 'HTTP2_Flood', () => many(frame(PING, 0, 0, '12345678'))],
  ['SETTINGS', 'HTTP2_Flood', () => many(settings([4, 65_535]))],
  ['PRIORITY', BY_EITHER, () => many(frame(PRIORITY, 0, 1, '\0\0\0\0\x10'))],
  ['WINDOW_UPDATE', 'HTTP2_Flood', () => many(frame(WINDOW_UPDATE, 0, 0, u32(1)))],
  ['frames that nobody knows', BY_EITHER, () => many(frame(0xbe, 0, 0, Buffer.alloc(100)))],
  [
    'DATA with nothing in it',
    'HTTP2_Connection',
    (round) => [...(round === 0 ? [frame(HEADERS, END_HEADERS, 1, OPEN)] : []), ...many(frame(DATA, 0, 1))],
  ],
])(
  'a flood of %s ends the connection, and nobody else notices',
  async (_name, reason, make) => {
    await using site = await openSite()
    const other = await site.client()
    using client = await FrameClient.open(site.port, site.ca)
    // 2 is node:http2's own; the reset of a connection that is full may overtake GOAWAY.
    expect(await flood(client, make)).toBeOneOf([11, 2, -1])
    const { reasons } = site.fixture.broker.status()
    expect(Object.entries(reasons)).toEqual([[expect.stringMatching(reason), 1]])
    expect((await other.fetch({ ':path': '/2/' })).text).toBe('ok')
  },
  20_000,
)

test('CONTINUATION without end is cut off', async () => {
  await using site = await openSite()
  using client = await FrameClient.open(site.port, site.ca)
  client.send(frame(HEADERS, END_STREAM, 1, OPEN))
  const piece = block(['x', 'y'.repeat(1000)])
  expect(await flood(client, () => [frame(CONTINUATION, 0, 1, piece)])).not.toBe(0)
  expect(client.isClosed).toBe(true)
  const other = await site.client()
  expect((await other.fetch({ ':path': '/2/' })).text).toBe('ok')
})

test('a small head that unpacks into a large one is refused, and the next request is served', async () => {
  await using site = await openSite()
  using client = await FrameClient.open(site.port, site.ca)
  // One field of four kilobytes goes into the table, and is named a thousand times with one byte each.
  const entry = Buffer.concat([Buffer.from([0x40]), block(['bomb', 'b'.repeat(3900)]).subarray(1)])
  const bomb = Buffer.concat([block(...get('/2/')), entry, Buffer.alloc(1000, 0x80 | 62)])
  client.send(frame(HEADERS, WHOLE, 1, bomb))
  expect(await client.outcome(1)).toBe('reset 11')
  client.send(frame(HEADERS, WHOLE, 3, block(...get('/2/'))))
  expect(await client.outcome(3)).toBe('status 200')
})

test('what browsers do in a hurry is no flood', async () => {
  await using site = await openSite()
  const client = await site.client()
  for (let page = 0; page < 2; page++) {
    const streams = Array.from({ length: 90 }, () => client.begin({ ':path': '/open/' }))
    await expect.poll(() => site.fixture.broker.status().queues[0]!.requests).toBe((page + 1) * 90)
    for (const { stream } of streams) stream.close(8)
    await Promise.all(streams.map((stream) => stream.closed))
  }
  const upload = await client.fetch({ ':method': 'POST', ':path': '/2/' }, Buffer.alloc(3_000_000))
  expect(upload.text).toBe('ok')
  expect((await client.fetch({ ':path': '/2/' })).text).toBe('ok')
  expect(site.fixture.broker.status().reasons).toEqual({})
})

test('a client that breaks the protocol with a request under way does not keep it for ever', async () => {
  await using site = await Http2Site.open({ limits: { idleConnectionTimeout: 1000 } })
  let hasLeft = false
  await site.serve('/2/', (_request, response) => void response.on('close', () => (hasLeft = true)))
  using client = await FrameClient.open(site.port, site.ca)
  client.send(frame(HEADERS, WHOLE, 1, block(...get('/2/'))))
  await expect.poll(() => site.fixture.broker.status().queues[0]!.requests).toBe(1)
  client.send(frame(PING, 0, 0, 'wrong length'))
  await client.next(({ type }) => type === GOAWAY)
  await expect.poll(() => hasLeft, { timeout: 10_000 }).toBe(true)
  await expect.poll(() => site.fixture.broker.status().connections).toBe(0)
})

test('a request that takes long is not taken for a client that has gone', async () => {
  await using site = await Http2Site.open({ limits: { idleConnectionTimeout: 1000 } })
  let answer = (): void => {}
  await site.serve('/2/', (_request, response) => {
    answer = () => response.end('at last')
  })
  const client = await site.client()
  let pings = 0
  client.session.on('ping', () => pings++)
  const response = client.begin({ ':path': '/2/' })
  await expect.poll(() => pings, { timeout: 15_000 }).toBe(2)
  answer()
  await response.closed
  expect(response.text).toBe('at last')
}, 20_000)
