import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { HttpSysError } from '../../../src/base/errors.ts'
import { UrlPrefix } from '../../../src/base/url-prefix.ts'
import { BrokerLink } from '../../../src/broker/client/broker-link.ts'
import type { LinkHome } from '../../../src/broker/client/broker-link.ts'
import { BrokerSession } from '../../../src/broker/client/broker-session.ts'
import { encodeClaimed, encodeRefused } from '../../../src/broker/protocol/claims.ts'
import { encodeText } from '../../../src/broker/protocol/frame-writer.ts'
import {
  FRAME_CANCEL,
  FRAME_CLAIM,
  FRAME_CLAIMED,
  FRAME_CONNECTION,
  FRAME_CONNECTION_CLOSED,
  FRAME_HELLO,
  FRAME_LEAVING,
  FRAME_REFUSED,
  FRAME_RELEASE,
  FRAME_RELEASED,
  FRAME_REQUEST,
  FRAME_REVOKED,
  HEADER_BYTES,
  REQUEST_FIXED_BYTES,
} from '../../../src/broker/protocol/frames.ts'
import { encodeHello } from '../../../src/broker/protocol/hello.ts'
import { publish } from '../../../src/broker/rendezvous/generations.ts'
import type { Exchange, ExchangeListener, RequestQueue } from '../../../src/queue/exchange.ts'
import { encodeFrame, frameRecorder } from '../../support/frames.ts'

/** Speaks as a broker does, as far as the test says. */
class StandIn implements AsyncDisposable {
  readonly directory: string
  readonly #server: Server
  readonly #sockets: Socket[] = []
  /** Types of the frames that have come, by connection. */
  readonly heard: number[][] = []
  /** Connections that the other side has ended. */
  readonly ended: number[] = []

  private constructor(directory: string, onFrame: (socket: Socket, type: number, id: number, index: number) => void) {
    this.directory = directory
    this.#server = createServer((socket) => {
      const index = this.#sockets.push(socket) - 1
      const { reader, frames } = frameRecorder()
      const types: number[] = []
      this.heard.push(types)
      socket.on('error', () => {})
      socket.on('end', () => this.ended.push(index))
      socket.on('data', (bytes) => {
        reader.push(bytes, 0, bytes.length)
        for (const { type, id } of frames.splice(0)) {
          types.push(type)
          onFrame(socket, type, id, index)
        }
      })
    })
  }

  static async start(onFrame: (socket: Socket, type: number, id: number, index: number) => void): Promise<StandIn> {
    const broker = new StandIn(await mkdtemp(join(tmpdir(), 'httpsys-test-')), onFrame)
    const path = join(broker.directory, 'private.sock')
    broker.#server.listen(path)
    await once(broker.#server, 'listening')
    await publish(broker.directory, path)
    return broker
  }

  send(index: number, ...frames: Buffer[]): void {
    this.#sockets[index]!.write(Buffer.concat(frames))
  }

  /** Resolves when the other side has done what the frames before say. */
  async settle(index: number): Promise<void> {
    const heard = this.heard[index]!
    const answered = heard.filter((type) => type === FRAME_CANCEL).length + 1
    // For a claim that does not exist.
    this.send(index, ...requestFor(99))
    await expect.poll(() => heard.filter((type) => type === FRAME_CANCEL).length).toBe(answered)
  }

  /** Breaks a connection. */
  lose(index: number): void {
    this.#sockets[index]!.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await rm(this.directory, { recursive: true, force: true, maxRetries: 10 })
  }
}

const HELLO = encodeText(FRAME_HELLO, 0, encodeHello(process.pid))

function frame(type: number, id: number, payload: string | Buffer): Buffer {
  return encodeFrame({ type, flags: 0, aux: 0, id, payload: Buffer.from(payload as string) })
}

/** A request for a claim, over a connection that is announced with it. */
function requestFor(claim: number): Buffer[] {
  const payload = Buffer.alloc(REQUEST_FIXED_BYTES - HEADER_BYTES)
  payload.writeUInt32LE(claim, 4)
  return [frame(FRAME_CONNECTION, 0, '1024 80 127.0.0.1 127.0.0.1'), frame(FRAME_REQUEST, 0, payload)]
}

