import { IORING_REGISTER_PBUF_RING } from './kernel.ts'
import type { Ring } from './ring.ts'
import { bytesOf } from './system-calls.ts'
import type { SystemCalls } from './system-calls.ts'

/** Index of the tail among the 16-bit fields: it lies in the reserved field of the first entry. */
const TAIL = 7

/**
 * Buffers that the kernel takes for what arrives, whichever connection it is for: idle connections cost none.
 *
 * kernel's ──data arrives──▶ ours, for the call of the handler ──recycle, commit──▶ kernel's
 */
export class ReceiveBuffers {
  /** The number of the group. */
  readonly group: number
  /** Of one buffer. */
  readonly size: number
  /** All of them, one after the other. */
  readonly bytes: Buffer
  // SAFETY: entries and buffers are mapped for the life of the thread. The kernel writes into a buffer only between its being
  // committed here and the completion that names it, and reads an entry only below the tail, which is stored after it.
  readonly #entries: Int32Array
  readonly #halves: Uint16Array
  readonly #mask: number
  readonly #address: number
  #tail = 0
  #isStale = false

  /**
   * @param count - a power of two
   * @throws when the kernel has no rings of provided buffers
   */
  constructor(calls: SystemCalls, ring: Ring, group: number, count: number, size: number) {
    this.group = group
    this.size = size
    this.#mask = count - 1
    const buffers = calls.map(count * size, -1, 0)
    this.bytes = Buffer.from(buffers.memory)
    this.#address = buffers.address
    const entries = calls.map(count * 16, -1, 0)
    this.#entries = new Int32Array(entries.memory)
    this.#halves = new Uint16Array(entries.memory)
    // struct io_uring_buf_reg { u64 ring_addr; u32 ring_entries; u16 bgid; u16 flags; u64 resv[3]; }
    const registration = new BigUint64Array(5)
    registration[0] = BigInt(entries.address)
    registration[1] = BigInt(count) | (BigInt(group) << 32n)
    ring.register(IORING_REGISTER_PBUF_RING, bytesOf(registration), 1)
    for (let id = 0; id < count; id++) this.recycle(id)
    this.commit()
  }

  /** Gives a buffer back, with the next {@link ReceiveBuffers.commit}. */
  recycle(id: number): void {
    // struct io_uring_buf { u64 addr; u32 len; u16 bid; u16 resv; }
    const at = (this.#tail & this.#mask) << 2
    const address = this.#address + id * this.size
    this.#entries[at] = address | 0
    this.#entries[at + 1] = Math.floor(address / 0x1_0000_0000)
    this.#entries[at + 2] = this.size
    this.#halves[(at << 1) + 6] = id
    this.#tail = (this.#tail + 1) & 0xffff
    this.#isStale = true
  }

  /** Lets the kernel see what has been given back. */
  commit(): void {
    if (!this.#isStale) return
    this.#isStale = false
    Atomics.store(this.#halves, TAIL, this.#tail)
  }
}
