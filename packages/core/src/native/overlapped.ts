import { STATUS_PENDING } from './constants.ts'
import { OVERLAPPED } from './layout.ts'
import { MemoryBlock } from './memory-block.ts'
import type { Address, NativeMemory, Win32Status } from './win32-api.ts'

/** One OVERLAPPED and behind it the ULONG that a call done at once writes its number of bytes to; padded to a cache line. */
const STRIDE_BYTES = 64
const BYTES_OFFSET = OVERLAPPED.$size
const ARENA_COUNT = 64

/** Whose operation it is. */
export interface CompletionTarget {
  onCompletion(status: Win32Status, bytes: number): void
}

/**
 * The OVERLAPPED of one operation.
 *
 * idle ──begin──▶ in flight ──completed, or refused by the call──▶ idle
 *
 * In flight it belongs to Windows: it is neither touched nor given to a second operation, whatever has become of the target.
 */
export class Overlapped {
  readonly address: Address
  /** Where a call that is done at once tells its number of bytes. */
  readonly pBytes: Address
  readonly #block: MemoryBlock
  readonly #offset: number
  #target: CompletionTarget | null = null

  constructor(block: MemoryBlock, offset: number) {
    this.#block = block
    this.#offset = offset
    this.address = block.address + offset
    this.pBytes = this.address + BYTES_OFFSET
  }

  get isInFlight(): boolean {
    return this.#target !== null
  }

  begin(target: CompletionTarget): void {
    if (this.#target !== null) throw new Error('an OVERLAPPED was given to a second operation while in flight')
    this.#target = target
    // SAFETY: idle, so Windows does not know the address; zeroed as every call demands.
    this.#block.u32.fill(0, this.#offset >>> 2, (this.#offset + STRIDE_BYTES) >>> 2)
  }

  /** Whether Windows has said in it how the operation ended. @see HasOverlappedIoCompleted */
  get hasOutcome(): boolean {
    // SAFETY: aligned, and our own memory; Windows writes the field once, before it queues the completion.
    return this.#block.u32[(this.#offset + OVERLAPPED.Internal) >>> 2] !== STATUS_PENDING
  }

  /** Windows is done with it; returns whose operation it was. */
  end(): CompletionTarget {
    const target = this.#target
    if (target === null) throw new Error('an OVERLAPPED that is not in flight was completed')
    this.#target = null
    return target
  }

  /** How many bytes a call that returned success at once has transferred. */
  get bytesAtOnce(): number {
    // SAFETY: our own memory; the call that was given it has returned.
    return (
      this.#block.u32[(this.#offset + BYTES_OFFSET) >>> 2]! ||
      this.#block.u32[(this.#offset + OVERLAPPED.InternalHigh) >>> 2]!
    )
  }
}

/**
 * All OVERLAPPEDs of the process, found by their addresses.
 *
 * A completion that nobody expects any more, for an operation that had ended at once, is ignored: the one that has been idle longest
 * is taken first, so that it mostly meets an idle one; else one whose outcome is still open.
 */
export class OverlappedPool {
  readonly #memory: NativeMemory
  readonly #byAddress = new Map<Address, Overlapped>()
  /** A ring of those that are idle: `#count` of them from `#head` on. */
  #idle: Overlapped[] = []
  #head = 0
  #count = 0

  constructor(memory: NativeMemory) {
    this.#memory = memory
  }

  /** How many operations are in flight. */
  get inFlight(): number {
    return this.#byAddress.size - this.#count
  }

  /** Begins an operation. */
  take(target: CompletionTarget): Overlapped {
    // Half an arena stays idle, so that none is used again at once.
    if (this.#count <= ARENA_COUNT / 2) this.#grow()
    const overlapped = this.#idle[this.#head]!
    this.#head = (this.#head + 1) % this.#idle.length
    this.#count--
    overlapped.begin(target)
    return overlapped
  }

  /** Ends an operation, and returns whose it was; null for an address of nobody's, or when the completion is of an earlier one. */
  complete(address: Address): CompletionTarget | null {
    const overlapped = this.#byAddress.get(address)
    const isExpected = overlapped !== undefined && overlapped.isInFlight && overlapped.hasOutcome
    return isExpected ? this.end(overlapped) : null
  }

  /** Ends an operation that needs no completion: the call was done at once, or was refused. */
  end(overlapped: Overlapped): CompletionTarget {
    const target = overlapped.end()
    this.#idle[(this.#head + this.#count) % this.#idle.length] = overlapped
    this.#count++
    return target
  }

  /** The arena is never freed: Windows may write to an OVERLAPPED until its completion is taken from the port. */
  #grow(): void {
    const block = new MemoryBlock(this.#memory, ARENA_COUNT * STRIDE_BYTES)
    const idle: Overlapped[] = []
    for (let index = 0; index < this.#count; index++) idle.push(this.#idle[(this.#head + index) % this.#idle.length]!)
    for (let index = 0; index < ARENA_COUNT; index++) {
      const overlapped = new Overlapped(block, index * STRIDE_BYTES)
      this.#byAddress.set(overlapped.address, overlapped)
      idle.push(overlapped)
    }
    this.#head = 0
    this.#count = idle.length
    this.#idle = idle.concat(Array.from({ length: this.#byAddress.size - idle.length }))
  }
}
