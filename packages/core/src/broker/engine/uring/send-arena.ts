import type { SystemCalls } from './system-calls.ts'

/** Most of what is written in a turn is a response or two. */
export const SMALL_BYTES = 4 * 1024
/** A whole read of 64 KiB with the framing around it. */
export const LARGE_BYTES = 72 * 1024

const SMALL_BLOCKS = 512
const LARGE_BLOCKS = 32

/**
 * A piece of memory for the kernel to send from: its address never changes.
 *
 * free ──take──▶ being filled ──send──▶ in flight ──completion of its last send──▶ free
 */
export interface SendBlock {
  readonly bytes: Buffer
  /** Where the block begins in `bytes`. */
  readonly start: number
  readonly size: number
  readonly addressLow: number
  readonly addressHigh: number
}

/**
 * Where data is copied that the kernel is to send. It grows with what clients leave unread, which the windows of their exchanges bound,
 * and keeps what it has grown to; free blocks are used last in, first out, so that few are touched.
 */
export class SendArena {
  readonly #calls: SystemCalls
  readonly #small: SendBlock[] = []
  readonly #large: SendBlock[] = []

  constructor(calls: SystemCalls) {
    this.#calls = calls
  }

  takeSmall(): SendBlock {
    if (this.#small.length === 0) this.#grow(this.#small, SMALL_BLOCKS, SMALL_BYTES)
    return this.#small.pop()!
  }

  takeLarge(): SendBlock {
    if (this.#large.length === 0) this.#grow(this.#large, LARGE_BLOCKS, LARGE_BYTES)
    return this.#large.pop()!
  }

  /** Takes a block back that no send in flight refers to. */
  release(block: SendBlock): void {
    const free = block.size === SMALL_BYTES ? this.#small : this.#large
    free.push(block)
  }

  #grow(free: SendBlock[], count: number, size: number): void {
    // SAFETY: never unmapped, so an address outlives every send; a block is written only while it is in no send in flight.
    const { address, memory } = this.#calls.map(count * size, -1, 0)
    const bytes = Buffer.from(memory)
    for (let index = count - 1; index >= 0; index--) {
      const start = index * size
      free.push({ bytes, start, size, ...splitAddress(address + start) })
    }
  }
}

/** An address as two ints of a submission entry. */
export function splitAddress(address: number): { addressLow: number; addressHigh: number } {
  return { addressLow: address | 0, addressHigh: Math.floor(address / 0x1_0000_0000) }
}
