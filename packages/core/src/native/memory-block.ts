import type { Address, NativeMemory } from './win32-api.ts'

const FOUR_GIB = 0x1_0000_0000

/**
 * A block of memory that Windows reads and writes, with its views. Made once and used again and again: a view takes microseconds.
 *
 * All numbers are little-endian, as on every Windows; so are the typed arrays, on every machine that this runs on.
 */
export class MemoryBlock {
  readonly address: Address
  readonly byteLength: number
  readonly bytes: Buffer
  readonly u16: Uint16Array
  readonly u32: Uint32Array
  readonly #u64: BigUint64Array
  /** The lower half of the address: an offset is a pointer's lower half minus this. */
  readonly low: number
  readonly #high: number
  readonly #memory: NativeMemory
  #isFreed = false

  /** @param length - at least so many bytes */
  constructor(memory: NativeMemory, length: number) {
    const byteLength = (length + 7) & ~7
    this.#memory = memory
    this.byteLength = byteLength
    this.address = memory.alloc(byteLength)
    // SAFETY: the memory is as long as was asked for and is freed only by `free`, after which nobody has the block.
    const buffer = memory.view(this.address, byteLength)
    this.bytes = Buffer.from(buffer).fill(0)
    this.u16 = new Uint16Array(buffer)
    this.u32 = new Uint32Array(buffer)
    this.#u64 = new BigUint64Array(buffer)
    this.low = this.address % FOUR_GIB
    this.#high = Math.floor(this.address / FOUR_GIB)
  }

  /** Writes the address of one of this block's own bytes; `offset` is a multiple of 4. */
  putPointer(offset: number, target: number): void {
    const low = this.low + target
    this.u32[offset >>> 2] = low
    this.u32[(offset >>> 2) + 1] = low < FOUR_GIB ? this.#high : this.#high + 1
  }

  /** Writes any address, or a handle. */
  putAddress(offset: number, address: Address): void {
    this.u32[offset >>> 2] = address % FOUR_GIB
    this.u32[(offset >>> 2) + 1] = Math.floor(address / FOUR_GIB)
  }

  /** Reads an address or a handle. */
  readAddress(offset: number): Address {
    return this.u32[offset >>> 2]! + this.u32[(offset >>> 2) + 1]! * FOUR_GIB
  }

  /** Reads an HTTP_OPAQUE_ID; `offset` is a multiple of 8. */
  readId(offset: number): bigint {
    return this.#u64[offset >>> 3]!
  }

  /**
   * Where in this block the pointer at `offset` points; -1 when the `length` bytes there are not all in it.
   *
   * The lower halves suffice: no block is longer than 4 GiB, and what is not inside is refused.
   */
  offsetOf(offset: number, length: number): number {
    const target = (this.u32[offset >>> 2]! - this.low) >>> 0
    return target + length <= this.byteLength ? target : -1
  }

  /** Gives the memory back; nothing that is under way may know its address. */
  free(): void {
    if (this.#isFreed) throw new Error('a block of memory was freed twice')
    this.#isFreed = true
    this.#memory.free(this.address)
  }
}
