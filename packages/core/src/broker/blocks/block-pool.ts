import { BLOCK_BYTES, BLOCK_COUNT } from './block-memory.ts'

/** Less is as well sent through the socket. */
const MIN_BYTES = 16 * 1024

/**
 * The blocks of the side that sends.
 *
 * free ──put──▶ the other side's ──giveBack──▶ free
 */
export class BlockPool {
  readonly #bytes: Buffer
  readonly #start: number
  /** In the order in which they came back, which is that in memory: who sends them on sends neighbours together. */
  #free: number[]
  readonly #isFree: Uint8Array

  /**
   * @param start - where its blocks begin in the memory
   * @param isEmpty - all of them are the other side's at first
   */
  constructor(bytes: Buffer, start: number, isEmpty: boolean) {
    this.#bytes = bytes
    this.#start = start
    this.#free = isEmpty ? [] : Array.from({ length: BLOCK_COUNT }, (_, index) => index)
    this.#isFree = new Uint8Array(BLOCK_COUNT).fill(isEmpty ? 0 : 1)
  }

  /** Copies `source[start, end)` into a block; returns its number, or -1 when none is free or it would not pay. */
  put(source: Uint8Array, start: number, end: number): number {
    if (end - start < MIN_BYTES || end - start > BLOCK_BYTES) return -1
    const block = this.#free.shift()
    if (block === undefined) return -1
    this.#isFree[block] = 0
    const isWhole = start === 0 && end === source.length
    this.#bytes.set(isWhole ? source : source.subarray(start, end), this.#start + block * BLOCK_BYTES)
    return block
  }

  /** Returns false for a block that was not the other side's. */
  giveBack(block: number): boolean {
    if (this.#isFree[block] !== 0) return false
    this.#isFree[block] = 1
    this.#free.push(block)
    return true
  }

  /** Nothing touches the memory from here on. */
  close(): void {
    this.#free = []
    this.#isFree.fill(1)
  }
}
