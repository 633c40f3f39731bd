import { Duplex } from 'node:stream'
import type { EngineConnection, EngineConnectionHandler } from '../../engine/engine.ts'
import type { Traffic } from './flood-guard.ts'

/** A connection of an engine's as node:http2 wants one: HTTP/2 without TLS, on whichever engine serves the port. */
export class EngineDuplex extends Duplex implements EngineConnectionHandler, Traffic {
  bytesRead = 0
  bytesWritten = 0
  readonly #connection: EngineConnection
  #isPaused = false
  /** What waits for room. */
  #onDrain: (() => void) | null = null

  constructor(connection: EngineConnection) {
    super({ allowHalfOpen: true })
    this.#connection = connection
    connection.handler = this
    // A vanished client is no error; `close` follows.
    this.on('error', () => {})
  }

  onData(bytes: Buffer, start: number, end: number): void {
    this.bytesRead += end - start
    // The bytes are the engine's and hold during this call only.
    if (this.push(Buffer.from(bytes.subarray(start, end))) || this.#isPaused) return
    this.#isPaused = true
    this.#connection.pause()
  }

  onEnd(): void {
    this.push(null)
    // Whoever does not read any more still wants to know.
    this.read(0)
  }

  onDrain(): void {
    const onDrain = this.#onDrain
    this.#onDrain = null
    onDrain?.()
  }

  onClose(): void {
    this.destroy()
  }

  override _read(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#connection.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this._writev([{ chunk }], callback)
  }

  override _writev(chunks: { chunk: Buffer }[], callback: () => void): void {
    const connection = this.#connection
    if (chunks.length > 1) connection.cork()
    for (const { chunk } of chunks) {
      this.bytesWritten += chunk.length
      connection.write(chunk, 0, chunk.length)
    }
    if (chunks.length > 1) connection.uncork()
    if (connection.isFull) this.#onDrain = callback
    else callback()
  }

  override _final(callback: () => void): void {
    this.#connection.end()
    callback()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#connection.destroy()
    this.onDrain()
    callback(error)
  }
}
