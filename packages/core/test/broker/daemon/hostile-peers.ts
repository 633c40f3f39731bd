import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect } from 'vitest'
import { encodeClaim } from '../../../src/broker/protocol/claims.ts'
import {
  FRAME_CLAIM,
  FRAME_HELLO,
  FRAME_INFORMATIONAL,
  FRAME_REQUEST,
  FRAME_RESPONSE,
} from '../../../src/broker/protocol/frames.ts'
import { encodeHello } from '../../../src/broker/protocol/hello.ts'
import { startBroker } from '../../support/broker-fixture.ts'
import { encodeFrame, frameRecorder } from '../../support/frames.ts'
import { RawClient } from '../../support/raw-client.ts'
import { RawOwner } from '../../support/raw-owner.ts'

const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))

/** A RESPONSE or INFORMATIONAL whose fields may be anything, smuggled heads included. */
const SMUGGLED = 'A: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged'
const fields = fc.oneof(
  bytes(60),
  fc
    .constantFrom(
      'A: b\r\n',
      'Content-Length: 5\r\n',
      'Transfer-Encoding: chunked\r\n',
      'A: b\nC: d\r\n',
      'no colon\r\n',
    )
    .map((text) => Buffer.from(text, 'latin1')),
  fc.constant(Buffer.from(SMUGGLED, 'latin1')),
)

const response = fc
  .record({
    fields,
    body: bytes(40),
    length: fc.nat(60),
    skew: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: -3, max: 3 })),
  })
  .map(({ fields: lines, body, length, skew }) => {
    const fixed = Buffer.alloc(16)
    fixed.writeUInt32LE(length, 0)
    fixed.writeUInt32LE(Math.max(0, lines.length + skew), 8)
    return Buffer.concat([fixed, lines, body])
  })

const frame = fc
  .record({
    type: fc.oneof(
      fc.constantFrom(FRAME_RESPONSE, FRAME_INFORMATIONAL),
      fc.integer({ min: 0, max: 50 }).filter((type) => type !== 25),
      fc.integer({ min: 51, max: 255 }),
    ),
    flags: fc.nat(255),
    aux: fc.constantFrom(0, 1, 99, 100, 101, 103, 200, 204, 304, 999, 1000, 65_535),
    id: fc.oneof(fc.constantFrom(0, 1, 2), fc.nat(0xffff_ffff)),
    payload: fc.oneof(response, fields, bytes(80)),
  })
  .map(encodeFrame)

/** An answer to the one request that a hostile owner has got. */
const lie = fc
  .record({ flags: fc.constantFrom(0, 1, 2, 8, 16, 17, 64), aux: fc.constantFrom(101, 200, 204), payload: response })
  .map((parts) => encodeFrame({ type: FRAME_RESPONSE, id: 0, ...parts }))

/** What a hostile process sends: frames that are well formed but lie, or bytes that are none. */
const attack = fc.record({
  saysHello: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, fc.constant(false)),
  claims: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, fc.constant(false)),
  pieces: fc.array(
    fc.oneof({ weight: 4, arbitrary: lie }, { weight: 4, arbitrary: frame }, { weight: 1, arbitrary: bytes(100) }),
    { maxLength: 12 },
  ),
})

/**
 * Whatever a process sends to the broker, the requests of another process are answered right, and no client of the hostile one reads
 * a response that was forged within another.
 */
export async function checkHostilePeers(options: fc.Parameters<unknown>): Promise<void> {
  await using fixture = await startBroker()
  const socketPath = join(fixture.directory, 'private.sock')
  using owner = await RawOwner.open(socketPath)
  const { port } = (await owner.claim('http://localhost:0/good/', {})) as { port: number }
  using client = await RawClient.open(port)
  let number = 0
  await fc.assert(
    fc.asyncProperty(attack, async ({ saysHello, claims, pieces }) => {
      using victim = await RawClient.open(port)
      const hostile = await open(socketPath)
      if (saysHello) hostile.write(encodeFrame({ ...EMPTY, type: FRAME_HELLO, payload: Buffer.from(encodeHello(1)) }))
      if (saysHello && claims) {
        const claim = encodeClaim({ href: `http://localhost:${port}/bad/`, mode: 'takeover', settings: { holdFor: 0 } })
        const { reader, frames } = frameRecorder()
        hostile.on('data', (chunk: Buffer) => reader.push(Buffer.from(chunk), 0, chunk.length))
        hostile.write(encodeFrame({ ...EMPTY, type: FRAME_CLAIM, id: 7, payload: Buffer.from(claim) }))
        while (frames.length < 2) await once(hostile, 'data')
        victim.write('GET /bad/x HTTP/1.1\r\nHost: localhost\r\n\r\n')
        while (!frames.some(({ type }) => type === FRAME_REQUEST)) await once(hostile, 'data')
      }
      for (const piece of pieces) hostile.write(piece)
      hostile.end()
      if (!hostile.closed) await once(hostile, 'close')
      number++
      client.text = ''
      client.write(`GET /good/${number} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      const { id, head } = await owner.request()
      expect(head).toMatch(new RegExp(`^GET /good/${number} HTTP`))
      owner.respond(id, `good ${number}`)
      await client.until(`good ${number}`)
      expect(client.text.match(/^HTTP\/1\.1 /gm)).toHaveLength(1)
      expect(victim.text).not.toMatch(/\r\n\r\nHTTP\/1\.1 200 OK\r\nContent-Length: 6\r\n\r\nforged/)
    }),
    options,
  )
}

const EMPTY = { flags: 0, aux: 0, id: 0, payload: Buffer.alloc(0) }

async function open(path: string): Promise<Socket> {
  const socket = connect(path)
  socket.on('error', () => {})
  // What the broker says is read, so that its end shows.
  socket.resume()
  await once(socket, 'connect')
  return socket
}
