import type { SharedMemory } from '../../sockets/shared-memory.ts'
import { BLOCK_BYTES, BROKER_BLOCKS_START } from './block-memory.ts'
import { BlockPool } from './block-pool.ts'

/** The blocks of one connection to the broker, seen from the owner's side. */
export class OwnerBlocks {
  readonly #memory: SharedMemory
  readonly #bytes: Buffer
  readonly #pool: BlockPool
  #isClosed = false

  constructor(memory: SharedMemory) {
    this.#memory = memory
    this.#bytes = Buffer.from(memory.bytes)
    this.#pool = new BlockPool(this.#bytes, 0, false)
  }

  /** Copies the first `length` bytes into a block; returns its number, or -1 when none is free or it would not pay. */
  put(source: Uint8Array, length: number): number {
    return this.#pool.put(source, 0, length)
  }

  giveBack(block: number): void {
    this.#pool.giveBack(block)
  }

  /** A copy of what the broker has put into one of its blocks; empty when the connection has ended. */
  take(block: number, length: number): Buffer {
    const start = BROKER_BLOCKS_START + block * BLOCK_BYTES
    // SAFETY: the memory is there until it is closed.
    return this.#isClosed ? Buffer.alloc(0) : Buffer.from(this.#bytes.subarray(start, start + length))
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    // SAFETY: with no block free nothing writes to the memory any more.
    this.#pool.close()
    this.#memory.close()
  }
}
