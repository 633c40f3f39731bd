import { IORING_REGISTER_FILES2, IORING_REGISTER_FILES_UPDATE, IORING_RSRC_REGISTER_SPARSE } from './kernel.ts'
import type { Ring } from './ring.ts'
import { bytesOf } from './system-calls.ts'
import type { Mapping, SystemCalls } from './system-calls.ts'

/** Eight bytes of the kernel's each. The kernel takes no more than the process may have descriptors. */
const COUNTS = [4096, 512]

/** What is no number of a registered descriptor. */
export const NOT_REGISTERED = -1

/**
 * Descriptors that the ring has a table of its own for: operations name them by their number there (`IOSQE_FIXED_FILE`), and the kernel
 * need not look them up, and count who uses them, in the table that all threads of the process share.
 *
 * The table holds the file open: it closes when it has been taken out, too.
 */
export class RegisteredDescriptors {
  readonly #calls: SystemCalls
  readonly #ring: Ring
  /** Numbers that are free, those that were free last at the end. */
  readonly #free: number[] = []
  // SAFETY: the kernel reads this memory in calls of `#update` only, and it is never unmapped.
  readonly #descriptor: Int32Array
  readonly #argument: Uint32Array

  constructor(calls: SystemCalls, ring: Ring) {
    this.#calls = calls
    this.#ring = ring
    const memory: Mapping = calls.map(4, -1, 0)
    this.#descriptor = new Int32Array(memory.memory)
    // struct io_uring_files_update { u32 offset; u32 resv; u64 fds; }
    this.#argument = new Uint32Array([0, 0, memory.address % 2 ** 32, Math.floor(memory.address / 2 ** 32)])
    const count = (ring.dropsFilesAtOnce && COUNTS.find((size) => this.#reserve(size))) || 0
    for (let number = count - 1; number >= 0; number--) this.#free.push(number)
  }

  /** Returns its number, or {@link NOT_REGISTERED} when there is no room. */
  add(descriptor: number): number {
    const number = this.#free.at(-1)
    if (number === undefined || !this.#update(number, descriptor)) return NOT_REGISTERED
    this.#free.pop()
    return number
  }

  /** Takes one out; what has been submitted for it goes on, what has only been prepared fails. */
  remove(number: number): void {
    this.#update(number, -1)
    this.#free.push(number)
  }

  /** A table without anything in it; Linux 5.19. */
  #reserve(count: number): boolean {
    // struct io_uring_rsrc_register { u32 nr; u32 flags; u64 resv2; u64 data; u64 tags; }
    const table = new Uint32Array([count, IORING_RSRC_REGISTER_SPARSE, 0, 0, 0, 0, 0, 0])
    return this.#calls.register(this.#ring.descriptor, IORING_REGISTER_FILES2, bytesOf(table), table.byteLength) >= 0
  }

  #update(number: number, descriptor: number): boolean {
    this.#descriptor[0] = descriptor
    this.#argument[0] = number
    const argument = bytesOf(this.#argument)
    return this.#calls.register(this.#ring.descriptor, IORING_REGISTER_FILES_UPDATE, argument, 1) === 1
  }
}
