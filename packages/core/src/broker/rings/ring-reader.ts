import { RING_BYTES, distance } from './ring-memory.ts'
import type { RingMemory } from './ring-memory.ts'

const MASK = RING_BYTES - 1

/**
 * What was read lies here while it is used: all rings of a thread in turn. The other side can change what is in the ring at any
 * time, so it is copied out first and looked at then; nothing that was checked can change behind the check.
 */
const COPY = Buffer.allocUnsafeSlow(RING_BYTES)
let isCopyInUse = false

/** Reads a ring. */
export class RingReader {
  readonly #ring: RingMemory
  readonly #onBytes: (bytes: Buffer, start: number, end: number) => void
  readonly #ringDoorbell: () => void
  readonly #onBroken: (reason: string) => void
  #head = 0
  #isReading = false
  #isClosed = false

  /**
   * @param onBytes - gets what was read, which is valid during the call only
   * @param ringDoorbell - wakes the other side
   * @param onBroken - the other side has written an index that can't be
   */
  constructor(
    ring: RingMemory,
    onBytes: (bytes: Buffer, start: number, end: number) => void,
    ringDoorbell: () => void,
    onBroken: (reason: string) => void,
  ) {
    this.#ring = ring
    this.#onBytes = onBytes
    this.#ringDoorbell = ringDoorbell
    this.#onBroken = onBroken
  }

  /** Reads what is there, at most one ring of it; returns whether there was anything. */
  read(): boolean {
    // What is read may make the reader be asked again; one after the other is right.
    if (this.#isReading || this.#isClosed) return false
    const { words, bytes, tail, head, isWriterWaiting } = this.#ring
    // Read once: the other side can change it at any time.
    const available = distance(this.#head, Atomics.load(words, tail))
    if (available === 0) return false
    if (available > RING_BYTES) {
      this.#onBroken('the tail of a ring is beyond its size')
      return false
    }
    const position = this.#head & MASK
    const first = Math.min(available, RING_BYTES - position)
    const copy = isCopyInUse ? Buffer.allocUnsafeSlow(available) : COPY
    // SAFETY: both pieces lie within the ring, and together are no longer than the copy.
    bytes.copy(copy, 0, position, position + first)
    if (first < available) bytes.copy(copy, first, 0, available - first)
    this.#head = (this.#head + available) | 0
    Atomics.store(words, head, this.#head)
    if (Atomics.load(words, isWriterWaiting) === 1 && Atomics.exchange(words, isWriterWaiting, 0) === 1) {
      this.#ringDoorbell()
    }
    this.#isReading = true
    isCopyInUse = true
    try {
      this.#onBytes(copy, 0, available)
    } finally {
      this.#isReading = false
      if (copy === COPY) isCopyInUse = false
    }
    return true
  }

  /** Says that the doorbell is needed from now on. Returns whether something has come before that could be seen: then it is not. */
  sleep(): boolean {
    if (this.#isClosed) return false
    const { words, tail, isReaderAsleep } = this.#ring
    Atomics.store(words, isReaderAsleep, 1)
    if (Atomics.load(words, tail) === this.#head) return false
    Atomics.store(words, isReaderAsleep, 0)
    return true
  }

  /** This side is awake: the doorbell would be for nothing. */
  wake(): void {
    if (!this.#isClosed) Atomics.store(this.#ring.words, this.#ring.isReaderAsleep, 0)
  }

  close(): void {
    this.#isClosed = true
  }
}
