import type { Socket } from 'node:net'
import { ringDoorbell } from '../../../sockets/doorbell.ts'
import { unsentBytes } from '../../../sockets/unsent-bytes.ts'
import type { EngineConnection, EngineConnectionHandler } from '../engine.ts'

/** Copies from this size on are made in buffers that are used again. */
const POOLED_BYTES = 16 * 1024
const SPARE_BYTES = 64 * 1024
const MAX_SPARE_BUFFERS = 32
const spareBuffers: Buffer[] = []

/** Both ends of a connection. */
export interface SocketAddresses {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
}

/** Read while the socket has its handle: it knows nothing without. */
export function addressesOf(socket: Socket): SocketAddresses {
  const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = socket
  return { remoteAddress, remotePort, localAddress, localPort }
}

/** A connection on a socket of Node's; how it is read is the subclass's. */
export class SocketConnection implements EngineConnection {
  handler!: EngineConnectionHandler
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly #socket: Socket

  constructor(addresses: SocketAddresses, socket: Socket) {
    this.remoteAddress = addresses.remoteAddress
    this.remotePort = addresses.remotePort
    this.localAddress = addresses.localAddress
    this.localPort = addresses.localPort
    this.#socket = socket
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
    return (this.#socket as unknown as { _handle: { fd: number } | null })._handle?.fd ?? -1
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
    if (length < POOLED_BYTES || length > SPARE_BYTES) {
      this.#socket.write(Buffer.from(bytes.subarray(start, end)))
      return
    }
    // Large bodies would make garbage faster than it is collected.
    const copy = spareBuffers.pop() ?? Buffer.allocUnsafeSlow(SPARE_BYTES)
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

  defer(callback: () => void): void {
    setImmediate(callback)
  }

  ring(): void {
    ringDoorbell(this.descriptor)
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
