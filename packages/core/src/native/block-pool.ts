import { MemoryBlock } from './memory-block.ts'
import type { NativeMemory } from './win32-api.ts'

/** Enough for most responses and heads. */
const SMALL_BYTES = 16 * 1024
/** A piece of a body with what stands around it. */
export const LARGE_BYTES = 68 * 1024
const MAX_IDLE = 64

/** Blocks for what is sent and received, used again and again. Callers give back only what Windows is done with. */
export class BlockPool {
  readonly #memory: NativeMemory
  readonly #small: MemoryBlock[] = []
  readonly #large: MemoryBlock[] = []

  constructor(memory: NativeMemory) {
    this.#memory = memory
  }

  /** A block of at least so many bytes; what was in it is still there. */
  take(bytes: number): MemoryBlock {
    if (bytes <= SMALL_BYTES) return this.#small.pop() ?? new MemoryBlock(this.#memory, SMALL_BYTES)
    if (bytes <= LARGE_BYTES) return this.#large.pop() ?? new MemoryBlock(this.#memory, LARGE_BYTES)
    return new MemoryBlock(this.#memory, bytes)
  }

  give(block: MemoryBlock): void {
    if (block.byteLength === SMALL_BYTES && this.#small.length < MAX_IDLE) this.#small.push(block)
    else if (block.byteLength === LARGE_BYTES && this.#large.length < MAX_IDLE) this.#large.push(block)
    else block.free()
  }
}
