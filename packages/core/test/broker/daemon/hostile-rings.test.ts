import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { RING_BYTES } from '../../../src/broker/rings/ring-memory.ts'
import { hasSharedMemory } from '../../../src/sockets/shared-memory.ts'
import { startBroker } from '../../support/broker-fixture.ts'
import { encodeFrame } from '../../support/frames.ts'
import { RawClient } from '../../support/raw-client.ts'
import { RawOwner } from '../../support/raw-owner.ts'

/** A broker with an honest owner and a client of its, and a hostile owner that has memory in common with the broker. */
async function scene() {
  const fixture = await startBroker()
  const socketPath = join(fixture.directory, 'private.sock')
  const honest = await RawOwner.open(socketPath, 'rings')
  const { port } = (await honest.claim('http://localhost:0/good/')) as { port: number }
  const hostile = await RawOwner.open(socketPath, 'rings')
  await hostile.claim(`http://localhost:${port}/bad/`, { settings: { holdFor: 0 } })
  const client = await RawClient.open(port)
  return {
    fixture,
    hostile,
    port,
    /** The honest owner is still served, and its client answered right. */
    async expectOthersServed(): Promise<void> {
      client.text = ''
      client.write('GET /good/x HTTP/1.1\r\nHost: localhost\r\n\r\n')
      const { id } = await honest.request()
      honest.respond(id, 'good answer')
      await client.until('good answer')
      expect(client.text.match(/^HTTP\/1\.1 /gm)).toHaveLength(1)
    },
    async [Symbol.asyncDispose](): Promise<void> {
      client[Symbol.dispose]()
      honest.die()
      hostile.die()
      await fixture.close()
    },
  }
}

const closed = (owner: RawOwner): Promise<unknown> => owner.next(255).catch((error: unknown) => error)

/** memfd_create is Linux's. */
describe.skipIf(!hasSharedMemory())('an owner that misuses the memory it has in common with the broker', () => {
  test.each([
    ['a tail beyond the ring', 'toBroker', 'tail', 0x7fff_ffff],
    ['a tail of minus one', 'toBroker', 'tail', -1],
    ['a tail that is a ring too far', 'toBroker', 'tail', RING_BYTES * 3],
  ] as const)('is cut off for %s, and nobody else notices', async (_what, ring, word, value) => {
    await using all = await scene()
    const memory = all.hostile.rings![ring]
    Atomics.store(memory.words, memory[word], value)
    all.hostile.rings!.ring()
    await closed(all.hostile)
    expect(String(all.fixture.violations)).toContain('the tail of a ring is beyond its size')
    await all.expectOthersServed()
  })

  test('is cut off for a head that was never written, and its client told', async () => {
    await using all = await scene()
    const memory = all.hostile.rings!.toOwner
    using victim = await RawClient.open(all.port)
    // What it has not read is as much as the ring holds, if it is to be believed: the writer has to look.
    Atomics.store(memory.words, memory.head, 0x4000_0000)
    const body = 'x'.repeat(2 * RING_BYTES)
    victim.write(`POST /bad/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    await closed(all.hostile)
    expect(String(all.fixture.violations)).toContain('the head of a ring is beyond what was written')
    await victim.until('HTTP/1.1 50')
    await all.expectOthersServed()
  })

  test('is cut off for bytes that are no frame', async () => {
    await using all = await scene()
    all.hostile.sendBytes(Buffer.alloc(100, 255))
    await closed(all.hostile)
    expect(String(all.fixture.violations)).toContain('a frame of 4294967295 bytes')
    await all.expectOthersServed()
  })

  test('can write over all of it at any time without more than its own end', async () => {
    await using all = await scene()
    using victim = await RawClient.open(all.port)
    const { toBroker, toOwner } = all.hostile.rings!
    victim.write('GET /bad/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const { id } = await all.hostile.request()
    all.hostile.respond(id, 'an answer')
    for (let round = 0; round < 200; round++) {
      const at = (round * 7919) % (RING_BYTES - 64)
      toBroker.bytes.fill(round, at, at + 64)
      toOwner.bytes.fill(round, at, at + 64)
      Atomics.store(toBroker.words, toBroker.tail, (round * 1_234_567) | 0)
      Atomics.store(toOwner.words, toOwner.isReaderAsleep, round & 1)
      Atomics.store(toBroker.words, toBroker.isWriterWaiting, round & 1)
      all.hostile.rings!.ring()
      if (all.hostile.isClosed) break
      await new Promise((resolve) => setImmediate(resolve))
    }
    await closed(all.hostile)
    expect(all.fixture.violations).toHaveLength(1)
    await all.expectOthersServed()
  })

  test('may die in the middle of a frame: what was whole counts, the rest is dropped', async () => {
    await using all = await scene()
    using first = await RawClient.open(all.port)
    using second = await RawClient.open(all.port)
    first.write('GET /bad/1 HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const one = await all.hostile.request()
    second.write('POST /bad/2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx')
    const two = await all.hostile.request()
    all.hostile.respond(one.id, 'whole')
    const frame = encodeFrame({ type: 18, flags: 17, aux: 200, id: two.id, payload: Buffer.alloc(40, 120) })
    all.hostile.sendBytes(frame.subarray(0, frame.length - 7))
    all.hostile.die()
    await first.until('whole')
    await second.until('HTTP/1.1 502')
    expect(second.text).not.toContain('xxx')
    await all.expectOthersServed()
  })

  test('may die with an answer for which it did not ring, since the broker was looking: it counts', async () => {
    await using all = await scene()
    using client = await RawClient.open(all.port)
    client.write('GET /bad/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const { id } = await all.hostile.request()
    const { words, isReaderAsleep } = all.hostile.rings!.toBroker
    Atomics.store(words, isReaderAsleep, 0)
    all.hostile.respond(id, 'last words')
    all.hostile.die()
    await client.until('last words')
  })

  test('that rings without end and writes nothing holds nobody up', async () => {
    await using all = await scene()
    for (let round = 0; round < 5; round++) {
      for (let bell = 0; bell < 500; bell++) all.hostile.rings!.ring()
      await all.expectOthersServed()
    }
    expect(all.fixture.violations).toEqual([])
  })

  test('that does not read gets no more than its share, and the others go on', async () => {
    await using all = await scene()
    all.hostile.stop()
    const body = 'y'.repeat(60_000)
    const clients: RawClient[] = []
    const waiting = (): number =>
      all.fixture.broker.status().queues.find(({ prefix }) => prefix.endsWith('/bad/'))!.waiting
    // What has been handed over before its share was used up does not wait.
    while (waiting() === 0) {
      // oxlint-disable-next-line no-await-in-loop
      const client = await RawClient.open(all.port)
      clients.push(client)
      client.write(`POST /bad/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    }
    expect(clients.length).toBeLessThan(200)
    await all.expectOthersServed()
    for (const client of clients) client[Symbol.dispose]()
  })

  test('an owner that comes back to reading gets all that was written meanwhile', async () => {
    await using all = await scene()
    all.hostile.stop()
    const clients = await Promise.all(Array.from({ length: 12 }, () => RawClient.open(all.port)))
    const body = 'z'.repeat(50_000)
    for (const client of clients) {
      client.write(`POST /bad/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    }
    await all.expectOthersServed()
    all.hostile.resume()
    for (let count = 0; count < clients.length; count++) {
      const { id } = await all.hostile.request()
      all.hostile.respond(id, 'late answer')
    }
    await Promise.all(clients.map((client) => client.until('late answer')))
    for (const client of clients) client[Symbol.dispose]()
    expect(all.fixture.violations).toEqual([])
  })
})
