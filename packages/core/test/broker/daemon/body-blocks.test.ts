import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { BLOCK_BYTES, BLOCK_COUNT, BROKER_BLOCKS_START } from '../../../src/broker/blocks/block-memory.ts'
import {
  FLAG_END,
  FRAME_BLOCK_FREE,
  FRAME_BODY,
  FRAME_BODY_BLOCK,
  FRAME_CONNECTION_CLOSED,
  FRAME_CREDIT,
  FRAME_DISCONNECT,
  FRAME_RESPONSE,
} from '../../../src/broker/protocol/frames.ts'
import { WINDOW_BYTES } from '../../../src/broker/protocol/limits.ts'
import { hasSharedMemory } from '../../../src/sockets/shared-memory.ts'
import { startBroker } from '../../support/broker-fixture.ts'
import type { BrokerFixture } from '../../support/broker-fixture.ts'
import { RawClient } from '../../support/raw-client.ts'
import { RawOwner } from '../../support/raw-owner.ts'

/** Bytes that differ from place to place, and from seed to seed. */
function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let index = 0; index < length; index++) bytes[index] = (index * 7 + seed * 31 + (index >> 8)) & 255
  return bytes
}

interface Asked {
  readonly port: number
  readonly owner: RawOwner
  readonly client: RawClient
  readonly id: number
}

