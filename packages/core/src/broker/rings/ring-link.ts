import type { SharedMemory } from '../../sockets/shared-memory.ts'
import { RingReader } from './ring-reader.ts'
import { ringOf } from './ring-memory.ts'
import type { Side } from './ring-memory.ts'
import { RingWriter } from './ring-writer.ts'

/** What a side does with its pair of rings. */
export interface RingEvents {
  /** Frames have come; the bytes are valid during the call only. */
  onBytes(bytes: Buffer, start: number, end: number): void
  /** Writes one byte to the local socket, which wakes the other side. */
  ringDoorbell(): void
  /** The other side has written what can't be: nothing that it says can be trusted any more. */
  onBroken(reason: string): void
}

/**
 * The two rings between an owner and its broker, seen from one side. The local socket stays: it tells when the other side is gone,
 * and carries the doorbell.
 *
 * A side that finds nothing to read says that it sleeps, looks once more, and only then waits; who writes publishes first and
 * looks then whether the other sleeps. Whatever the order of these four, the writer rings or the reader sees
 * (test/broker/rings/wake-up-model.ts).
 */
export class RingLink {
  readonly #memory: SharedMemory
  readonly #reader: RingReader
  readonly #writer: RingWriter
  #onDrained: (() => void) | null = null
  #isClosed = false
  /** For who looks after several of them: whether it is looked at in every turn, and in how many of them nothing had come. */
  isWatched = false
  silentTurns = 0

  constructor(memory: SharedMemory, side: Side, events: RingEvents) {
    this.#memory = memory
    const other = side === 'broker' ? 'owner' : 'broker'
    const ring = (): void => events.ringDoorbell()
    const onBroken = (reason: string): void => events.onBroken(reason)
    this.#reader = new RingReader(
      ringOf(memory.bytes, other),
      (bytes, start, end) => events.onBytes(bytes, start, end),
      ring,
      onBroken,
      side === 'owner',
    )
    this.#writer = new RingWriter(ringOf(memory.bytes, side), ring, onBroken)
  }

  /** Sends copies of the chunks; they must not change until `done` is called, in any case, with whether they were sent. */
  send(chunks: Buffer[], done: (isSent: boolean) => void): void {
    this.#writer.send(chunks, done)
  }

  /** Looks at both rings; returns whether frames had come. */
  poll(): boolean {
    if (this.#writer.hasQueued) this.#pump()
    return this.#reader.read()
  }

  /** Says that the doorbell is needed from now on; returns whether something came before that could be seen. */
  sleep(): boolean {
    return this.#reader.sleep()
  }

  /** Says that this side looks by itself. */
  wake(): void {
    this.#reader.wake()
  }

  /** Reads all that is there: the other side is gone, or has just sent its last. */
  drain(): void {
    // One ring full, and what a live but hostile process adds meanwhile, once.
    for (let turn = 0; turn < 2 && this.#reader.read(); turn++);
  }

  /** Calls back once everything that was to be sent is in the ring. */
  afterSending(callback: () => void): void {
    if (this.#writer.hasQueued) this.#onDrained = callback
    else callback()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#reader.close()
    this.#writer.close()
    // SAFETY: this may be called from within a read or a write; only when they have returned nobody has an address of the memory left.
    setImmediate(() => this.#memory.close())
  }

  #pump(): void {
    this.#writer.pump()
    if (this.#writer.hasQueued) return
    const onDrained = this.#onDrained
    this.#onDrained = null
    onDrained?.()
  }
}
