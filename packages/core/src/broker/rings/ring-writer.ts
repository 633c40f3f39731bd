import { RING_BYTES, distance } from './ring-memory.ts'
import type { RingMemory } from './ring-memory.ts'

const MASK = RING_BYTES - 1

interface Sending {
  readonly chunks: Buffer[]
  readonly done: (isSent: boolean) => void
  /** The chunk that goes next, and how much of it has gone. */
  index: number
  offset: number
}

/**
 * Writes to a ring. What it has no room for waits here, in order, until the reader has made room.
 *
 * The other side is not trusted: of what it writes only the head is read, once each time, and believed no further than the size of
 * the ring goes.
 */
export class RingWriter {
  readonly #ring: RingMemory
  readonly #ringDoorbell: () => void
  readonly #onBroken: (reason: string) => void
  #tail = 0
  /** As last read: there is at least as much room as it says. */
  #head = 0
  readonly #waiting: Sending[] = []
  #isClosed = false

  /**
   * @param ringDoorbell - wakes the other side
   * @param onBroken - the other side has written an index that can't be
   */
  constructor(ring: RingMemory, ringDoorbell: () => void, onBroken: (reason: string) => void) {
    this.#ring = ring
    this.#ringDoorbell = ringDoorbell
    this.#onBroken = onBroken
  }

  /** Whether something waits for room. */
  get hasQueued(): boolean {
    return this.#waiting.length > 0
  }

  /** Sends copies of the chunks; they must not change until `done` is called, in any case, with whether they were sent. */
  send(chunks: Buffer[], done: (isSent: boolean) => void): void {
    if (this.#isClosed) return done(false)
    // Nearly always it is one chunk and there is room for it.
    if (chunks.length === 1 && this.#waiting.length === 0 && this.#sendAtOnce(chunks[0]!)) return done(true)
    this.#waiting.push({ chunks, done, index: 0, offset: 0 })
    if (this.#waiting.length === 1) this.pump()
  }

  /** Copies a chunk if it can be had in the ring in one piece; returns whether it was. */
  #sendAtOnce(chunk: Buffer): boolean {
    const { length } = chunk
    const position = this.#tail & MASK
    if (position + length > RING_BYTES) return false
    const known = RING_BYTES - distance(this.#head, this.#tail)
    if (known < length && this.#readRoom() < length) return false
    // SAFETY: `position + length` is at most the size of the ring, and the reader leaves these bytes alone until they are published.
    this.#ring.bytes.set(chunk, position)
    const before = this.#tail
    this.#tail = (this.#tail + length) | 0
    this.#publish(before)
    return true
  }

  /** Writes what waits, as far as there is room. */
  pump(): void {
    const before = this.#tail
    while (this.#waiting.length > 0 && !this.#isClosed) {
      const sending = this.#waiting[0]!
      if (!this.#copy(sending)) {
        this.#publish(before)
        return
      }
      this.#waiting.shift()
      sending.done(true)
    }
    this.#publish(before)
  }

  /** Drops what waits. */
  close(): void {
    this.#isClosed = true
    for (const { done } of this.#waiting.splice(0)) done(false)
  }

  /** Copies what there is room for; returns whether that was all of it. */
  #copy(sending: Sending): boolean {
    const { bytes } = this.#ring
    const { chunks } = sending
    while (sending.index < chunks.length) {
      const chunk = chunks[sending.index]!
      while (sending.offset < chunk.length) {
        const room = this.#room()
        if (room === 0) return false
        const position = this.#tail & MASK
        const length = Math.min(chunk.length - sending.offset, room, RING_BYTES - position)
        // SAFETY: `position + length` is at most the size of the ring, and the reader leaves these bytes alone until they are published.
        chunk.copy(bytes, position, sending.offset, sending.offset + length)
        sending.offset += length
        this.#tail = (this.#tail + length) | 0
      }
      sending.index++
      sending.offset = 0
    }
    return true
  }

  /** Bytes that can be written; when there are none the reader has been asked to say when there are. */
  #room(): number {
    const known = RING_BYTES - distance(this.#head, this.#tail)
    if (known > 0) return known
    const { words, isWriterWaiting } = this.#ring
    let room = this.#readRoom()
    if (room > 0 || this.#isClosed) return room
    // The reader must see all that there is, or it would wait for more while this side waits for room.
    Atomics.store(words, this.#ring.tail, this.#tail)
    Atomics.store(words, isWriterWaiting, 1)
    // It may have made room just before it could see that.
    room = this.#readRoom()
    if (room > 0) Atomics.store(words, isWriterWaiting, 0)
    return room
  }

  #readRoom(): number {
    // Read once: the other side can change it at any time.
    const head = Atomics.load(this.#ring.words, this.#ring.head)
    const used = distance(head, this.#tail)
    if (used > RING_BYTES) {
      this.#onBroken('the head of a ring is beyond what was written')
      return 0
    }
    this.#head = head
    return RING_BYTES - used
  }

  #publish(before: number): void {
    if (this.#isClosed || this.#tail === before) return
    const { words, tail, isReaderAsleep } = this.#ring
    Atomics.store(words, tail, this.#tail)
    if (Atomics.load(words, isReaderAsleep) === 1 && Atomics.exchange(words, isReaderAsleep, 0) === 1) {
      this.#ringDoorbell()
    }
  }
}
