import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  DISCONNECT_END,
  DISCONNECT_RESET,
  FRAME_BODY,
  FRAME_CREDIT,
  FRAME_DISCARD,
  FRAME_DISCONNECT,
  FRAME_INFORMATIONAL,
  FRAME_REQUEST,
} from '../../../../src/broker/protocol/frames.ts'
import { WINDOW_BYTES } from '../../../../src/broker/protocol/limits.ts'
import { RESTING_SLOTS } from '../../../../src/broker/daemon/slot-table.ts'
import { startBroker } from '../../../support/broker-fixture.ts'
import type { BrokerFixture } from '../../../support/broker-fixture.ts'
import { RawClient } from '../../../support/raw-client.ts'
import { PRIVATE, RawOwner } from '../../../support/raw-owner.ts'

const REQUEST = 'GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n'

interface Site extends Disposable {
  readonly owner: RawOwner
  readonly client: RawClient
}

async function open(fixture: BrokerFixture): Promise<Site> {
  const owner = await RawOwner.open(join(fixture.directory, 'private.sock'))
  const { port } = (await owner.claim('http://localhost:0/', { privatePort: PRIVATE })) as { port: number }
  const client = await RawClient.open(port)
  return {
    owner,
    client,
    [Symbol.dispose]() {
      owner[Symbol.dispose]()
      client[Symbol.dispose]()
    },
  }
}

/** Sends several requests at once and returns the ids under which the owner got them. */
async function pipeline({ client, owner }: Site, count: number): Promise<number[]> {
  client.write(REQUEST.repeat(count))
  const ids: number[] = []
  while (ids.length < count) ids.push((await owner.request()).id)
  return ids
}

test.each([
  ['a response', (owner: RawOwner, id: number) => owner.respond(id, 'forged')],
  ['a beginning of one', (owner: RawOwner, id: number) => owner.respond(id, 'forged', 10)],
  [
    'an informational response',
    (owner: RawOwner, id: number) => owner.send({ type: FRAME_INFORMATIONAL, aux: 103, id }),
  ],
])('an owner that sends %s out of turn is cut off, and nothing of it gets through', async (_what, send) => {
  await using fixture = await startBroker()
  using site = await open(fixture)
  const [first, second] = await pipeline(site, 2)
  site.owner.respond(first!, '<a>', 10)
  await site.client.until('<a>')
  send(site.owner, second!)
  expect(await site.client.untilEnd()).toMatch(/\r\n\r\n<a>$/)
  await expect.poll(() => fixture.violations.map(String)).toEqual([expect.stringMatching(/a response before that/)])
})

test('requests whose owner dies are answered with 502, each in its turn', async () => {
  await using fixture = await startBroker()
  using site = await open(fixture)
  await pipeline(site, 3)
  site.owner.die()
  const text = await site.client.untilEnd()
  expect(text.match(/^HTTP\/1\.1 \d+/gm)).toEqual(['HTTP/1.1 502', 'HTTP/1.1 502', 'HTTP/1.1 502'])
})

test('a response that breaks off with its owner is followed by nothing', async () => {
  await using fixture = await startBroker()
  using site = await open(fixture)
  const [first] = await pipeline(site, 3)
  site.owner.respond(first!, '<a>', 10)
  await site.client.until('<a>')
  site.owner.die()
  expect(await site.client.untilEnd()).toMatch(/\r\n\r\n<a>$/)
})

test('it is not, either, when its exchange is the last of the owner to be ended', async () => {
  await using fixture = await startBroker()
  using site = await open(fixture)
  const { owner, client } = site
  using other = await RawClient.open(client.socket.remotePort!)
  // So many freed places rest; the next one that is freed is given out again at once.
  for (let count = 0; count <= RESTING_SLOTS; count++) {
    other.write(REQUEST)
    const { id } = await owner.request()
    if (count === RESTING_SLOTS) await pipeline(site, 1).then(([first]) => owner.respond(first!, '<a>', 10))
    owner.respond(id, `<${count}>`)
    await other.until(`<${count}>`)
  }
  const [second] = await pipeline(site, 1)
  expect(second! % 2 ** 20).toBe(0)
  await client.until('<a>')
  owner.die()
  expect(await client.untilEnd()).toMatch(/\r\n\r\n<a>$/)
})

test('an owner gets 32 requests of a connection at once, and another one for each that it has answered', async () => {
  await using fixture = await startBroker()
  using site = await open(fixture)
  const { owner, client } = site
  client.write(REQUEST.repeat(34))
  const ids: number[] = []
  while (ids.length < 32) ids.push((await owner.request()).id)
  owner.respond(ids[0]!, '<0>')
  ids.push((await owner.request()).id)
  expect(owner.frames.filter(({ type }) => type === FRAME_REQUEST)).toEqual([])
  for (const id of ids.slice(1)) owner.respond(id, `<${ids.indexOf(id)}>`)
  owner.respond((await owner.request()).id, '<33>')
  await client.until('<33>')
  expect([...client.text.matchAll(/<(\d+)>/g)].map((match) => Number(match[1]))).toEqual(
    Array.from({ length: 34 }).map((_, i) => i),
  )
})

