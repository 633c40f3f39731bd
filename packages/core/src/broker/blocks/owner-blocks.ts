import type { SharedMemory } from '../../sockets/shared-memory.ts'
import { BLOCK_BYTES, BLOCK_COUNT } from './block-memory.ts'

/** Less is as well sent through the socket. */
const MIN_BYTES = 16 * 1024

/**
 * The blocks of one connection to the broker, seen from the owner's side.
 *
 * free ──put──▶ the broker's, until the client has it ──giveBack──▶ free
 */
export class OwnerBlocks {
  readonly #memory: SharedMemory
  readonly #bytes: Buffer
  #isClosed = false
  /** In the order in which they came back, which is that in memory: the broker sends neighbours together. */
  #free = Array.from({ length: BLOCK_COUNT }, (_, index) => index)

  constructor(memory: SharedMemory) {
    this.#memory = memory
    this.#bytes = Buffer.from(memory.bytes)
  }

  /** Copies the first `length` bytes into a block; returns its number, or -1 when none is free or it would not pay. */
  put(source: Uint8Array, length: number): number {
    if (length < MIN_BYTES || length > BLOCK_BYTES) return -1
    const block = this.#free.shift()
    if (block === undefined) return -1
    this.#bytes.set(source.length === length ? source : source.subarray(0, length), block * BLOCK_BYTES)
    return block
  }

  giveBack(block: number): void {
    if (!this.#isClosed) this.#free.push(block)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    // SAFETY: with no block free nothing touches the memory any more.
    this.#free = []
    this.#memory.close()
  }
}
