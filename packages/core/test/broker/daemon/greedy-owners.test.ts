import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { encodeHello } from '../../../src/broker/protocol/hello.ts'
import {
  FRAME_CREDIT,
  FRAME_FLUSH,
  FRAME_HELLO,
  FRAME_RELEASE,
  FRAME_STATUS,
} from '../../../src/broker/protocol/frames.ts'
import { startBroker } from '../../support/broker-fixture.ts'
import type { BrokerFixture } from '../../support/broker-fixture.ts'
import { encodeFrame } from '../../support/frames.ts'
import { RawClient } from '../../support/raw-client.ts'
import { RawOwner } from '../../support/raw-owner.ts'

const NOTHING = Buffer.alloc(0)

function queuedFor(fixture: BrokerFixture): number {
  return Math.max(
    0,
    ...fixture.broker.status().queues.flatMap(({ owners }) => owners.map((owner) => owner.queuedBytes)),
  )
}

test.each([
  ['the status', FRAME_STATUS],
  ['claims that it does not have to be released', FRAME_RELEASE],
  ['the cache to be flushed', FRAME_FLUSH],
])('a process that asks for %s and does not read the answers is cut off', async (_what, type) => {
  await using fixture = await startBroker()
  const socket = connect(join(fixture.directory, 'private.sock'))
  socket.on('error', () => {})
  socket.pause()
  const payload = Buffer.from(encodeHello(process.pid))
  socket.write(encodeFrame({ type: FRAME_HELLO, flags: 0, aux: 0, id: 0, payload }))
  const question = encodeFrame({ type, flags: 0, aux: 0, id: 7, payload: NOTHING })
  const questions = Buffer.concat(Array.from({ length: 10_000 }, () => question))
  let isOver = false
  socket.once('close', () => (isOver = true))
  const ask = (): void => {
    while (!isOver && socket.write(questions));
  }
  socket.on('drain', ask)
  ask()
  await expect.poll(() => fixture.violations.length, { timeout: 60_000 }).toBe(1)
  expect(String(fixture.violations[0])).toMatch(/does not read what it asks for/)
  expect(fixture.broker.status().reasons).toEqual({ Peer_Violation: 1 })
  socket.destroy()
})

test('an owner that grants more than it reads makes the broker hold no more of a body than any other', async () => {
  await using fixture = await startBroker()
  using owner = await RawOwner.open(join(fixture.directory, 'private.sock'))
  const { port } = (await owner.claim('http://localhost:0/1/')) as { port: number }
  using client = await RawClient.open(port)
  client.write('POST /1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n')
  const { id } = await owner.request()
  owner.stop()
  const credit = Buffer.alloc(4)
  credit.writeUInt32LE(0xffff_ffff)
  const piece = Buffer.alloc(64 * 1024)
  let sent = 0
  let most = 0
  // Until the client can send no more, for a while.
  for (let still = 0; still < 20;) {
    owner.send({ type: FRAME_CREDIT, id, payload: credit })
    const isStopped = client.socket.writableLength > 1024 * 1024
    if (!isStopped) {
      client.socket.write(piece)
      sent += piece.length
    }
    still = isStopped ? still + 1 : 0
    await new Promise((resolve) => setTimeout(resolve, isStopped ? 20 : 0))
    most = Math.max(most, queuedFor(fixture))
    if (sent > 256 * 1024 * 1024) break
  }
  expect(most).toBeLessThan(2 * 1024 * 1024)
  // It goes on when the owner reads.
  owner.resume()
  const before = client.socket.bytesWritten - client.socket.writableLength
  await expect.poll(() => client.socket.bytesWritten - client.socket.writableLength).toBeGreaterThan(before)
})
