import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  CANCEL_RESET,
  FLAG_END,
  FRAME_BODY,
  FRAME_CANCEL,
  FRAME_INFORMATIONAL,
  FRAME_RESPONSE,
  FRAME_TRAILERS,
  RESPONSE_FLAG_HAS_LENGTH,
  RESPONSE_FLAG_OPAQUE,
  RESPONSE_FLAG_RAW,
} from '../../../src/broker/protocol/frames.ts'
import type { Delivery } from '../../../src/broker/rings/delivery.ts'
import { hasSharedMemory } from '../../../src/sockets/shared-memory.ts'
import { startBroker } from '../../support/broker-fixture.ts'
import { RawClient } from '../../support/raw-client.ts'
import { RawOwner } from '../../support/raw-owner.ts'

/** What a client must never take for a response. */
const FORGED = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged'

/** The frames with which an owner answers request `id`. */
type Answer = (owner: RawOwner, id: number) => void

interface Head {
  readonly status?: number
  readonly fields?: string
  readonly reason?: string
  /** Undefined: it is not said. */
  readonly length?: number
  readonly body?: string
  readonly flags?: number
  upperFlags?: number
}

function respond(owner: RawOwner, id: number, { status, fields, reason, length, body, flags, upperFlags }: Head): void {
  const [reasonBytes, fieldBytes, bodyBytes] = [reason, fields, body].map((text) => Buffer.from(text ?? '', 'latin1'))
  const fixed = Buffer.alloc(16)
  fixed.writeUInt32LE(length ?? 0, 0)
  fixed.writeUInt32LE(fieldBytes!.length, 8)
  fixed.writeUInt16LE(reasonBytes!.length, 12)
  fixed.writeUInt16LE(upperFlags ?? 0, 14)
  const payload = Buffer.concat([fixed, reasonBytes!, fieldBytes!, bodyBytes!])
  const hasLength = length === undefined ? 0 : RESPONSE_FLAG_HAS_LENGTH
  owner.send({ type: FRAME_RESPONSE, flags: (flags ?? 0) | hasLength, aux: status ?? 200, id, payload })
}

function body(owner: RawOwner, id: number, text: string, flags = 0): void {
  owner.send({ type: FRAME_BODY, flags, id, payload: Buffer.from(text, 'latin1') })
}