test('a batch that comes in one piece with HELLO ends, too', async () => {
  const request = Buffer.alloc(REQUEST_FIXED_BYTES - HEADER_BYTES)
  await using broker = await StandIn.start((socket, type) => {
    if (type !== FRAME_HELLO) return
    const connection = frame(FRAME_CONNECTION, 0, '1024 80 127.0.0.1 127.0.0.1')
    socket.write(Buffer.concat([HELLO, connection, frame(FRAME_REQUEST, 0, request)]))
  })
  const calls: string[] = []
  const listener: Partial<ExchangeListener> = {
    onBatchBegin: () => void calls.push('begin'),
    onRequest: () => void calls.push('request'),
    onLost() {},
    onBatchEnd: () => void calls.push('end'),
  }
  const home = { queueOf: () => ({ listener }), onBusyChange() {}, onLinkLost() {} }
  const link = await BrokerLink.open(broker.directory, home as unknown as LinkHome)
  expect(calls).toEqual(['begin', 'request', 'end'])
  link.lose()
})

test('a claim that is granted in the same breath in which the broker leaves is made again', async () => {
  const claimed = encodeClaimed({ address: '127.0.0.1', family: 'IPv4', port: 1024, epoch: 1 })
  await using broker = await StandIn.start((socket, type, id, index) => {
    if (type === FRAME_HELLO) socket.write(HELLO)
    if (type === FRAME_RELEASE) socket.write(frame(FRAME_RELEASED, id, ''))
    if (type !== FRAME_CLAIM) return
    const granted = frame(FRAME_CLAIMED, id, claimed)
    socket.write(index === 0 ? Buffer.concat([granted, frame(FRAME_LEAVING, 0, '')]) : granted)
  })
  const session = new BrokerSession(broker.directory)
  const queue = await session.open(UrlPrefix.parse('http://localhost:1024/1/'), {} as ExchangeListener)
  await expect.poll(() => broker.heard.at(1)?.includes(FRAME_CLAIM)).toBe(true)
  await queue.shutdown()
})

test('a claim that is given back is not over, nor made again, when the broker leaves before it has said so', async () => {
  const claimed = encodeClaimed({ address: '127.0.0.1', family: 'IPv4', port: 1024, epoch: 1 })
  const request = Buffer.alloc(REQUEST_FIXED_BYTES - HEADER_BYTES)
  let sayReleased: () => void = () => {}
  await using broker = await StandIn.start((socket, type, id) => {
    if (type === FRAME_HELLO) socket.write(HELLO)
    if (type === FRAME_CLAIM) socket.write(frame(FRAME_CLAIMED, id, claimed))
    if (type !== FRAME_RELEASE) return
    const connection = frame(FRAME_CONNECTION, 0, '1024 80 127.0.0.1 127.0.0.1')
    socket.write(Buffer.concat([frame(FRAME_LEAVING, 0, ''), connection, frame(FRAME_REQUEST, 0, request)]))
    sayReleased = () => socket.write(frame(FRAME_RELEASED, id, ''))
  })
  const session = new BrokerSession(broker.directory)
  const exchanges: Exchange[] = []
  const listener: Partial<ExchangeListener> = {
    onRequest: (exchange) => void exchanges.push(exchange),
    onBody() {},
    onBodyEnd() {},
  }
  const queue = await session.open(UrlPrefix.parse('http://localhost:1024/1/'), listener as ExchangeListener)
  let isOver = false
  const over = queue.shutdown().then(() => (isOver = true))
  await expect.poll(() => exchanges.length).toBe(1)
  expect(isOver).toBe(false)
  exchanges[0]!.cancel()
  sayReleased()
  await over
  expect(broker.heard.flat().filter((type) => type === FRAME_CLAIM)).toHaveLength(1)
})

/** A claim at a broker that leaves, connection 0, and what its process is told from there on; the successor's connection is 1. */
async function leftBehind(broker: StandIn): Promise<{ queue: RequestQueue; calls: string[] }> {
  const calls: string[] = []
  const listener: Partial<ExchangeListener> = {
    onRequest: () => void calls.push('request'),
    onLost() {},

    onQueueLost: () => void calls.push('lost'),
    onQueueRevoked: () => {
      calls.push('revoked')
      void queue.shutdown().then(() => calls.push('shut down'))
    },
  }
  const session = new BrokerSession(broker.directory)
  const queue = await session.open(UrlPrefix.parse('http://localhost:1024/1/'), listener as ExchangeListener)
  broker.send(0, frame(FRAME_LEAVING, 0, ''))
  return { queue, calls }
}

const GRANTED = encodeClaimed({ address: '127.0.0.1', family: 'IPv4', port: 1024, epoch: 1 })

/** What every broker does: the others of its frames the tests send. */
function greetAndGrant(socket: Socket, type: number, id: number): void {
  if (type === FRAME_HELLO) socket.write(HELLO)
  if (type === FRAME_CLAIM) socket.write(frame(FRAME_CLAIMED, id, GRANTED))
}

