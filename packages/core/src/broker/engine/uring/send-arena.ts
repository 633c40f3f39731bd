import type { SystemCalls } from './system-calls.ts'

/** Most of what is written in a turn is a response or two. */
export const SMALL_BYTES = 4 * 1024
/** A whole read of 64 KiB with the framing around it. */
export const LARGE_BYTES = 72 * 1024

const SMALL_BLOCKS = 512
const LARGE_BLOCKS = 32

/** How often free blocks are looked at, while there are more than are kept. */
const LOOK_MS = 1000
/** Each costs a call of a few microseconds: a look is to take one or two milliseconds. */
const MAX_DISCARDED = 256

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
 * Where data is copied that the kernel is to send. It grows with what clients leave unread, which the windows of their exchanges bound;
 * what then lies unused for a while is given back to the system.
 */
export class SendArena {
  readonly #small: FreeBlocks
  readonly #large: FreeBlocks
  #isLooking = false

  constructor(calls: SystemCalls) {
    this.#small = new FreeBlocks(calls, SMALL_BLOCKS, SMALL_BYTES)
    this.#large = new FreeBlocks(calls, LARGE_BLOCKS, LARGE_BYTES)
  }

  takeSmall(): SendBlock {
    return this.#small.take()
  }

  takeLarge(): SendBlock {
    return this.#large.take()
  }

  /** Takes a block back that no send in flight refers to. */
  release(block: SendBlock): void {
    const free = block.size === SMALL_BYTES ? this.#small : this.#large
    free.add(block)
    if (free.hasSpare && !this.#isLooking) this.#lookLater()
  }

  #lookLater(): void {
    this.#isLooking = true
    setTimeout(() => this.#look(), LOOK_MS).unref()
  }

  #look(): void {
    this.#isLooking = false
    this.#small.discard()
    this.#large.discard()
    if (this.#small.hasSpare || this.#large.hasSpare) this.#lookLater()
  }
}

/**
 * The free blocks of one size. They are used last in, first out, so that few are touched, and those at the bottom of the stack are the
 * ones that have not been used for longest.
 */
class FreeBlocks {
  readonly #calls: SystemCalls
  /** How many are mapped at a time, and how many that have memory are kept. */
  readonly #count: number
  readonly #size: number
  /** Where pages are larger than usual a part of one can't be given back. */
  readonly #isWholePages: boolean
  readonly #blocks: SendBlock[] = []
  /** The first so many of them have no memory: never touched, or given back. */
  #cold = 0
  /** So many have been free all the time since the last look. */
  #unused = 0

  constructor(calls: SystemCalls, count: number, size: number) {
    this.#calls = calls
    this.#count = count
    this.#size = size
    this.#isWholePages = size % calls.pageBytes === 0
  }

  /** Whether more of them have memory than are kept, which can be given back. */
  get hasSpare(): boolean {
    return this.#isWholePages && this.#blocks.length - this.#cold > this.#count
  }

  take(): SendBlock {
    const blocks = this.#blocks
    if (blocks.length === 0) this.#grow()
    const block = blocks.pop()!
    if (blocks.length < this.#unused) this.#unused = blocks.length
    if (blocks.length < this.#cold) this.#cold = blocks.length
    return block
  }

  add(block: SendBlock): void {
    this.#blocks.push(block)
  }

  /** Gives the memory of some blocks back that were not used since the last time, but for those that are kept. */
  discard(): void {
    if (!this.#isWholePages) return
    const blocks = this.#blocks
    const end = Math.min(this.#unused, blocks.length - this.#count, this.#cold + MAX_DISCARDED)
    while (this.#cold < end) {
      const { addressLow, addressHigh } = blocks[this.#cold++]!
      // SAFETY: the block is free, so no send in flight reads it; it is zero when it is next written to, as a new one is.
      this.#calls.discard((addressLow >>> 0) + addressHigh * 0x1_0000_0000, this.#size)
    }
    this.#unused = blocks.length
  }

  #grow(): void {
    // SAFETY: never unmapped, so an address outlives every send; a block is written only while it is in no send in flight.
    const { address, memory } = this.#calls.map(this.#count * this.#size, -1, 0)
    const bytes = Buffer.from(memory)
    for (let index = this.#count - 1; index >= 0; index--) {
      const start = index * this.#size
      this.#blocks.push({ bytes, start, size: this.#size, ...splitAddress(address + start) })
    }
    this.#cold = this.#count
  }
}

/** An address as two ints of a submission entry. */
export function splitAddress(address: number): { addressLow: number; addressHigh: number } {
  return { addressLow: address | 0, addressHigh: Math.floor(address / 0x1_0000_0000) }
}