/** What the client reads of the first response, and whether the owner is cut off for it. */
const LIES: [what: string, method: 'GET' | 'HEAD', answer: Answer, seen: string | RegExp, isCutOff: boolean][] = [
  [
    'more body than was announced, in one frame',
    'GET',
    (owner, id) => respond(owner, id, { length: 5, body: `hello${FORGED}`, flags: FLAG_END }),
    'broken',
    false,
  ],
  [
    'more body than was announced, in a second frame',
    'GET',
    (owner, id) => {
      respond(owner, id, { length: 5, body: 'hello' })
      body(owner, id, FORGED, FLAG_END)
    },
    /^(?:broken|200 hello)$/,
    false,
  ],
  [
    'less body than was announced',
    'GET',
    (owner, id) => respond(owner, id, { length: 500, body: 'hello', flags: FLAG_END }),
    'broken',
    false,
  ],
  [
    'a body in answer to HEAD',
    'HEAD',
    (owner, id) => respond(owner, id, { length: 5, body: FORGED, flags: FLAG_END }),
    '200 ',
    false,
  ],
  [
    'a body of unknown length in answer to HEAD, in several frames',
    'HEAD',
    (owner, id) => {
      respond(owner, id, {})
      body(owner, id, FORGED)
      body(owner, id, FORGED, FLAG_END)
    },
    '200 ',
    false,
  ],
  [
    'a body with 204',
    'GET',
    (owner, id) => respond(owner, id, { status: 204, length: 51, body: FORGED, flags: FLAG_END }),
    '204 ',
    false,
  ],
  [
    'a body with 304, in several frames',
    'GET',
    (owner, id) => {
      respond(owner, id, { status: 304 })
      body(owner, id, FORGED, FLAG_END)
    },
    '304 ',
    false,
  ],
  [
    'frames behind the last one',
    'GET',
    (owner, id) => {
      respond(owner, id, { length: 5, body: 'hello', flags: FLAG_END })
      body(owner, id, FORGED, FLAG_END)
      respond(owner, id, { length: 6, body: 'forged', flags: FLAG_END })
    },
    '200 hello',
    false,
  ],
  [
    'a second head for one request',
    'GET',
    (owner, id) => {
      respond(owner, id, { length: 5, body: 'he' })
      respond(owner, id, { length: 6, body: 'forged', flags: FLAG_END })
    },
    'broken',
    true,
  ],
  [
    'what ends a chunked body, within it',
    'GET',
    (owner, id) => {
      respond(owner, id, { body: `0\r\n\r\n${FORGED}` })
      body(owner, id, `\r\n0\r\n\r\n${FORGED}`, FLAG_END)
    },
    `200 0\r\n\r\n${FORGED}\r\n0\r\n\r\n${FORGED}`,
    false,
  ],
  [
    'line breaks in a field',
    'GET',
    (owner, id) => respond(owner, id, { fields: `A: b\r\n\r\n${FORGED}\r\n`, length: 0, flags: FLAG_END }),
    /^502/,
    true,
  ],
  [
    'a bare line feed in a field',
    'GET',
    (owner, id) => respond(owner, id, { fields: 'A: b\nContent-Length: 3\r\n', length: 0, flags: FLAG_END }),
    /^502/,
    true,
  ],
  [
    'a line break in the reason',
    'GET',
    (owner, id) => respond(owner, id, { reason: `OK\r\n\r\n${FORGED}`, length: 0, flags: FLAG_END }),
    /^502/,
    true,
  ],
  ...['Content-Length: 0', 'transfer-encoding: chunked', 'CONNECTION: upgrade', 'Proxy-Connection: close'].map(
    (line): [string, 'GET', Answer, RegExp, boolean] => [
      `the field ${line} of its own`,
      'GET',
      (owner, id) => respond(owner, id, { fields: `${line}\r\n`, length: 5, body: 'hello', flags: FLAG_END }),
      /^502/,
      true,
    ],
  ),
  [
    'a field that does not end',
    'GET',
    (owner, id) => respond(owner, id, { fields: 'A: b', length: 5, body: 'hello', flags: FLAG_END }),
    /^502/,
    true,
  ],
  [
    'trailers that frame',
    'GET',
    (owner, id) => {
      respond(owner, id, { body: 'hello' })
      owner.send({ type: FRAME_TRAILERS, flags: FLAG_END, id, payload: Buffer.from('Content-Length: 3\r\n') })
    },
    'broken',
    true,
  ],
  [
    'trailers with an empty line in them',
    'GET',
    (owner, id) => {
      respond(owner, id, { body: 'hello' })
      owner.send({ type: FRAME_TRAILERS, flags: FLAG_END, id, payload: Buffer.from(`A: b\r\n\r\n${FORGED}\r\n`) })
    },
    'broken',
    true,
  ],
  [
    'an informational response with an empty line in it',
    'GET',
    (owner, id) =>
      owner.send({ type: FRAME_INFORMATIONAL, aux: 103, id, payload: Buffer.from(`A: b\r\n\r\n${FORGED}\r\n`) }),
    /^502/,
    true,
  ],
  [
    'an informational status as the last word',
    'GET',
    (owner, id) => respond(owner, id, { status: 103, flags: FLAG_END, body: FORGED }),
    /^502/,
    true,
  ],
  [
    'raw bytes for a request that wants no upgrade',
    'GET',
    (owner, id) => respond(owner, id, { status: 101, flags: RESPONSE_FLAG_OPAQUE, body: FORGED }),
    /^502/,
    true,
  ],
  [
    'a Connection field of its own',
    'GET',
    (owner, id) => respond(owner, id, { fields: 'Connection: close\r\n', flags: FLAG_END, upperFlags: 1 }),
    /^502/,
    true,
  ],
  [
    'flags that mean nothing',
    'GET',
    (owner, id) => respond(owner, id, { flags: FLAG_END, upperFlags: 2, body: 'x' }),
    /^502/,
    true,
  ],
  [
    'a raw response on a port that others share',
    'GET',
    (owner, id) => respond(owner, id, { flags: RESPONSE_FLAG_RAW, body: FORGED }),
    /^502/,
    true,
  ],
]

const deliveries: Delivery[] = hasSharedMemory() ? ['sockets', 'rings'] : ['sockets']