test.each([
  { first: 'broker that leaves', last: 'successor', order: [0, 1] },
  { first: 'successor', last: 'broker that leaves', order: [1, 0] },
])('a claim that the $first has let go of still gets what comes from the $last', async ({ order: [first, last] }) => {
  await using broker = await StandIn.start(greetAndGrant)
  const { queue, calls } = await leftBehind(broker)
  await expect.poll(() => broker.heard.at(1)).toContain(FRAME_CLAIM)
  await broker.settle(1)
  void queue.shutdown().then(() => calls.push('shut down'))
  for (const index of [0, 1]) await expect.poll(() => broker.heard[index]).toContain(FRAME_RELEASE)
  broker.send(first!, frame(FRAME_RELEASED, 0, ''))
  await broker.settle(first!)
  broker.send(last!, ...requestFor(0), frame(FRAME_RELEASED, 0, ''))
  await expect.poll(() => calls).toEqual(['request', 'shut down'])
})

test('a claim that is given back before the successor answers is not made again, and gets what still comes', async () => {
  await using broker = await StandIn.start((socket, type, id, index) => {
    if (index === 0) greetAndGrant(socket, type, id)
  })
  const { queue, calls } = await leftBehind(broker)
  await expect.poll(() => broker.heard.at(1)).toEqual([FRAME_HELLO])
  void queue.shutdown().then(() => calls.push('shut down'))
  await expect.poll(() => broker.heard[0]).toContain(FRAME_RELEASE)
  broker.send(0, ...requestFor(0), frame(FRAME_RELEASED, 0, ''))
  await expect.poll(() => calls).toEqual(['request', 'shut down'])
  broker.send(1, HELLO)
  // Nor does the successor wait for a process that has nothing there.
  await expect.poll(() => broker.ended).toContain(1)
  expect(broker.heard[1]).toEqual([FRAME_HELLO])
})

test('a broker that has handed its ports over, and has not said so yet, is left by those that it refuses', async () => {
  const left = new HttpSysError({ code: 'ECONNRESET', syscall: 'listen', subject: '', reason: 'left', remedy: '' })
  await using broker = await StandIn.start((socket, type, id, index) => {
    if (type !== FRAME_CLAIM || index !== 0 || id === 0) return greetAndGrant(socket, type, id)
    socket.write(frame(FRAME_REFUSED, id, encodeRefused(left)))
  })
  const session = new BrokerSession(broker.directory)
  const listener: Partial<ExchangeListener> = { onQueueLost() {} }
  const queues = [await session.open(UrlPrefix.parse('http://localhost:1024/1/'), listener as ExchangeListener)]
  queues.push(await session.open(UrlPrefix.parse('http://localhost:1024/2/'), listener as ExchangeListener))
  const both = [FRAME_HELLO, FRAME_CLAIM, FRAME_CLAIM]
  await expect.poll(() => broker.heard).toEqual([both, both])
  broker.send(0, frame(FRAME_LEAVING, 0, ''))
  await broker.settle(0)
  expect(broker.heard).toHaveLength(2)
  for (const queue of queues) void queue.shutdown()
})

test('a claim that is taken over at the successor still gets what comes from the broker that leaves', async () => {
  await using broker = await StandIn.start(greetAndGrant)
  const { calls } = await leftBehind(broker)
  await expect.poll(() => broker.heard.at(1)).toContain(FRAME_CLAIM)
  broker.send(1, frame(FRAME_REVOKED, 0, ''))
  for (const index of [0, 1]) await expect.poll(() => broker.heard[index]).toContain(FRAME_RELEASE)
  broker.send(1, frame(FRAME_RELEASED, 0, ''))
  await broker.settle(1)
  broker.send(0, ...requestFor(0), frame(FRAME_RELEASED, 0, ''))
  await expect.poll(() => calls).toEqual(['revoked', 'request', 'shut down'])
})

test('that a broker which leaves has granted the claim does not count for its successor', async () => {
  await using broker = await StandIn.start((socket, type, id, index) => {
    if (index === 0 || type === FRAME_HELLO) greetAndGrant(socket, type, id)
  })
  const { calls } = await leftBehind(broker)
  await expect.poll(() => broker.heard.at(1)).toContain(FRAME_CLAIM)
  // One of its threads says so late.
  broker.send(0, frame(FRAME_CLAIMED, 0, GRANTED))
  await broker.settle(0)
  broker.send(1, frame(FRAME_REFUSED, 0, encodeRefused(new Error('the prefix is taken'))))
  await expect.poll(() => calls).toEqual(['lost'])
})

