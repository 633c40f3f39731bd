import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { decodeClaimed, decodeRefused, encodeClaim } from '../../src/broker/protocol/claims.ts'
import type { Claim } from '../../src/broker/protocol/claims.ts'
import {
  FLAG_END,
  FRAME_BLOCK_FREE,
  FRAME_BODY,
  FRAME_BODY_BLOCK,
  FRAME_CLAIM,
  FRAME_CLAIMED,
  FRAME_CREDIT,
  FRAME_HELLO,
  FRAME_REFUSED,
  FRAME_RELEASE,
  FRAME_RELEASED,
  FRAME_REQUEST,
  FRAME_RESPONSE,
  FRAME_REVOKED,
  HELLO_BLOCKS,
  RELEASE_HOLD,
  RESPONSE_FLAG_CACHE,
  RESPONSE_FLAG_HAS_LENGTH,
  RESPONSE_FLAG_OPAQUE,
} from '../../src/broker/protocol/frames.ts'
import { decodeHello, encodeHello } from '../../src/broker/protocol/hello.ts'
import type { ThreadTicket } from '../../src/broker/protocol/hello.ts'
import type { Delivery } from '../../src/broker/rings/delivery.ts'
import { BLOCKS_BYTES, BLOCK_COUNT } from '../../src/broker/blocks/block-memory.ts'
import { receiveAnswer } from '../../src/broker/client/receive-answer.ts'
import { mapSharedMemory } from '../../src/sockets/shared-memory.ts'
import { encodeFrame, frameRecorder } from './frames.ts'
import type { Frame } from './frames.ts'
import { RawRings } from './raw-rings.ts'

/** Limits of a private port: none. */
export const PRIVATE = { headersTimeout: 0, requestTimeout: 0, maxHeaderBytes: 0 }

/** A request as an owner gets it. */
export interface OwnedRequest {
  readonly id: number
  readonly head: string
  readonly body: string
}

/** An owner process as the broker sees one, whose death is a method call. */
export class RawOwner implements Disposable {
  readonly frames: Frame[]
  readonly #socket: Socket
  /** null: frames go over the socket. */
  readonly rings: RawRings | null
  /** The process that has answered HELLO. */
  brokerPid = 0
  /** How to connect to the broker's other threads. */
  threads: ThreadTicket | undefined
  /** Memory in common with the broker. */
  blocks = Buffer.alloc(0)
  #nextClaim = 0
  #isSlowToEnd = false
  readonly #waiting: (() => void)[] = []