describe.each(deliveries)('an owner that sends, over %s,', (delivery) => {
  test.each(LIES)(
    '%s can not speak for another owner on the same connection',
    async (_what, method, answer, seen, isCutOff) => {
      await using fixture = await startBroker()
      const socketPath = join(fixture.directory, 'private.sock')
      using honest = await RawOwner.open(socketPath, delivery)
      const { port } = (await honest.claim('http://localhost:0/good/')) as { port: number }
      using hostile = await RawOwner.open(socketPath, delivery)
      await hostile.claim(`http://localhost:${port}/bad/`)
      // An independent reader of HTTP, with one connection for both owners.
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      const ask = (path: string, verb = 'GET'): Promise<string> => fetchText(agent, port, path, verb)

      const first = ask('/bad/', method)
      const { id } = await hostile.request()
      answer(hostile, id)
      if (isCutOff) await hostile.next(-1).catch(() => {})
      if (isCutOff && typeof seen !== 'string') await replaceOwner(socketPath, port, delivery)
      const result = await first
      if (typeof seen === 'string') expect(result).toBe(seen)
      else if (isCutOff) expect(result).toMatch(/^(?:502|200 replaced)/)
      else expect(result).toMatch(seen)

      void answerAll(honest, 'good answer')
      let second = await ask('/good/')
      // The client may have sent it on the connection that was just breaking.
      if (second === 'broken') second = await ask('/good/')
      expect(second).toBe('200 good answer')
      agent.destroy()
      expect(fixture.violations).toHaveLength(isCutOff ? 1 : 0)
    },
  )

  test.each(
    LIES.filter(
      ([, , , seen]) => seen === '200 ' || seen === '204 ' || seen === '304 ' || String(seen).includes('hello'),
    ),
  )('%s gets none of it onto the wire', async (_what, method, answer) => {
    await using fixture = await startBroker()
    const socketPath = join(fixture.directory, 'private.sock')
    using hostile = await RawOwner.open(socketPath, delivery)
    const { port } = (await hostile.claim('http://localhost:0/bad/')) as { port: number }
    using client = await RawClient.open(port)
    client.write(`${method} /bad/ HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    const { id } = await hostile.request()
    answer(hostile, id)
    // The broker's own answer, behind everything that the owner has caused, or the end of the connection.
    client.write('GET /nobody/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    await client.untilEnd()
    expect(client.text).not.toContain('forged')
  })

  test('answers to requests of others, or to none, is not heard', async () => {
    await using fixture = await startBroker()
    const socketPath = join(fixture.directory, 'private.sock')
    using honest = await RawOwner.open(socketPath, delivery)
    const { port } = (await honest.claim('http://localhost:0/good/')) as { port: number }
    using hostile = await RawOwner.open(socketPath, delivery)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const asked = fetchText(agent, port, '/good/', 'GET')
    const { id } = await honest.request()
    for (const guess of [id, 0, 1, 2, 0xffff_ffff]) {
      respond(hostile, guess, { length: 6, body: 'forged', flags: FLAG_END })
    }
    // The broker has read them when it has answered what came behind them.
    await hostile.claim(`http://localhost:${port}/bad/`)
    honest.respond(id, 'good answer')
    expect(await asked).toBe('200 good answer')
    agent.destroy()
    expect(fixture.violations).toEqual([])
  })
})

test('a reset leaves what another owner has answered before on the connection', async () => {
  await using fixture = await startBroker()
  const socketPath = join(fixture.directory, 'private.sock')
  using honest = await RawOwner.open(socketPath)
  const { port } = (await honest.claim('http://localhost:0/good/')) as { port: number }
  using hostile = await RawOwner.open(socketPath)
  await hostile.claim(`http://localhost:${port}/bad/`)
  using client = await RawClient.open(port)
  // What its kernel does not take lies in the broker's.
  client.socket.pause()
  client.write('GET /good/ HTTP/1.1\r\nHost: localhost\r\n\r\nGET /bad/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const { id } = await honest.request()
  honest.respond(id, 'x'.repeat(50_000), 400_000)
  for (let sent = 50_000, granted = 128 * 1024; sent < 400_000; sent += 50_000) {
    while (granted < sent + 50_000) granted += await honest.credit()
    body(honest, id, 'x'.repeat(50_000), sent === 350_000 ? FLAG_END : 0)
  }
  const { id: second } = await hostile.request()
  hostile.send({ type: FRAME_CANCEL, flags: CANCEL_RESET, id: second })
  // The broker has read it when it has answered what came behind it.
  await hostile.claim(`http://localhost:${port}/worse/`)
  client.socket.resume()
  expect(await client.untilEnd()).toMatch(/^HTTP\/1.1 200 OK\r\n.*\r\n\r\nx{400000}$/s)
})

/** Answers every request, until the owner's connection ends. */
async function answerAll(owner: RawOwner, text: string): Promise<void> {
  for (;;) {
    const asked = await owner.request().catch(() => null)
    if (asked === null) return
    owner.respond(asked.id, text)
  }
}

/** The request that was taken back from an owner that was cut off goes to the next one. */
async function replaceOwner(socketPath: string, port: number, delivery: Delivery): Promise<void> {
  const owner = await RawOwner.open(socketPath, delivery)
  await owner.claim(`http://localhost:${port}/bad/`)
  const { id } = await owner.request()
  owner.respond(id, 'replaced')
}

/** Status and body, or `broken` when the connection did not hold. */
async function fetchText(agent: Agent, port: number, path: string, method: string): Promise<string> {
  const sent = request({ agent, port, path, method, host: '127.0.0.1' })
  sent.end()
  try {
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    let text = ''
    for await (const piece of response.setEncoding('latin1')) text += String(piece)
    return `${response.statusCode} ${text}`
  } catch {
    return 'broken'
  }
}
