import { closeSync } from 'node:fs'
import { sendDescriptors } from '../../sockets/descriptor-passing.ts'
import { libc } from '../../sockets/libc.ts'
import { createSharedMemory, hasSharedMemory } from '../../sockets/shared-memory.ts'
import type { SharedMemory } from '../../sockets/shared-memory.ts'
import { BLOCKS_BYTES } from '../blocks/block-memory.ts'
import { BrokerBlocks } from '../blocks/broker-blocks.ts'
import type { EngineConnection } from '../engine/engine.ts'
import { HELLO_BLOCKS, HELLO_RINGS } from '../protocol/frames.ts'
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
  /** null: the owner sends bodies in frames. */
  blocks: BrokerBlocks | null = null

  constructor(connection: EngineConnection, options: DeliveryOptions, events: ChannelEvents) {
    this.#connection = connection
    this.#options = options
    this.#events = events
  }

  get delivery(): Delivery {
    return this.#rings === null ? 'sockets' : 'rings'
  }

  /**
   * Makes the memory that the owner asks for, and sends it with the answer to HELLO.
   *
   * @param wanted - HELLO_ flags
   * @param answer - the HELLO frame with the flags of what it gives
   * @returns false when nothing is given, and the answer has to go by itself
   */
  share(wanted: number, answer: (flags: number) => Buffer): boolean {
    const flags = wanted & (HELLO_RINGS | HELLO_BLOCKS)
    if (flags === 0 || this.#options.choice === 'sockets' || !hasSharedMemory()) return false
    try {
      this.#share(flags, answer(flags))
      return true
    } catch {
      // Out of descriptors or memory, or the owner is gone: the socket does as well, or tells.
      return false
    }
  }

  #share(flags: number, answer: Buffer): void {
    const made: { memory: SharedMemory; descriptor: number }[] = []
    try {
      if ((flags & HELLO_RINGS) !== 0) made.push(createSharedMemory(MEMORY_BYTES))
      if ((flags & HELLO_BLOCKS) !== 0) made.push(createSharedMemory(BLOCKS_BYTES))
      sendDescriptors(
        libc()!,
        this.#connection.descriptor,
        made.map(({ descriptor }) => descriptor),
        answer,
      )
    } catch (error) {
      for (const { memory } of made) memory.close()
      throw error
    } finally {
      // The owner has its own by now, or will find them in its socket.
      for (const { descriptor } of made) closeSync(descriptor)
    }
    if ((flags & HELLO_RINGS) !== 0) this.#useRings(made.shift()!.memory)
    if ((flags & HELLO_BLOCKS) !== 0) this.blocks = new BrokerBlocks(made.shift()!.memory)
  }

  #useRings(memory: SharedMemory): void {
    this.#rings = new RingLink(memory, 'broker', {
      onBytes: (bytes, start, end) => this.#events.onFrames(bytes, start, end),
      ringDoorbell: () => this.#connection.ring(),
      onBroken: (reason) => this.#events.onBroken(reason),
    })
    // Until it says that it sleeps nobody rings.
    this.#options.watch.notice(this.#rings)
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
    this.blocks?.close()
  }
}
