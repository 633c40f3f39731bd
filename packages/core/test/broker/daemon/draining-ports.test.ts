import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  CLOSE_IDLE_END,
  FRAME_CLOSE_IDLE,
  FRAME_CONNECTION,
  FRAME_CONNECTION_CLOSED,
  FRAME_RELEASE,
  FRAME_RELEASED,
} from '../../../src/broker/protocol/frames.ts'
import { startBroker } from '../../support/broker-fixture.ts'
import type { BrokerFixture } from '../../support/broker-fixture.ts'
import { RawClient } from '../../support/raw-client.ts'
import { PRIVATE, RawOwner } from '../../support/raw-owner.ts'

const REQUEST = 'GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n'

let fixture: BrokerFixture
const owners: RawOwner[] = []

beforeEach(async () => {
  fixture = await startBroker()
})
afterEach(async () => {
  for (const owner of owners.splice(0)) owner.die()
  expect(fixture.violations).toEqual([])
  await fixture.close()
})

/** An owner that has a port to itself. */
async function openOwner(wanted = 0): Promise<{ owner: RawOwner; id: number; port: number }> {
  const owner = await RawOwner.open(join(fixture.directory, 'private.sock'))
  owners.push(owner)
  const claimed = await owner.claim(`http://localhost:${wanted}/`, { privatePort: PRIVATE })
  if (claimed === 'revoked') throw new Error('the claim was revoked')
  return { owner, ...claimed }
}

/** A client that has been answered, and may ask again. */
async function openClient(owner: RawOwner, port: number): Promise<RawClient> {
  const client = await RawClient.open(port)
  await ask(client, owner)
  return client
}

async function ask(client: RawClient, owner: RawOwner): Promise<void> {
  const before = client.text.split('<mine>').length
  client.write(REQUEST)
  owner.respond((await owner.request()).id, '<mine>')
  await client.until('<mine>', before)
}

async function refusalOf(port: number): Promise<string | undefined> {
  const [error] = (await once(connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException]
  return error.code
}

function hasReleased(owner: RawOwner): boolean {
  return owner.frames.some(({ type }) => type === FRAME_RELEASED)
}

test('an owner that releases its own port gets what its clients ask until the last has gone', async () => {
  const { owner, id, port } = await openOwner()
  using first = await openClient(owner, port)
  using second = await openClient(owner, port)
  owner.send({ type: FRAME_RELEASE, id })
  await expect.poll(() => fixture.broker.status().ports).toEqual([])
  expect(await refusalOf(port)).toBe('ECONNREFUSED')
  await ask(first, owner)
  first.socket.end()
  await first.untilEnd()
  await ask(second, owner)
  expect(hasReleased(owner)).toBe(false)
  second.socket.destroy()
  await owner.next(FRAME_RELEASED)
})

test('a port without clients is released at once', async () => {
  const { owner, id } = await openOwner()
  await owner.release(id)
  expect(fixture.broker.status().queues).toEqual([])
})

test('clients of an owner that dies after it has released its port are closed', async () => {
  const { owner, id, port } = await openOwner()
  using idle = await openClient(owner, port)
  using busy = await openClient(owner, port)
  owner.send({ type: FRAME_RELEASE, id })
  busy.write(REQUEST)
  await owner.request()
  owner.die()
  await idle.untilEnd()
  expect(await busy.untilEnd()).toMatch(/HTTP\/1\.1 502 /)
})

test('clients of an owner that dies with its port are closed', async () => {
  const { owner, port } = await openOwner()
  using idle = await openClient(owner, port)
  owner.die()
  await idle.untilEnd()
})

test('clients stay with their owner when the port is another’s, and when that has given it back', async () => {
  const { owner, id, port } = await openOwner()
  using client = await openClient(owner, port)
  owner.send({ type: FRAME_RELEASE, id })
  await expect.poll(() => fixture.broker.status().ports).toEqual([])
  const next = await openOwner(port)
  using other = await openClient(next.owner, port)
  await ask(client, owner)
  next.owner.send({ type: FRAME_RELEASE, id: next.id })
  await ask(client, owner)
  await ask(other, next.owner)
  other.socket.destroy()
  await next.owner.next(FRAME_RELEASED)
  await ask(client, owner)
  client.socket.destroy()
  await owner.next(FRAME_RELEASED)
})

test('an owner that closes an idle connection is told at once, whenever the client closes its side', async () => {
  const { owner, port } = await openOwner()
  using client = await openClient(owner, port)
  const { id } = await owner.next(FRAME_CONNECTION)
  owner.send({ type: FRAME_CLOSE_IDLE, id })
  // Something that is answered behind it.
  owner.send({ type: FRAME_RELEASE, id: 99 })
  await owner.next(FRAME_RELEASED)
  expect(owner.frames).toContainEqual(expect.objectContaining({ type: FRAME_CONNECTION_CLOSED, id }))
  await client.untilEnd()
})

test('an owner may end a connection with half a head, and one with a response under way after it', async () => {
  const { owner, id, port } = await openOwner()
  using half = await RawClient.open(port)
  half.write(REQUEST + REQUEST.slice(0, 9))
  const halfId = (await owner.next(FRAME_CONNECTION)).id
  owner.respond((await owner.request()).id, '<mine>')
  await half.until('<mine>')
  using busy = await RawClient.open(port)
  busy.write(REQUEST)
  const busyId = (await owner.next(FRAME_CONNECTION)).id
  const request = await owner.request()
  owner.send({ type: FRAME_CLOSE_IDLE, id: halfId })
  half.write(REQUEST.slice(9))
  owner.respond((await owner.request()).id, '<second>')
  await half.until('<second>')
  half.write(REQUEST.slice(0, 9))
  for (const connection of [halfId, busyId]) {
    owner.send({ type: FRAME_CLOSE_IDLE, flags: CLOSE_IDLE_END, id: connection })
  }
  await half.untilEnd()
  owner.respond(request.id, '<last>')
  expect(await busy.untilEnd()).toMatch(/<last>$/)
  await owner.release(id)
})