/** A request on its way to an owner with blocks. */
async function ask({ directory }: BrokerFixture, method = 'GET'): Promise<Asked> {
  const owner = await RawOwner.openWithBlocks(join(directory, 'private.sock'))
  const { port } = (await owner.claim('http://localhost:0/')) as { port: number }
  const client = await RawClient.open(port)
  client.write(`${method} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
  const { id } = await owner.request()
  return { port, owner, client, id }
}

/** Resolves when what the broker could do has been done: it has asked the owner once more, and passed its answer on. */
async function settle({ port, owner }: Asked): Promise<void> {
  using other = await RawClient.open(port)
  other.write('GET /other HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  owner.respond((await owner.request()).id, 'answered')
  await other.untilEnd()
}

const BLOCKS = [9, 2, 3, 4, 0, 15, 8, 7]
/** As many as the broker may keep back. */
const OTHERS = [1, 5, 6, 10, 11, 12, 13]

/** Resolves when all of the blocks have come back that nobody needs any more; a few come only with others, which are dropped for this. */
async function comeBack(owner: RawOwner): Promise<void> {
  for (const block of OTHERS) owner.respondInBlock(0xf_ffff, block, 1)
  const missing = new Set(BLOCKS)
  while (missing.size > 0) missing.delete((await owner.next(FRAME_BLOCK_FREE)).aux)
}

/** What follows the head, as bytes. */
function bodyOf(text: string): Buffer {
  return Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1')
}

const NOT_GIVEN = { code: 'EPROTO', reason: 'a block of memory that it was not given' }

const sha1 = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('hex')

describe.skipIf(!hasSharedMemory())('a piece of a body in a block', () => {
  test('reaches the client, between others that came in frames', async () => {
    await using fixture = await startBroker()
    const { owner, client, id } = await ask(fixture)
    const first = pattern(30_000, 1)
    const last = pattern(BLOCK_BYTES, 2)
    first.copy(owner.blocks, 3 * BLOCK_BYTES)
    last.copy(owner.blocks, 15 * BLOCK_BYTES)
    owner.respond(id, 'begin', 5 + first.length + 6 + last.length)
    owner.respondInBlock(id, 3, first.length)
    owner.send({ type: FRAME_BODY, id, payload: Buffer.from('middle') })
    owner.respondInBlock(id, 15, last.length, true)
    const body = bodyOf(await client.untilEnd())
    expect(sha1(body)).toBe(sha1(Buffer.concat([Buffer.from('begin'), first, Buffer.from('middle'), last])))
    owner.die()
  })

  test('leaves together with its neighbour', async () => {
    await using fixture = await startBroker()
    const { owner, client, id } = await ask(fixture)
    const pieces = [pattern(BLOCK_BYTES, 5), pattern(BLOCK_BYTES, 6)]
    for (const [index, piece] of pieces.entries()) piece.copy(owner.blocks, (5 + index) * BLOCK_BYTES)
    owner.respond(id, '', 2 * BLOCK_BYTES)
    owner.respondInBlock(id, 5, BLOCK_BYTES)
    owner.respondInBlock(id, 6, BLOCK_BYTES, true)
    expect(sha1(bodyOf(await client.untilEnd()))).toBe(sha1(Buffer.concat(pieces)))
    owner.die()
  })

  test('comes back with others, in whatever order the blocks lie', async () => {
    await using fixture = await startBroker()
    const { owner, client, id } = await ask(fixture)
    const pieces = BLOCKS.map((block) => pattern(16_384, block))
    for (const [index, piece] of pieces.entries()) piece.copy(owner.blocks, BLOCKS[index]! * BLOCK_BYTES)
    owner.respond(id, '', 8 * 16_384)
    for (const block of BLOCKS) owner.respondInBlock(id, block, 16_384, block === BLOCKS.at(-1))
    expect(sha1(bodyOf(await client.untilEnd()))).toBe(sha1(Buffer.concat(pieces)))
    await owner.next(FRAME_CONNECTION_CLOSED)
    await comeBack(owner)
    owner.die()
  })

  test('is one chunk where the length is not known', async () => {
    await using fixture = await startBroker()
    const { owner, client, id } = await ask(fixture)
    owner.blocks.fill('x', 0, 20_000)
    owner.send({ type: FRAME_RESPONSE, aux: 200, id, payload: Buffer.alloc(16) })
    owner.respondInBlock(id, 0, 20_000, true)
    expect(bodyOf(await client.untilEnd()).toString()).toBe(`4e20\r\n${'x'.repeat(20_000)}\r\n0\r\n\r\n`)
    owner.die()
  })

  test('goes nowhere in answer to HEAD, and the blocks come back', async () => {
    await using fixture = await startBroker()
    const { owner, client, id } = await ask(fixture, 'HEAD')
    owner.respond(id, '', 8 * 16_000)
    for (const block of BLOCKS) owner.respondInBlock(id, block, 16_000, block === BLOCKS.at(-1))
    expect(bodyOf(await client.untilEnd())).toHaveLength(0)
    await owner.next(FRAME_CONNECTION_CLOSED)
    await comeBack(owner)
    owner.die()
  })

  test('that exceeds the announced length breaks the connection, and the blocks come back', async () => {
    await using fixture = await startBroker()
    const { owner, client, id } = await ask(fixture)
    owner.respond(id, '', 19_999)
    for (const block of BLOCKS) owner.respondInBlock(id, block, 20_000)
    expect(bodyOf(await client.untilEnd())).toHaveLength(0)
    await owner.next(FRAME_CONNECTION_CLOSED)
    await comeBack(owner)
    owner.die()
  })

  test('for an exchange that has ended comes back at once', async () => {
    await using fixture = await startBroker()
    const { owner, client, id } = await ask(fixture)
    owner.respond(id, '', 1_000_000)
    client.socket.destroy()
    await owner.next(FRAME_DISCONNECT)
    for (const block of BLOCKS) owner.respondInBlock(id, block, 16_000)
    await owner.next(FRAME_CONNECTION_CLOSED)
    await comeBack(owner)
    for (const block of BLOCKS) owner.respondInBlock(id + 1, block, 16_000)
    await comeBack(owner)
    owner.die()
  })

  test('that a client has not taken yet it still gets when the owner has died', async () => {
    await using fixture = await startBroker()
    const asked = await ask(fixture)
    const { owner, client, id } = asked
    client.socket.pause()
    owner.send({ type: FRAME_RESPONSE, aux: 200, id, payload: Buffer.alloc(16) })
    // Until the client's side is full: what is granted has been used up, and blocks do not come back.
    const sent = createHash('sha1')
    const lent = new Set<number>()
    let length = 0
    for (let granted = WINDOW_BYTES; granted >= BLOCK_BYTES;) {
      for (; granted >= BLOCK_BYTES; granted -= BLOCK_BYTES) {
        const block = Array.from({ length: BLOCK_COUNT }, (_, index) => index).find((index) => !lent.has(index))
        const piece = pattern(BLOCK_BYTES, length / BLOCK_BYTES)
        sent.update(piece)
        length += BLOCK_BYTES
        if (block === undefined) {
          owner.send({ type: FRAME_BODY, id, payload: piece })
          continue
        }
        lent.add(block)
        piece.copy(owner.blocks, block * BLOCK_BYTES)
        owner.respondInBlock(id, block, BLOCK_BYTES)
      }
      await settle(asked)
      for (const frame of owner.frames.splice(0)) {
        if (frame.type === FRAME_CREDIT) granted += frame.payload.readUInt32LE(0)
        if (frame.type === FRAME_BLOCK_FREE) lent.delete(frame.aux)
      }
    }
    owner.send({ type: FRAME_BODY, flags: FLAG_END, id })
    await settle(asked)
    expect(lent.size).toBeGreaterThan(0)
    owner.die()
    await expect.poll(() => fixture.broker.status().queues[0]!.owners).toEqual([])
    client.socket.resume()
    const chunked = bodyOf(await client.untilEnd())
    const received = createHash('sha1')
    const frame = '10000\r\n'.length + BLOCK_BYTES + '\r\n'.length
    for (let at = 0; at + frame <= chunked.length; at += frame)
      received.update(chunked.subarray(at + 7, at + frame - 2))
    expect(chunked).toHaveLength((length / BLOCK_BYTES) * frame + '0\r\n\r\n'.length)
    expect(received.digest('hex')).toBe(sent.digest('hex'))
  })

  test.each([
    { what: 'a block that is not there', block: BLOCK_COUNT, length: 20_000 },
    { what: 'more than a block holds', block: 0, length: BLOCK_BYTES + 1 },
    { what: 'more than can be', block: BLOCK_COUNT - 1, length: 0xffff_ffff },
  ])('may not be $what', async ({ block, length }) => {
    await using fixture = await startBroker()
    const { owner, client, id } = await ask(fixture)
    owner.respond(id, '', 100_000)
    owner.respondInBlock(id, block, length, true)
    await expect
      .poll(() => fixture.violations)
      .toMatchObject([{ code: 'EPROTO', reason: expect.stringMatching(/block of memory/) as string }])
    expect(bodyOf(await client.untilEnd())).toHaveLength(0)
    owner.die()
  })

  test.each([0, 3, 5])('is not told of in %i bytes', async (length) => {
    await using fixture = await startBroker()
    const { owner, id } = await ask(fixture)
    owner.respond(id, '', 20_000)
    owner.send({ type: FRAME_BODY_BLOCK, id, payload: Buffer.alloc(length) })
    await expect
      .poll(() => fixture.violations)
      .toMatchObject([{ code: 'EPROTO', reason: expect.stringMatching(/block of memory/) as string }])
    owner.die()
  })

  test('counts for what was granted, like any other', async () => {
    await using fixture = await startBroker()
    const { owner, client, id } = await ask(fixture)
    client.socket.pause()
    owner.respond(id, '', 2 ** 30)
    for (let piece = 0; piece < 200; piece++) owner.respondInBlock(id, piece % BLOCK_COUNT, BLOCK_BYTES)
    await expect
      .poll(() => fixture.violations)
      .toMatchObject([{ code: 'EPROTO', reason: expect.stringMatching(/more of a response body/) as string }])
    owner.die()
  })
})

/** An owner of blocks to which a client uploads. */
class Upload implements Disposable {
  readonly owner: RawOwner
  readonly client: RawClient
  readonly id: number
  /** What has come, and how. */
  received: Buffer
  readonly blocks: number[] = []
  frames = 0

  private constructor(owner: RawOwner, client: RawClient, id: number, begin: Buffer) {
    this.owner = owner
    this.client = client
    this.id = id
    this.received = begin
  }

  static async begin({ directory }: BrokerFixture, body: Buffer): Promise<Upload> {
    const owner = await RawOwner.openWithBlocks(join(directory, 'private.sock'))
    const { port } = (await owner.claim('http://localhost:0/')) as { port: number }
    const client = await RawClient.open(port)
    client.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`)
    client.write(body)
    const request = await owner.request()
    return new Upload(owner, client, request.id, Buffer.from(request.body, 'latin1'))
  }

  /** Takes what comes, and grants more, until so many bytes have come. */
  async until(length: number, giveBack: (block: number) => void): Promise<void> {
    while (this.received.length < length) {
      const { type, aux, payload } = await this.owner.next(FRAME_BODY, FRAME_BODY_BLOCK)
      let piece = payload
      if (type === FRAME_BODY_BLOCK) {
        const at = BROKER_BLOCKS_START + aux * BLOCK_BYTES
        piece = Buffer.from(this.owner.blocks.subarray(at, at + payload.readUInt32LE(0)))
        this.blocks.push(aux)
        giveBack(aux)
      } else this.frames++
      this.received = Buffer.concat([this.received, piece])
      const credit = Buffer.alloc(4)
      credit.writeUInt32LE(piece.length)
      this.owner.send({ type: FRAME_CREDIT, id: this.id, payload: credit })
    }
  }

  giveBack(block: number): void {
    this.owner.send({ type: FRAME_BLOCK_FREE, aux: block })
  }

  [Symbol.dispose](): void {
    this.owner.die()
    this.client[Symbol.dispose]()
  }
}

