import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startBroker } from '../../support/broker-fixture.ts'
import { RawClient } from '../../support/raw-client.ts'
import { RawOwner } from '../../support/raw-owner.ts'
import { FRAME_BODY } from '../../../src/broker/protocol/frames.ts'
import type { Delivery } from '../../../src/broker/rings/delivery.ts'
import { hasSharedMemory } from '../../../src/sockets/shared-memory.ts'
import { checkHostilePeers } from './hostile-peers.ts'

const deliveries: Delivery[] = hasSharedMemory() ? ['sockets', 'rings'] : ['sockets']

test.each(deliveries)('a process that speaks the protocol badly over %s costs nobody else anything', (delivery) =>
  checkHostilePeers({ numRuns: 400 }, delivery),
)

test.each(deliveries)(
  'a process that sends more of a body over %s than it was granted is cut off',
  async (delivery) => {
    await using fixture = await startBroker()
    using owner = await RawOwner.open(join(fixture.directory, 'private.sock'), delivery)
    const { port } = (await owner.claim('http://localhost:0/')) as { port: number }
    using client = await RawClient.open(port)
    client.socket.pause()
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const { id } = await owner.request()
    owner.respond(id, 'x', 100_000_000)
    // In one turn, and far more than the sockets of a client that does not read take.
    for (let sent = 0; sent < 40_000_000; sent += 50_000) {
      owner.send({ type: FRAME_BODY, id, payload: Buffer.alloc(50_000) })
    }
    await expect
      .poll(() => fixture.violations)
      .toMatchObject([{ code: 'EPROTO', reason: expect.stringMatching(/more of a response body/) as string }])
    expect(owner.isClosed || (await owner.next(-1).catch(() => true))).toBe(true)
  },
)