test.each([
  ['a request of an unknown method', 'SPAM /x HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['a request that waits for 100', 'GET /x HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\r\n'],
  ['an upgrade', 'GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'],
  ['CONNECT', 'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
])('%s waits for its turn in the connection, with what is behind it', async (_what, text) => {
  await using fixture = await startBroker()
  using site = await open(fixture)
  const { owner, client } = site
  client.write(REQUEST + text + REQUEST)
  const { id } = await owner.request()
  // Time for what must not come: a further connection with a request of its own.
  using other = await RawClient.open(client.socket.remotePort!)
  other.write(REQUEST.replace('/x', '/other'))
  expect((await owner.request()).head).toMatch(/\/other/)
  owner.respond(id, '<a>')
  const next = await owner.request()
  expect(next.head + next.body).toBe(text)
})

test('requests on a shared port are handed over one after the other', async () => {
  await using fixture = await startBroker()
  using owner = await RawOwner.open(join(fixture.directory, 'private.sock'))
  const { port } = (await owner.claim('http://localhost:0/')) as { port: number }
  using client = await RawClient.open(port)
  client.write(REQUEST + REQUEST)
  const { id } = await owner.request()
  using other = await RawClient.open(port)
  other.write(REQUEST.replace('/x', '/other'))
  expect((await owner.request()).head).toMatch(/\/other/)
  owner.respond(id, '<a>')
  expect((await owner.request()).head).toBe(REQUEST)
})

test.each([
  ['ends its side', (client: RawClient) => client.socket.end(), DISCONNECT_END],
  ['resets the connection', (client: RawClient) => client.socket.resetAndDestroy(), DISCONNECT_RESET],
])('that a client %s is told for every request under way', async (_what, leave, kind) => {
  await using fixture = await startBroker()
  using site = await open(fixture)
  const ids = await pipeline(site, 3)
  leave(site.client)
  const told = [
    await site.owner.next(FRAME_DISCONNECT),
    await site.owner.next(FRAME_DISCONNECT),
    await site.owner.next(FRAME_DISCONNECT),
  ]
  expect(told.map(({ id, aux }) => [id, aux])).toEqual(ids.map((id) => [id, kind]))
})

test('a client that has ended its side gets all answers, and then the end', async () => {
  await using fixture = await startBroker()
  using site = await open(fixture)
  const ids = await pipeline(site, 3)
  site.client.socket.end()
  await site.owner.next(FRAME_DISCONNECT)
  for (const id of ids) site.owner.respond(id, `<${ids.indexOf(id)}>`)
  const text = await site.client.untilEnd()
  expect(text.match(/<\d>/g)).toEqual(['<0>', '<1>', '<2>'])
  expect(text.match(/^Connection: [\w-]+/gm)).toEqual([
    'Connection: keep-alive',
    'Connection: keep-alive',
    'Connection: close',
  ])
})

test('the body of a request that waits for its turn stays within its window, whatever becomes of the one before', async () => {
  await using fixture = await startBroker()
  using site = await open(fixture)
  const { owner, client } = site
  client.write(`${REQUEST}PUT /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n`)
  const [first, second] = [await owner.request(), await owner.request()]
  client.write('b'.repeat(1_000_000))
  let received = 0
  const receive = async (): Promise<void> => {
    received += (await owner.body()).length
  }
  while (received < WINDOW_BYTES) await receive()
  // Signs of life of the first exchange are none of the second one's.
  for (let round = 0; round < 4; round++) {
    owner.send({ type: FRAME_DISCARD, id: first.id })
    using other = await RawClient.open(client.socket.remotePort!)
    other.write(REQUEST.replace('/x', '/other'))
    expect((await owner.request()).head).toMatch(/\/other/)
    while (owner.frames.some(({ type }) => type === FRAME_BODY)) await receive()
  }
  expect(received).toBeLessThanOrEqual(WINDOW_BYTES + 64 * 1024)
  owner.respond(first.id, '<a>')
  await client.until('<a>')
  const credit = Buffer.alloc(4)
  credit.writeUInt32LE(1_000_000)
  owner.send({ type: FRAME_CREDIT, id: second.id, payload: credit })
  while (received < 1_000_000) await receive()
  owner.respond(second.id, '<b>')
  await client.until('<b>')
})

test('a body that can not be read breaks the connection while earlier requests are under way', async () => {
  await using fixture = await startBroker()
  using site = await open(fixture)
  const { owner, client } = site
  client.write(`${REQUEST}PUT /b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nno chunk`)
  const ids = [(await owner.request()).id, (await owner.request()).id]
  const told = [await owner.next(FRAME_DISCONNECT), await owner.next(FRAME_DISCONNECT)]
  expect(told.map(({ id, aux }) => [id, aux])).toEqual(ids.map((id) => [id, DISCONNECT_RESET]))
  expect(await client.untilEnd()).toBe('')
})
