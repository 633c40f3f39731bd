import { join } from 'node:path'
import fc from 'fast-check'
import { expect } from 'vitest'
import {
  FRAME_HAND_OVER,
  FRAME_INFORMATIONAL,
  FRAME_RESPONSE,
  FRAME_UPGRADE,
} from '../../../src/broker/protocol/frames.ts'
import type { Delivery } from '../../../src/broker/rings/delivery.ts'
import { startBroker } from '../../support/broker-fixture.ts'
import { encodeFrame } from '../../support/frames.ts'
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

/** HAND_OVER makes the broker wait fifteen seconds for descriptors, UPGRADE start a program: both have tests of their own. */
const EXCLUDED = new Set([FRAME_HAND_OVER, FRAME_UPGRADE])

const frame = fc
  .record({
    type: fc.oneof(
      fc.constantFrom(FRAME_RESPONSE, FRAME_INFORMATIONAL),
      fc.integer({ min: 0, max: 50 }).filter((type) => !EXCLUDED.has(type)),
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
 *
 * @param delivery - how the hostile process sends
 */
export async function checkHostilePeers(
  options: fc.Parameters<unknown>,
  delivery: Delivery = 'sockets',
): Promise<void> {
  await using fixture = await startBroker()
  const socketPath = join(fixture.directory, 'private.sock')
  using owner = await RawOwner.open(socketPath)
  const { port } = (await owner.claim('http://localhost:0/good/', {})) as { port: number }
  using client = await RawClient.open(port)
  let number = 0
  await fc.assert(
    fc.asyncProperty(attack, async ({ saysHello, claims, pieces }) => {
      using victim = await RawClient.open(port)
      // Without HELLO there are no rings.
      using hostile = saysHello ? await RawOwner.open(socketPath, delivery) : await RawOwner.silent(socketPath)
      if (saysHello && claims) {
        await hostile.claim(`http://localhost:${port}/bad/`, { mode: 'takeover', settings: { holdFor: 0 } })
        victim.write('GET /bad/x HTTP/1.1\r\nHost: localhost\r\n\r\n')
        await hostile.request()
      }
      for (const piece of pieces) hostile.sendBytes(piece)
      await hostile.end()
      number++
      client.text = ''
      client.write(`GET /good/${number} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      const { id, head } = await owner.request()
      expect(head).toMatch(new RegExp(`^GET /good/${number} HTTP`))
      owner.respond(id, `good ${number}`)
      await client.until(`good ${number}`)
      expect(client.text.match(/^HTTP\/1\.1 /gm)).toHaveLength(1)
      // The broker's own have a Date.
      expect(withoutBodies(victim.text)).not.toContain('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n')
    }),
    options,
  )
}

/** What a client reads of responses beside their bodies, which a process may fill as it likes. */
function withoutBodies(text: string): string {
  let heads = ''
  for (let rest = text; ;) {
    const end = rest.indexOf('\r\n\r\n') + 4
    if (end === 3) return heads + rest
    const head = rest.slice(0, end)
    heads += head
    rest = rest.slice(end)
    const [, length] = /\r\nContent-Length: (\d+)\r\n/.exec(head) ?? []
    if (length !== undefined) rest = rest.slice(Number(length))
    else if (head.includes('\r\nTransfer-Encoding: chunked\r\n')) rest = withoutChunks(rest)
  }
}

function withoutChunks(text: string): string {
  for (let rest = text; ;) {
    const [line, size] = /^([\da-f]+)\r\n/.exec(rest) ?? []
    if (line === undefined) return rest
    rest = rest.slice(line.length + parseInt(size!, 16) + 2)
    if (line === '0\r\n') return rest
  }
}