describe.skipIf(!hasSharedMemory())('an upload to an owner with blocks', () => {
  test('comes in blocks, which are used again when they have been given back', async () => {
    await using fixture = await startBroker()
    const body = pattern(3 * BLOCK_COUNT * BLOCK_BYTES, 3)
    using upload = await Upload.begin(fixture, body)
    await upload.until(body.length, (block) => upload.giveBack(block))
    expect(sha1(upload.received)).toBe(sha1(body))
    expect(upload.blocks.length).toBeGreaterThan(BLOCK_COUNT)
    expect(Math.max(...upload.blocks)).toBeLessThan(BLOCK_COUNT)
    upload.owner.respond(upload.id, 'answered')
    await upload.client.until('answered')
  })

  test('goes on in frames when no block comes back, and none is written over', async () => {
    await using fixture = await startBroker()
    const body = pattern(3 * BLOCK_COUNT * BLOCK_BYTES, 4)
    using upload = await Upload.begin(fixture, body)
    await upload.until(body.length, () => {})
    expect(sha1(upload.received)).toBe(sha1(body))
    expect(upload.blocks.toSorted((a, b) => a - b)).toEqual(Array.from({ length: BLOCK_COUNT }, (_, index) => index))
    expect(upload.frames).toBeGreaterThan(0)
  })

  test.each([
    { what: 'that is not in use', block: 0 },
    { what: 'that is not there', block: BLOCK_COUNT },
    { what: 'with the highest number there can be', block: 0xffff },
  ])('may not give a block back $what', async ({ block }) => {
    await using fixture = await startBroker()
    using owner = await RawOwner.openWithBlocks(join(fixture.directory, 'private.sock'))
    owner.send({ type: FRAME_BLOCK_FREE, aux: block })
    await expect.poll(() => fixture.violations).toMatchObject([NOT_GIVEN])
  })

  test('may not give a block back twice', async () => {
    await using fixture = await startBroker()
    const body = pattern(BLOCK_BYTES, 1)
    using upload = await Upload.begin(fixture, Buffer.concat([body, body]))
    await upload.until(body.length, (block) => upload.giveBack(block))
    expect(fixture.violations).toEqual([])
    upload.giveBack(upload.blocks[0]!)
    await expect.poll(() => fixture.violations).toMatchObject([NOT_GIVEN])
  })
})

test('an owner that has no blocks can give none back', async () => {
  await using fixture = await startBroker()
  using owner = await RawOwner.open(join(fixture.directory, 'private.sock'))
  owner.send({ type: FRAME_BLOCK_FREE, aux: 0 })
  await expect.poll(() => fixture.violations).toMatchObject([NOT_GIVEN])
})

test('an owner that has no blocks can send none', async () => {
  await using fixture = await startBroker()
  using owner = await RawOwner.open(join(fixture.directory, 'private.sock'))
  owner.respondInBlock(0, 0, 1)
  await expect
    .poll(() => fixture.violations)
    .toMatchObject([{ code: 'EPROTO', reason: expect.stringMatching(/block of memory/) as string }])
})

test('a broker that is to use sockets gives no memory', async () => {
  await using fixture = await startBroker({ delivery: 'sockets' })
  await expect(RawOwner.openWithBlocks(join(fixture.directory, 'private.sock'))).rejects.toThrow('gives no blocks')
})
