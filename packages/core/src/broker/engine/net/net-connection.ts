import { Socket } from 'node:net'
import { unsentBytes } from '../../../sockets/unsent-bytes.ts'
import type { EngineConnection, EngineConnectionHandler } from '../engine.ts'

/** One buffer for all reads: every read is consumed before the next one starts. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024)

/** Copies from this size on are made in buffers that are used again. */
const POOLED_BYTES = 16 * 1024
const MAX_SPARE_BUFFERS = 32
const spareBuffers: Buffer[] = []

/** libuv's handle of an accepted socket; `pauseOnConnect` leaves it idle, so a reader of our own can take it over. */
interface SocketHandle {
  reading: boolean
  readonly fd: number
}
interface SocketWithHandle {
  _handle: SocketHandle | null
}

/** A connection on node:net. */
export class NetConnection implements EngineConnection {
  handler!: EngineConnectionHandler
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly #socket: Socket

  constructor(accepted: Socket) {
    this.remoteAddress = accepted.remoteAddress ?? ''
    this.remotePort = accepted.remotePort ?? 0
    this.localAddress = accepted.localAddress ?? ''
    this.localPort = accepted.localPort ?? 0
    this.#socket = withReadBuffer(accepted, (length) => this.handler.onData(READ_BUFFER, 0, length))
  }

  /** Begins to read; the handler must be set. */
  start(): void {
    const socket = this.#socket
    socket.on('end', () => this.handler.onEnd())
    socket.on('drain', () => this.handler.onDrain())
    // The reason of a failure is of no use to anyone: `close` follows, and a vanished client is no error.
    socket.on('error', () => {})
    socket.on('close', () => this.handler.onClose())
    socket.resume()
  }

  get descriptor(): number {
    return (this.#socket as unknown as SocketWithHandle)._handle?.fd ?? -1
  }

  get isFull(): boolean {
    return this.#socket.writableNeedDrain
  }

  get hasQueued(): boolean {
    return this.#socket.writableLength > 0
  }

  get takenBytes(): number {
    const socket = this.#socket
    return socket.bytesWritten - socket.writableLength - unsentBytes(this.descriptor)
  }

  writeText(latin1: string): void {
    this.#socket.write(latin1, 'latin1')
  }

  write(bytes: Buffer, start: number, end: number): void {
    const length = end - start
    if (length < POOLED_BYTES || length > READ_BUFFER.length) {
      this.#socket.write(Buffer.from(bytes.subarray(start, end)))
      return
    }
    // Large bodies would make garbage faster than it is collected.
    const copy = spareBuffers.pop() ?? Buffer.allocUnsafeSlow(READ_BUFFER.length)
    bytes.copy(copy, 0, start, end)
    this.#socket.write(copy.subarray(0, length), () => {
      if (spareBuffers.length < MAX_SPARE_BUFFERS) spareBuffers.push(copy)
    })
  }

  writeChunks(chunks: Buffer[], done: (isSent: boolean) => void): void {
    const socket = this.#socket
    const last = chunks.length - 1
    if (last > 0) socket.cork()
    for (let index = 0; index < last; index++) socket.write(chunks[index]!)
    // node:net reports no error for what a socket had queued when it was destroyed.
    socket.write(chunks[last]!, (error) => done(!error && !socket.destroyed))
    if (last > 0) socket.uncork()
  }

  cork(): void {
    this.#socket.cork()
  }

  uncork(): void {
    this.#socket.uncork()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

/**
 * Moves an accepted, paused socket onto one that reads into {@link READ_BUFFER}.
 *
 * node:net offers `onread` (no stream machinery and no allocation per read) to client sockets only; the constructor takes an
 * existing handle too, which is how node:net itself wraps accepted ones.
 */
function withReadBuffer(accepted: Socket, onBytes: (length: number) => void): Socket {
  const holder = accepted as unknown as SocketWithHandle
  const handle = holder._handle
  holder._handle = null
  const socket = new Socket({
    ...(handle === null ? {} : { handle }),
    allowHalfOpen: true,
    readable: true,
    writable: true,
    onread: {
      buffer: READ_BUFFER,
      callback(length: number): boolean {
        onBytes(length)
        return true
      },
    },
  } as ConstructorParameters<typeof Socket>[0])
  // Gone between accept and now: `close` is all that follows.
  if (handle === null) socket.destroy()
  return socket
}
