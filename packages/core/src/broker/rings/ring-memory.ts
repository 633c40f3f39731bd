/**
 * Where things lie in the memory of one owner and its broker: a page of indices, then a ring of bytes for each direction.
 *
 * Indices count bytes since the beginning and wrap at 2³²; a ring's size is a power of two, so their low bits are the position.
 * Each stands on a cache line of its own, since the two processes write different ones.
 */
const PAGE_BYTES = 4096
/** Holds the responses of many requests, and one window of a body; small enough to stay in the processor's cache. */
export const RING_BYTES = 128 * 1024
export const MEMORY_BYTES = PAGE_BYTES + 2 * RING_BYTES

/** Words of one direction, relative to its first. */
const TAIL = 0
const HEAD = 16
const IS_READER_ASLEEP = 32
const IS_WRITER_WAITING = 48
const DIRECTION_WORDS = 64

/** Which of the two rings a side writes to. */
export type Side = 'broker' | 'owner'

/** One direction: a ring and its indices. */
export interface RingMemory {
  readonly words: Int32Array
  readonly bytes: Buffer
  /** Bytes written; the writer's. */
  readonly tail: number
  /** Bytes read; the reader's. */
  readonly head: number
  /** 1: the reader waits for the doorbell. Set by the reader, cleared by who rings. */
  readonly isReaderAsleep: number
  /** 1: the ring is full and the writer waits for the doorbell. Set by the writer, cleared by who rings. */
  readonly isWriterWaiting: number
}

/** The ring that a side writes to. */
export function ringOf(memory: ArrayBuffer, writer: Side): RingMemory {
  const index = writer === 'broker' ? 0 : 1
  const base = index * DIRECTION_WORDS
  return {
    words: new Int32Array(memory, 0, PAGE_BYTES / 4),
    bytes: Buffer.from(memory, PAGE_BYTES + index * RING_BYTES, RING_BYTES),
    tail: base + TAIL,
    head: base + HEAD,
    isReaderAsleep: base + IS_READER_ASLEEP,
    isWriterWaiting: base + IS_WRITER_WAITING,
  }
}

/** Bytes between two indices; more than {@link RING_BYTES} when the other side has written nonsense. */
export function distance(head: number, tail: number): number {
  return (tail - head) >>> 0
}
