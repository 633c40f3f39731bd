import { closeSync } from 'node:fs'
import { sendDescriptors } from '../../sockets/descriptor-passing.ts'
import { libc } from '../../sockets/libc.ts'
import { createSharedMemory, hasSharedMemory } from '../../sockets/shared-memory.ts'
import type { EngineConnection } from '../engine/engine.ts'
import type { Delivery } from '../rings/delivery.ts'
import { RingLink } from '../rings/ring-link.ts'
import { MEMORY_BYTES } from '../rings/ring-memory.ts'
import type { RingWatch } from './ring-watch.ts'

/** How this broker delivers. */
export interface DeliveryOptions {
  /** Undefined: as each owner asks. */
  readonly choice: Delivery | undefined
  readonly watch: RingWatch
}

/** What comes over a channel. */
export interface ChannelEvents {
  onFrames(bytes: Buffer, start: number, end: number): void
  /** The owner has written nonsense into its memory. */
  onBroken(reason: string): void
}

/**
 * The way to one owner and back.
 *
 * socket ──HELLO of an owner that can use rings──▶ rings (the socket is the doorbell) ──▶ closed
 */
export class PeerChannel {
  readonly #connection: EngineConnection
  readonly #options: DeliveryOptions
  readonly #events: ChannelEvents
  #rings: RingLink | null = null

  constructor(connection: EngineConnection, options: DeliveryOptions, events: ChannelEvents) {
    this.#connection = connection
    this.#options = options
    this.#events = events
  }

  get delivery(): Delivery {
    return this.#rings === null ? 'sockets' : 'rings'
  }

  /**
   * Makes rings and sends them with the answer to HELLO.
   *
   * @returns false when the answer has to go by itself, and what follows it over the socket
   */
  openRings(answer: Buffer): boolean {
    if (this.#options.choice === 'sockets' || !hasSharedMemory()) return false
    try {
      this.#rings = this.#makeRings(answer)
      // Until it says that it sleeps nobody rings.
      this.#options.watch.notice(this.#rings)
      return true
    } catch {
      // Out of descriptors or memory, or the owner is gone: the socket does as well, or tells.
      return false
    }
  }

  #makeRings(answer: Buffer): RingLink {
    const { memory, descriptor } = createSharedMemory(MEMORY_BYTES)
    try {
      sendDescriptors(libc()!, this.#connection.descriptor, [descriptor], answer)
    } catch (error) {
      memory.close()
      throw error
    } finally {
      // The owner has its own by now, or will find it in its socket.
      closeSync(descriptor)
    }
    return new RingLink(memory, 'broker', {
      onBytes: (bytes, start, end) => this.#events.onFrames(bytes, start, end),
      ringDoorbell: () => this.#connection.ring(),
      onBroken: (reason) => this.#events.onBroken(reason),
    })
  }

  /** Sends the chunks; they must not change until `done` is called, in any case, with whether they were sent. */
  send(chunks: Buffer[], done: (isSent: boolean) => void): void {
    const rings = this.#rings
    if (rings === null) return this.#connection.writeChunks(chunks, done)
    this.#options.watch.notice(rings)
    rings.send(chunks, done)
  }

  /** The socket has been read: frames, or a doorbell. */
  onData(bytes: Buffer, start: number, end: number): void {
    const rings = this.#rings
    if (rings === null) return this.#events.onFrames(bytes, start, end)
    this.#options.watch.notice(rings)
    rings.poll()
  }

  /** The owner's side has ended: takes what it had sent before. */
  drain(): void {
    this.#rings?.drain()
  }

  /** Ends this side when everything has been sent. */
  end(): void {
    if (this.#rings === null) this.#connection.end()
    else this.#rings.afterSending(() => this.#connection.end())
  }

  close(): void {
    this.#rings?.close()
  }
}
