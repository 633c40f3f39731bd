import type { IpcNetConnectOpts, Socket } from 'node:net'
import { HttpSysError } from '../../base/errors.ts'
import { ringDoorbell } from '../../sockets/doorbell.ts'
import { libc } from '../../sockets/libc.ts'
import { sendNow } from '../../sockets/send-now.ts'
import { hasSharedMemory, mapSharedMemory } from '../../sockets/shared-memory.ts'
import { BLOCKS_BYTES, BLOCK_COUNT } from '../blocks/block-memory.ts'
import { OwnerBlocks } from '../blocks/owner-blocks.ts'
import { FrameReader } from '../protocol/frame-reader.ts'
import type { OnFrame } from '../protocol/frame-reader.ts'
import { FrameWriter } from '../protocol/frame-writer.ts'
import { FRAME_BLOCK_FREE, FRAME_HELLO, HEADER_BYTES, HELLO_BLOCKS, HELLO_RINGS } from '../protocol/frames.ts'
import { decodeHello, encodeHello } from '../protocol/hello.ts'
import type { ThreadTicket } from '../protocol/hello.ts'
import { noRings } from '../rings/delivery.ts'
import { RingLink } from '../rings/ring-link.ts'
import { MEMORY_BYTES } from '../rings/ring-memory.ts'
import { descriptorOf } from './descriptor-of.ts'
import { receiveAnswer } from './receive-answer.ts'

/** A broker answers at once, unless it is stopped or the machine is very busy. */
const HELLO_TIMEOUT_MS = 15_000
/** As much as a local socket holds: a frame that lies in two reads is copied once more. */
const READ_BYTES = 256 * 1024
/** More than any HELLO needs. */
const MAX_ANSWER_BYTES = 4096

/** A connection on which both sides have said HELLO. */
export interface OpenConnection {
  readonly socket: Socket
  readonly writer: FrameWriter
  /** null: frames go over the socket. */
  readonly rings: RingLink | null
  /** null: bodies go in frames. */
  readonly blocks: OwnerBlocks | null
  /** How to connect to the broker's other threads, and in place of `thread` how many there are, the first included. */
  readonly threads: ThreadTicket | undefined
}

/** Makes a socket to the broker; a paused one has not been read when it is there. */
export type ConnectSocket = (options: Omit<IpcNetConnectOpts, 'path'>, isPaused: boolean) => Promise<Socket>

/** What frames are for. */
export interface FrameEvents {
  readonly onFrame: OnFrame
  /** All that has come has been handed over. Returns whether nothing is under way: what is to be sent need not wait for more of this turn. */
  onBatchEnd(): boolean
}

/**
 * Says HELLO to the broker on a new socket; `events` get all frames behind its own.
 *
 * @throws HttpSysError `ETIMEDOUT` when it says nothing, `EPROTO` when it is of another version, `ECONNRESET` when it was just
 * leaving, `ENOTSUP` when rings can't be had, and what `connectSocket` throws
 * @param memory - what memory in common is asked for, as HELLO_ flags; whether blocks are to be had is no failure
 * @param ticket - of the thread that is to be connected to; the first, unless given
 */
export async function openConnection(
  connectSocket: ConnectSocket,
  events: FrameEvents,
  memory: number,
  ticket?: ThreadTicket,
): Promise<OpenConnection> {
  const opening = new Opening(events, ticket)
  const asksForRings = (memory & HELLO_RINGS) !== 0
  if (asksForRings && !hasSharedMemory()) throw noRings('this system has no sealed shared memory')
  const wanted = hasSharedMemory() ? memory : 0
  await opening.connect(connectSocket, wanted !== 0)
  await opening.greet(wanted)
  const { rings, blocks } = opening
  if (asksForRings && rings === null) {
    opening.socket.destroy()
    throw noRings('the broker gives none')
  }
  return { socket: opening.socket, writer: opening.writer, rings, blocks, threads: opening.threads }
}

/** connecting ──▶ greeting ──HELLO──▶ open */
class Opening {
  socket!: Socket
  readonly writer: FrameWriter
  threads: ThreadTicket | undefined
  readonly #reader: FrameReader
  readonly #events: FrameEvents
  readonly #ticket: ThreadTicket | undefined
  rings: RingLink | null = null
  blocks: OwnerBlocks | null = null
  /** Its flags; -1 while the broker has not said HELLO. */
  #helloFlags = -1
  #onHello: ((error?: unknown) => void) | null = null

