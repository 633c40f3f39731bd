import type { SharedMemory } from '../../sockets/shared-memory.ts'
import { BLOCK_BYTES, BLOCK_COUNT } from './block-memory.ts'

/**
 * The blocks of one owner, seen from the broker's side. They outlive the owner's connection until the last has been sent: a process that
 * has died may have answered just before.
 */
export class BrokerBlocks {
  /** All of them, one after the other. */
  readonly bytes: Buffer
  readonly #memory: SharedMemory
  #lent = 0
  #isClosed = false

  constructor(memory: SharedMemory) {
    this.#memory = memory
    this.bytes = Buffer.from(memory.bytes)
  }

  /** Whether there is such a block, and it can hold so much. */
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
    this.#closeIfUnused()
  }

  #closeIfUnused(): void {
    // SAFETY: this may be called from within a read of a block; only when that has returned nobody has an address of the memory left.
    if (this.#isClosed && this.#lent === 0) setImmediate(() => this.#memory.close())
  }
}
