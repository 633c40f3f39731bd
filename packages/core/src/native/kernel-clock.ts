import { MemoryBlock } from './memory-block.ts'
import type { Win32Api } from './win32-api.ts'

/** The performance counter of Windows on the scale of `performance.now()`, which Node reads from the same counter. */
export class KernelClock {
  readonly #millisecondsPerCount: number
  readonly #start: number

  constructor({ kernel, memory }: Win32Api) {
    const block = new MemoryBlock(memory, 16)
    // SAFETY: eight bytes are written before each call returns.
    kernel.QueryPerformanceFrequency(block.address)
    kernel.QueryPerformanceCounter(block.address + 8)
    const now = performance.now()
    this.#millisecondsPerCount = 1000 / block.readAddress(0)
    this.#start = now - block.readAddress(8) * this.#millisecondsPerCount
    block.free()
  }

  /** When the counter had this value, in milliseconds of `performance.now()`. */
  at(count: number): number {
    return this.#start + count * this.#millisecondsPerCount
  }
}