test('a claim that a broker which leaves has taken away late stays at its successor', async () => {
  await using broker = await StandIn.start(greetAndGrant)
  const { queue, calls } = await leftBehind(broker)
  await expect.poll(() => broker.heard.at(1)).toContain(FRAME_CLAIM)
  broker.send(0, frame(FRAME_REVOKED, 0, ''))
  await broker.settle(0)
  broker.send(1, ...requestFor(0))
  await expect.poll(() => calls).toEqual(['request'])
  void queue.shutdown()
})

test('a claim that the broker does not answer fails after a minute, is given back, and leaves others alone', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    await using broker = await StandIn.start((socket, type, id, index) => {
      if (type !== FRAME_CLAIM || id === 0) greetAndGrant(socket, type, id)
      if (type === FRAME_RELEASE) broker.send(index, frame(FRAME_CLAIMED, id, GRANTED), frame(FRAME_RELEASED, id, ''))
    })
    const session = new BrokerSession(broker.directory)
    const calls: string[] = []
    const listener = { onRequest: () => void calls.push('request'), onLost() {} } as unknown as ExchangeListener
    const first = await session.open(UrlPrefix.parse('http://localhost:1024/1/'), listener)
    const failed = expect(session.open(UrlPrefix.parse('http://localhost:1024/2/'), listener)).rejects.toMatchObject({
      code: 'ETIMEDOUT',
      subject: 'http://localhost:1024/2/',
    })
    await expect.poll(() => broker.heard[0]).toEqual([FRAME_HELLO, FRAME_CLAIM, FRAME_CLAIM])
    await vi.advanceTimersByTimeAsync(60_000)
    await failed
    await expect.poll(() => broker.heard[0]).toContain(FRAME_RELEASE)
    broker.send(0, ...requestFor(0))
    await expect.poll(() => calls).toEqual(['request'])
    await first.shutdown()
  } finally {
    vi.useRealTimers()
  }
})

test('clients’ connections are closed with the broker that they came over', async () => {
  await using broker = await StandIn.start((socket, type, id) => {
    greetAndGrant(socket, type, id)
    if (type === FRAME_RELEASE) socket.write(frame(FRAME_RELEASED, id, ''))
  })
  const calls: string[] = []
  const listener: Partial<ExchangeListener> = {
    onRequest: ({ connection }) => {
      calls.push('request')
      connection.onClosed = () => calls.push('closed')
    },
    onLost: () => void calls.push('lost'),
    onQueueLost() {},
  }
  const session = new BrokerSession(broker.directory)
  const queue = await session.open(UrlPrefix.parse('http://localhost:1024/1/'), listener as ExchangeListener)
  broker.send(0, ...requestFor(0))
  await expect.poll(() => calls).toEqual(['request'])
  broker.lose(0)
  await expect.poll(() => calls).toEqual(['request', 'lost', 'closed'])
  await expect.poll(() => broker.heard.at(1)).toContain(FRAME_CLAIM)
  await queue.shutdown()
})

/** Milliseconds for clients that connect, ask once, and go, of a process with so many claims; the fastest of some tries. */
async function timeOfClients(claims: number): Promise<number> {
  const CLIENTS = 200
  let left = 0
  let allHaveGone = (): void => {}
  const listener: Partial<ExchangeListener> = {
    onRequest(exchange) {
      exchange.connection.onClosed = () => {
        if (--left === 0) allHaveGone()
      }
      exchange.cancel()
    },
  }
  await using broker = await StandIn.start((socket, type, id) => {
    greetAndGrant(socket, type, id)
    if (type === FRAME_RELEASE) socket.write(frame(FRAME_RELEASED, id, ''))
  })
  const session = new BrokerSession(broker.directory)
  const prefix = UrlPrefix.parse('http://localhost:1024/1/')
  const opened = Array.from({ length: claims }, () => session.open(prefix, { ...listener } as ExchangeListener))
  const queues = await Promise.all(opened)
  const client = Buffer.concat([...requestFor(0), frame(FRAME_CONNECTION_CLOSED, 0, '')])
  let fastest = Infinity
  for (let round = 0; round < 20; round++) {
    left = CLIENTS
    const gone = new Promise<void>((resolve) => (allHaveGone = resolve))
    const start = performance.now()
    broker.send(0, ...Array<Buffer>(CLIENTS).fill(client))
    await gone
    fastest = Math.min(fastest, performance.now() - start)
  }
  await Promise.all(queues.map((queue) => queue.shutdown()))
  return fastest
}

test('what a client costs does not depend on how many claims the process has', async () => {
  const few = await timeOfClients(10)
  const many = await timeOfClients(10_000)
  expect(many / few).toBeLessThan(2)
})
