import type { SharedMemory } from '../../sockets/shared-memory.ts'
import { BLOCK_BYTES, BLOCK_COUNT, BROKER_BLOCKS_START } from './block-memory.ts'
import { BlockPool } from './block-pool.ts'

/**
 * The blocks of one owner, seen from the broker's side. They outlive the owner's connection until the last has been sent: a process that
 * has died may have answered just before.
 */
export class BrokerBlocks {
  /** All of them, one after the other. */
  readonly bytes: Buffer
  readonly #memory: SharedMemory
  readonly #pool: BlockPool
  #lent = 0
  #isClosed = false

  constructor(memory: SharedMemory) {
    this.#memory = memory
    this.bytes = Buffer.from(memory.bytes)
    // The owner gives them when it has got the memory, which may be lost on the way.
    this.#pool = new BlockPool(this.bytes, BROKER_BLOCKS_START, true)
  }

  /** Copies `source[start, end)` into a block for the owner; returns its number, or -1 when none is free or it would not pay. */
  put(source: Buffer, start: number, end: number): number {
    return this.#pool.put(source, start, end)
  }

  /** The owner does not need it any more. Returns false when it was not the owner's. */
  giveBack(block: number): boolean {
    return this.#pool.giveBack(block)
  }

  /** Whether the owner has such a block, and it can hold so much. */
  has(block: number, length: number): boolean {
    return block < BLOCK_COUNT && length <= BLOCK_BYTES
  }

  /** Keeps the memory until what this returns is called; calling that again does nothing. */
  lend(onReturn: () => void): () => void {
    this.#lent++
    let isLent = true
    return () => {
      if (!isLent) return
      isLent = false
      this.#lent--
      onReturn()
      this.#closeIfUnused()
    }
  }

  close(): void {
    this.#isClosed = true
    // SAFETY: with no block free nothing writes to the memory any more.
    this.#pool.close()
    this.#closeIfUnused()
  }

  #closeIfUnused(): void {
    // SAFETY: this may be called from within a read of a block; only when that has returned nobody has an address of the memory left.
    if (this.#isClosed && this.#lent === 0) setImmediate(() => this.#memory.close())
  }
}