  private constructor(socket: Socket, rings: RawRings | null) {
    this.#socket = socket
    this.rings = rings
    const { reader, frames } = frameRecorder()
    this.frames = frames
    const onBytes = (chunk: Buffer): void => {
      reader.push(Buffer.from(chunk), 0, chunk.length)
      this.#wake()
    }
    if (rings === null) socket.on('data', onBytes)
    else rings.onBytes = onBytes
    socket.on('end', () => {
      if (!this.#isSlowToEnd) socket.end()
    })
    socket.on('error', () => {})
    socket.on('close', () => this.#wake())
  }

  /** With blocks for its bodies. */
  static async openWithBlocks(socketPath: string): Promise<RawOwner> {
    const socket = connect({ path: socketPath, allowHalfOpen: true }).pause()
    await once(socket, 'connect')
    const owner = new RawOwner(socket, null)
    socket.pause()
    owner.send({ type: FRAME_HELLO, flags: HELLO_BLOCKS, payload: Buffer.from(encodeHello(process.pid)) })
    const answer = await receiveAnswer(socket, 4096)
    const [descriptor] = answer?.descriptors ?? []
    if (descriptor === undefined) throw new Error('the broker gives no blocks')
    owner.blocks = Buffer.from(mapSharedMemory(descriptor, BLOCKS_BYTES).bytes)
    closeSync(descriptor)
    socket.resume()
    for (let block = 0; block < BLOCK_COUNT; block++) owner.send({ type: FRAME_BLOCK_FREE, aux: block })
    return owner
  }

  /** @param ticket - of one of the broker's threads; the first, unless given */
  static async open(socketPath: string, delivery: Delivery = 'sockets', ticket?: ThreadTicket): Promise<RawOwner> {
    const socket = connect({ path: socketPath, allowHalfOpen: true })
    if (delivery === 'rings') return new RawOwner(socket, await RawRings.open(socket))
    await once(socket, 'connect')
    const owner = new RawOwner(socket, null)
    owner.send({ type: FRAME_HELLO, payload: Buffer.from(encodeHello(process.pid, ticket)) })
    const { payload } = await owner.next(FRAME_HELLO)
    const { pid, ticket: threads } = decodeHello(payload.toString())
    owner.brokerPid = pid
    owner.threads = threads
    return owner
  }

  /** A process that has not said HELLO. */
  static async silent(socketPath: string): Promise<RawOwner> {
    const socket = connect(socketPath)
    await once(socket, 'connect')
    return new RawOwner(socket, null)
  }

  #wake(): void {
    for (const resume of this.#waiting.splice(0)) resume()
  }

  /** Ends its side, and waits for the broker's end. */
  async end(): Promise<void> {
    this.#socket.end()
    while (!this.isClosed) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  get isClosed(): boolean {
    return this.#socket.closed
  }

  send(frame: Partial<Frame> & { type: number }): void {
    this.sendBytes(encodeFrame({ flags: 0, aux: 0, id: 0, payload: Buffer.alloc(0), ...frame }))
  }

  /** Sends bytes that may be no frame. */
  sendBytes(bytes: Buffer): void {
    if (this.rings === null) this.#socket.write(bytes)
    else this.rings.send(bytes)
  }

  /** Claims a prefix; resolves with what the broker says. */
  async claim(
    href: string,
    options: Partial<Omit<Claim, 'href'>> = {},
  ): Promise<{ id: number; port: number; epoch: number } | 'revoked'> {
    const id = this.#nextClaim++
    const { mode = 'create', settings = {} } = options
    this.send({ type: FRAME_CLAIM, id, payload: Buffer.from(encodeClaim({ ...options, href, mode, settings })) })
    const frame = await this.next(FRAME_CLAIMED, FRAME_REFUSED, FRAME_REVOKED)
    if (frame.type === FRAME_REVOKED) return 'revoked'
    if (frame.type === FRAME_REFUSED) throw decodeRefused(frame.payload.toString())
    const { port, epoch: granted } = decodeClaimed(frame.payload.toString())
    return { id, port, epoch: granted }
  }

  async release(id: number, isHeld = false): Promise<void> {
    this.send({ type: FRAME_RELEASE, flags: isHeld ? RELEASE_HOLD : 0, id })
    await this.next(FRAME_RELEASED)
  }

  /** The next frame of one of these types, taken out of the list; rejects when the broker cuts the connection. */
  async next(...types: number[]): Promise<Frame> {
    for (;;) {
      const index = this.frames.findIndex((frame) => types.includes(frame.type))
      if (index !== -1) return this.frames.splice(index, 1)[0]!
      if (this.isClosed) throw new Error('the broker closed the connection')
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  /** The next request with the part of the body that came with it. */
  async request(): Promise<OwnedRequest> {
    const { id, payload } = await this.next(FRAME_REQUEST)
    const headEnd = 16 + payload.readUInt16LE(14)
    return { id, head: payload.toString('latin1', 16, headEnd), body: payload.toString('latin1', headEnd) }
  }

  /** How much more of a response is granted. */
  async credit(): Promise<number> {
    return (await this.next(FRAME_CREDIT)).payload.readUInt32LE(0)
  }

  /** The next piece of a request's body. */
  async body(): Promise<string> {
    return (await this.next(FRAME_BODY)).payload.toString('latin1')
  }

  /** A whole response, or as much of it as `body` is of `length`. */
  respond(id: number, body: string, length = body.length): void {
    const payload = Buffer.alloc(16 + body.length)
    payload.writeUInt32LE(length, 0)
    payload.write(body, 16, 'latin1')
    const isLast = length === body.length ? FLAG_END : 0
    this.send({ type: FRAME_RESPONSE, flags: RESPONSE_FLAG_HAS_LENGTH | isLast, aux: 200, id, payload })
  }

  /** A whole response that may be cached for so many seconds; the length may be a lie, and fields may be added. */
  respondForAll(id: number, body: string, seconds: number, fields = '', length = body.length): void {
    const payload = Buffer.alloc(20 + fields.length + body.length)
    payload.writeUInt32LE(length, 0)
    payload.writeUInt32LE(fields.length, 8)
    payload.writeUInt32LE(seconds, 16)
    payload.write(fields + body, 20, 'latin1')
    const flags = RESPONSE_FLAG_HAS_LENGTH | RESPONSE_FLAG_CACHE | FLAG_END
    this.send({ type: FRAME_RESPONSE, flags, aux: 200, id, payload })
  }

  /** A piece of a body in a block; all of it may be a lie. */
  respondInBlock(id: number, block: number, length: number, isLast = false): void {
    const payload = Buffer.alloc(4)
    payload.writeUInt32LE(length, 0)
    this.send({ type: FRAME_BODY_BLOCK, flags: isLast ? FLAG_END : 0, aux: block, id, payload })
  }

  /** Leaves HTTP for another protocol. */
  switchProtocols(id: number, protocol: string): void {
    const fields = `Upgrade: ${protocol}\r\n`
    const payload = Buffer.alloc(16 + fields.length)
    payload.writeUInt32LE(fields.length, 8)
    payload.write(fields, 16, 'latin1')
    this.send({ type: FRAME_RESPONSE, flags: RESPONSE_FLAG_OPAQUE, aux: 101, id, payload })
  }

  /** Has not seen yet, when the broker ends its side, that it has. */
  beSlowToEnd(): void {
    this.#isSlowToEnd = true
  }

  /** Stops to read, as a process does that is stopped. */
  stop(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** As a process that is killed. */
  die(): void {
    this.#socket.destroy()
  }

  [Symbol.dispose](): void {
    this.die()
  }
}
