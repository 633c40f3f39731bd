import { RING_BYTES, distance } from './ring-memory.ts'
import type { RingMemory } from './ring-memory.ts'

const MASK = RING_BYTES - 1

/**
 * What an owner wrote lies here while it is used: all rings of a thread in turn. The other side can change what is in the ring at any
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
  readonly #isTrusted: boolean
  #head = 0
  #isReading = false
  #isClosed = false

  /**
   * @param onBytes - gets what was read, which is valid during the call only
   * @param ringDoorbell - wakes the other side
   * @param onBroken - the other side has written an index that can't be
   * @param isTrusted - the other side leaves what it has written alone: it is used where it lies
   */
  constructor(
    ring: RingMemory,
    onBytes: (bytes: Buffer, start: number, end: number) => void,
    ringDoorbell: () => void,
    onBroken: (reason: string) => void,
    isTrusted: boolean,
  ) {
    this.#ring = ring
    this.#onBytes = onBytes
    this.#ringDoorbell = ringDoorbell
    this.#onBroken = onBroken
    this.#isTrusted = isTrusted
  }

  /** Reads what is there, at most one ring of it; returns whether there was anything. */
  read(): boolean {
    // What is read may make the reader be asked again; one after the other is right.
    if (this.#isReading || this.#isClosed) return false
    const { words, tail } = this.#ring
    // Read once: the other side can change it at any time.
    const available = distance(this.#head, Atomics.load(words, tail))
    if (available === 0) return false
    if (available > RING_BYTES) {
      this.#onBroken('the tail of a ring is beyond its size')
      return false
    }
    this.#isReading = true
    try {
      if (this.#isTrusted) this.#readInPlace(available)
      else this.#readCopy(available)
    } finally {
      this.#isReading = false
    }
    return true
  }

  #readInPlace(available: number): void {
    const { bytes } = this.#ring
    const position = this.#head & MASK
    const first = Math.min(available, RING_BYTES - position)
    try {
      this.#onBytes(bytes, position, position + first)
      if (first < available) this.#onBytes(bytes, 0, available - first)
    } finally {
      this.#giveRoom(available)
    }
  }

  #readCopy(available: number): void {
    const { bytes } = this.#ring
    const position = this.#head & MASK
    const first = Math.min(available, RING_BYTES - position)
    const copy = isCopyInUse ? Buffer.allocUnsafeSlow(available) : COPY
    // SAFETY: both pieces lie within the ring, and together are no longer than the copy.
    bytes.copy(copy, 0, position, position + first)
    if (first < available) bytes.copy(copy, first, 0, available - first)
    this.#giveRoom(available)
    isCopyInUse = true
    try {
      this.#onBytes(copy, 0, available)
    } finally {
      if (copy === COPY) isCopyInUse = false
    }
  }

  /** So much is not needed any more. */
  #giveRoom(count: number): void {
    const { words, head, isWriterWaiting } = this.#ring
    this.#head = (this.#head + count) | 0
    Atomics.store(words, head, this.#head)
    if (Atomics.load(words, isWriterWaiting) === 1 && Atomics.exchange(words, isWriterWaiting, 0) === 1) {
      this.#ringDoorbell()
    }
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
