import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FLAG_END, FRAME_BODY, FRAME_CREDIT, FRAME_DISCARD } from '../../../src/broker/protocol/frames.ts'
import { WINDOW_BYTES } from '../../../src/broker/protocol/limits.ts'
import { startBroker } from '../../support/broker-fixture.ts'
import { RawClient } from '../../support/raw-client.ts'
import { RawOwner } from '../../support/raw-owner.ts'

const LENGTH = 3 * WINDOW_BYTES

function grant(owner: RawOwner, id: number, bytes: number): void {
  const payload = Buffer.alloc(4)
  payload.writeUInt32LE(bytes, 0)
  owner.send({ type: FRAME_CREDIT, id, payload })
}

test.each([
  ['drops the rest of its body', (owner: RawOwner, id: number) => owner.send({ type: FRAME_DISCARD, id })],
  ['reads the rest of its body', (owner: RawOwner, id: number) => grant(owner, id, LENGTH)],
] as const)('an owner that answers first and then %s gets the next request of the connection', async (_what, goOn) => {
  await using fixture = await startBroker()
  using owner = await RawOwner.open(join(fixture.directory, 'private.sock'))
  const { port } = (await owner.claim('http://localhost:0/1/')) as { port: number }
  using client = await RawClient.open(port)
  for (const round of [1, 2, 3]) {
    client.write(`POST /1/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${LENGTH}\r\n\r\n`)
    const { id, body } = await owner.request()
    // All that the window lets through, so that the client is not read any more.
    client.write(Buffer.alloc(LENGTH, 'b'))
    let received = body.length
    while (received < WINDOW_BYTES) received += (await owner.body()).length
    owner.respond(id, `answer ${round}`)
    await client.until(`answer ${round}`)
    goOn(owner, id)
    let isEnd = false
    while (!isEnd) {
      const frame = await owner.next(FRAME_BODY)
      isEnd = (frame.flags & FLAG_END) !== 0
    }
  }
  expect(fixture.violations).toEqual([])
})