  constructor(events: FrameEvents, ticket: ThreadTicket | undefined) {
    this.#events = events
    this.#ticket = ticket
    const { onFrame } = events
    this.#reader = new FrameReader((type, flags, aux, id, bytes, view, start, end) => {
      if (this.#helloFlags !== -1) return onFrame(type, flags, aux, id, bytes, view, start, end)
      if (type === FRAME_HELLO) this.threads = decodeHello(bytes.toString('latin1', start + HEADER_BYTES, end)).ticket
      this.#helloFlags = flags
      this.#onHello?.()
    })
    this.writer = new FrameWriter((chunks, done) => {
      if (this.rings === null) transmit(this.socket, chunks, done)
      else this.rings.send(chunks, done)
    })
  }

  async connect(connectSocket: ConnectSocket, isPaused: boolean): Promise<void> {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
    const callback = (length: number): boolean => {
      if (this.rings === null) this.#push(buffer, 0, length)
      else hear(this.rings)
      return true
    }
    this.socket = await connectSocket({ onread: { buffer, callback } }, isPaused)
    this.socket.on('error', () => {})
  }

  /**
   * Both sides say HELLO.
   *
   * @param wanted - HELLO_ flags; some memory is asked for: the socket is paused
   */
  async greet(wanted: number): Promise<void> {
    const { socket } = this
    const timer = setTimeout(() => {
      this.#onHello?.(silent())
      socket.destroy()
    }, HELLO_TIMEOUT_MS)
    try {
      const said = new Promise<void>((resolve, reject) => {
        this.#onHello = (error) => (error === undefined ? resolve() : reject(error as Error))
        socket.once('close', () => reject(lost()))
        this.writer.text(FRAME_HELLO, wanted, 0, 0, encodeHello(process.pid, this.#ticket), 'latin1')
      })
      await (wanted === 0 ? said : Promise.all([said, this.#receiveMemory()]))
    } finally {
      this.#onHello = null
      clearTimeout(timer)
    }
  }

  async #receiveMemory(): Promise<void> {
    const { socket } = this
    const answer = await receiveAnswer(socket, MAX_ANSWER_BYTES)
    if (answer === undefined) return
    const { bytes, descriptors } = answer
    if (bytes.length === 0) return void socket.destroy()
    try {
      this.#push(bytes, 0, bytes.length)
      // There are fewer when this process has no descriptors left.
      const given = [...descriptors]
      const rings = (this.#helloFlags & HELLO_RINGS) === 0 ? undefined : given.shift()
      const blocks = (this.#helloFlags & HELLO_BLOCKS) === 0 ? undefined : given.shift()
      if (rings !== undefined) this.rings = this.#openRings(rings)
      if (blocks !== undefined) this.#openBlocks(blocks)
    } finally {
      // Not by `closeSync`: in a worker thread Node warns of files that it has not opened itself.
      for (const descriptor of descriptors) libc()!.close(descriptor)
    }
    socket.resume()
    // Until it says that it sleeps nobody rings.
    if (this.rings !== null) hear(this.rings)
  }

  #openBlocks(descriptor: number): void {
    this.blocks = new OwnerBlocks(mapSharedMemory(descriptor, BLOCKS_BYTES))
    for (let block = 0; block < BLOCK_COUNT; block++) this.writer.signal(FRAME_BLOCK_FREE, 0, block, 0)
  }

  #openRings(descriptor: number): RingLink {
    const { socket } = this
    return new RingLink(mapSharedMemory(descriptor, MEMORY_BYTES), 'owner', {
      onBytes: (bytes, start, end) => this.#push(bytes, start, end),
      ringDoorbell: () => ringDoorbell(descriptorOf(socket)),
      // The broker is trusted; what it can't have written was written by this process.
      onBroken: (reason) => socket.destroy(new Error(reason)),
    })
  }

  #push(bytes: Buffer, start: number, end: number): void {
    const { writer } = this
    writer.hold()
    try {
      this.#reader.push(bytes, start, end)
    } catch (error) {
      // What was under way is lost with the connection, and nobody else says why.
      if (this.#onHello === null) process.emitWarning(error as Error)
      else this.#onHello(error)
      this.socket.destroy(error as Error)
    } finally {
      writer.release(this.#events.onBatchEnd())
    }
  }
}

/** What is read in one turn at most: answers leave at its end, and the app has other things to do. */
const MAX_BATCHES = 8

/** The doorbell has been rung: reads until there is nothing left. */
function hear(rings: RingLink): void {
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    if (!rings.poll() && !rings.sleep()) return
  }
  setImmediate(hear, rings)
}

function transmit(socket: Socket, chunks: Buffer[], done: (isSent: boolean) => void): void {
  const chunk = chunks[0]!
  if (chunks.length === 1 && socket.writableLength === 0) {
    // Nearly always the kernel takes all of it, and what node:net does for a write that may have to wait costs more than the call.
    const sent = sendNow(descriptorOf(socket), chunk)
    if (sent === chunk.length) return done(true)
    if (sent > 0) chunks[0] = chunk.subarray(sent)
  }
  const last = chunks.length - 1
  if (last > 0) socket.cork()
  for (let index = 0; index < last; index++) socket.write(chunks[index]!)
  socket.write(chunks[last]!, (error) => done(error === null || error === undefined))
  if (last > 0) socket.uncork()
}

function silent(): HttpSysError {
  return new HttpSysError({
    code: 'ETIMEDOUT',
    syscall: 'connect',
    subject: 'httpsys broker',
    reason: `it takes connections but has not answered within ${HELLO_TIMEOUT_MS / 1000} s`,
    remedy: 'Look whether its process is stopped or very busy; when it is killed a new one is started.',
  })
}

/** The broker closed the connection. */
export function lost(): HttpSysError {
  return new HttpSysError({
    code: 'ECONNRESET',
    syscall: 'connect',
    subject: 'httpsys broker',
    reason: 'the broker closed the connection',
    remedy: 'Try again: a new broker is started when none runs.',
  })
}
