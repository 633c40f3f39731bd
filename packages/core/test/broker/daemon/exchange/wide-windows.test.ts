import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { clock } from '../../../../src/broker/daemon/coarse-clock.ts'
import { ADDED_BYTES, FLOWING_BYTES, wideWindows } from '../../../../src/broker/daemon/exchange/wide-windows.ts'
import { CANCEL_RESET, FLAG_END, FRAME_BODY, FRAME_CANCEL } from '../../../../src/broker/protocol/frames.ts'
import { MAX_BODY_FRAME_BYTES, WINDOW_BYTES } from '../../../../src/broker/protocol/limits.ts'
import { startBroker } from '../../../support/broker-fixture.ts'
import { RawOwner } from '../../../support/raw-owner.ts'

const LENGTH = 2 ** 31
const piece = Buffer.alloc(MAX_BODY_FRAME_BYTES)

/** A client that reads as fast as it can, and asks for something large. */
async function ask(port: number): Promise<Socket> {
  const client = connect(port, '127.0.0.1')
  await once(client, 'connect')
  client.on('error', () => {}).resume()
  client.write('GET /1/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
  return client
}

/** Answers what is asked next until so many bytes are granted at once, or so many have been sent; returns the most that were. */
async function flow(owner: RawOwner, upTo: number, total: number): Promise<{ id: number; most: number }> {
  const { id } = await owner.request()
  // Of the responses before.
  owner.frames.length = 0
  owner.respond(id, '', LENGTH)
  let most = WINDOW_BYTES
  let sent = 0
  for (let granted = WINDOW_BYTES; most < upTo && sent < total; granted += await owner.credit()) {
    most = Math.max(most, granted)
    for (; granted >= piece.length; granted -= piece.length) {
      owner.send({ type: FRAME_BODY, id, payload: piece })
      sent += piece.length
    }
  }
  return { id, most }
}

test('a response that its client takes fast is granted a wider window, which comes back at its end', async () => {
  await using fixture = await startBroker()
  using owner = await RawOwner.open(join(fixture.directory, 'private.sock'))
  const { port } = (await owner.claim('http://localhost:0/1/')) as { port: number }
  let left = 0
  while (wideWindows.take()) left++
  wideWindows.giveBack()
  // There is one, for each of them in turn.
  for (let response = 0; response < 3; response++) {
    const client = await ask(port)
    const { id, most } = await flow(owner, ADDED_BYTES, 512 * 1024 * 1024)
    expect(most).toBeGreaterThanOrEqual(ADDED_BYTES)
    owner.send({ type: FRAME_CANCEL, flags: CANCEL_RESET, id })
    await once(client, 'close')
  }
  for (let taken = 1; taken < left; taken++) wideWindows.giveBack()
})

test('the next response of a connection that flows has a wider window soon after its beginning', async () => {
  await using fixture = await startBroker()
  using owner = await RawOwner.open(join(fixture.directory, 'private.sock'))
  const { port } = (await owner.claim('http://localhost:0/1/')) as { port: number }
  // All of it happens within one second, however busy the machine is.
  const { seconds } = clock
  Object.defineProperty(clock, 'seconds', { configurable: true, get: () => seconds, set() {} })
  try {
    const client = await ask(port)
    const { id } = await owner.request()
    owner.respond(id, '', 8 * FLOWING_BYTES)
    for (let [left, granted] = [8 * FLOWING_BYTES, WINDOW_BYTES]; left > 0;) {
      for (; granted >= piece.length && left > 0; granted -= piece.length) {
        left -= piece.length
        owner.send({ type: FRAME_BODY, flags: left === 0 ? FLAG_END : 0, id, payload: piece })
      }
      if (left > 0) granted += await owner.credit()
    }
    client.write('GET /1/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect((await flow(owner, ADDED_BYTES, FLOWING_BYTES / 2)).most).toBeGreaterThanOrEqual(ADDED_BYTES)
    client.destroy()
  } finally {
    Object.defineProperty(clock, 'seconds', { configurable: true, enumerable: true, writable: true, value: seconds })
  }
})

test('there are so many wide windows that they hold 32 MiB at most', async () => {
  await using fixture = await startBroker()
  using owner = await RawOwner.open(join(fixture.directory, 'private.sock'))
  const { port } = (await owner.claim('http://localhost:0/1/')) as { port: number }
  let taken = 0
  while (wideWindows.take()) taken++
  expect(taken * ADDED_BYTES).toBeLessThanOrEqual(32 * 1024 * 1024)
  expect(taken * ADDED_BYTES).toBeGreaterThan(30 * 1024 * 1024)
  const client = await ask(port)
  const { id, most } = await flow(owner, ADDED_BYTES, 32 * 1024 * 1024)
  expect(most).toBeLessThanOrEqual(WINDOW_BYTES)
  owner.send({ type: FRAME_BODY, flags: FLAG_END, id })
  client.destroy()
  for (; taken > 0; taken--) wideWindows.giveBack()
})
