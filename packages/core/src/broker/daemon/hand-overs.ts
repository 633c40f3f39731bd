import type { EngineConnection, EngineConnectionHandler } from '../engine/engine.ts'
import { receiveDescriptors } from '../../sockets/descriptor-passing.ts'
import { libc } from '../../sockets/libc.ts'

/** An owner sends its descriptors and its claim at once; the rest is for a machine under load. */
const TIMEOUT_MS = 15_000
/** Each has a descriptor. When more come than processes that start together make, the oldest go. */
const MAX_WAITING = 64

interface HandOver {
  readonly connection: EngineConnection
  readonly timer: NodeJS.Timeout
}

/**
 * Connections over which owners hand over sockets that listen already.
 *
 * admitted (paused: an ordinary read would drop the descriptors) ──claim names it──▶ taken
 *                                                                ──15 s──▶ dropped
 */
export class HandOvers implements EngineConnectionHandler {
  readonly #waiting = new Map<string, HandOver>()

  /** Holds a connection, which must be paused, until a claim names it. */
  admit(name: string, connection: EngineConnection): void {
    connection.handler = this
    this.#drop(name)
    for (const [oldest] of this.#waiting) if (this.#waiting.size >= MAX_WAITING) this.#drop(oldest)
    const timer = setTimeout(() => this.#drop(name), TIMEOUT_MS)
    timer.unref()
    this.#waiting.set(name, { connection, timer })
  }

  /** The descriptors that came over a connection, which is closed; they belong to the caller. Empty when there are none. */
  take(name: string): number[] {
    const connection = this.#waiting.get(name)?.connection
    const library = libc()
    if (connection === undefined || library === null) return []
    const descriptors = receiveDescriptors(library, connection.descriptor)
    this.#drop(name)
    return descriptors
  }

  close(): void {
    for (const name of this.#waiting.keys()) this.#drop(name)
  }

  #drop(name: string): void {
    const waiting = this.#waiting.get(name)
    if (waiting === undefined) return
    this.#waiting.delete(name)
    clearTimeout(waiting.timer)
    waiting.connection.destroy()
  }

  onData(): void {}
  onEnd(): void {}
  onDrain(): void {}
  onClose(): void {}
}
