import koffi from 'koffi'
import type { NativeMemory } from '../../../src/native/win32-api.ts'
import type { Ledger } from './ledger.ts'

/** Bytes before and after each block that nobody may write to. */
const GUARD_BYTES = 64
const GUARD = 0xfd
/** Freed memory is never given back while a test runs, so that a late write to it shows. */
const FREED = 0xdd
const INTACT_GUARD = Buffer.alloc(GUARD_BYTES, GUARD)
const FREED_BYTES = Buffer.alloc(64 * 1024, FREED)
/** A buffer that Windows may write to at any time holds this. */
const IN_FLIGHT = 0xcc

interface Block {
  readonly address: number
  readonly length: number
  /** Guards included. */
  readonly whole: Buffer
  readonly bytes: Buffer
  readonly pins: Set<Pin>
  isFreed: boolean
}

/** Memory that an operation in flight was given. */
export interface Pin {
  readonly block: Block
  readonly address: number
  readonly bytes: Buffer
  /** What Windows does with it. */
  readonly access: 'reads' | 'writes'
  readonly operation: string
  readonly snapshot: Buffer
}

/** The memory of one process: real memory, with an account of who may touch which part of it. */
export class TrackedMemory implements NativeMemory {
  readonly #ledger: Ledger
  /** In order of addresses. */
  readonly #blocks: Block[] = []

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** Blocks that were allocated and not freed. */
  get liveBlocks(): number {
    return this.#blocks.reduce((count, { isFreed }) => count + (isFreed ? 0 : 1), 0)
  }

  // The process's side

  readonly alloc = (bytes: number): number => {
    const length = bytes + 2 * GUARD_BYTES
    const pointer = koffi.alloc('uint8_t', length + 16) as unknown
    const base = Number(koffi.address(pointer))
    const start = Math.ceil(base / 16) * 16
    // SAFETY: the block is never freed, and the view lies in it.
    const whole = Buffer.from(koffi.view(BigInt(start), length)).fill(GUARD)
    const content = whole.subarray(GUARD_BYTES, GUARD_BYTES + bytes).fill(0)
    const address = start + GUARD_BYTES
    this.#blocks.splice(this.#indexAfter(address), 0, {
      address,
      length: bytes,
      whole,
      bytes: content,
      pins: new Set(),
      isFreed: false,
    })
    return address
  }

  readonly free = (address: number): void => {
    const block = this.#blockAt(address)
    if (block === undefined || block.address !== address)
      return this.#ledger.report(`free of ${hex(address)}, no block`)
    if (block.isFreed) return this.#ledger.report(`a block was freed twice: ${hex(address)}`)
    for (const pin of block.pins) this.#ledger.report(`memory of ${pin.operation} was freed in flight`)
    block.isFreed = true
    block.bytes.fill(FREED)
  }

  readonly view = (address: number, bytes: number): ArrayBuffer => {
    if (this.at(address, bytes, 'a view') === null) throw new Error(`no memory at ${hex(address)}`)
    // SAFETY: `at` has found the range inside a block, and blocks stay.
    return koffi.view(BigInt(address), bytes)
  }

  // Windows' side

  /** The bytes of a range that lies in one live block; null, and a violation, when it does not. */
  at(address: number, length: number, purpose: string): Buffer | null {
    const block = this.#blockAt(address)
    if (block === undefined) {
      this.#ledger.report(`${purpose} points at ${hex(address)}, which is no memory of the process`)
      return null
    }
    const offset = address - block.address
    if (offset < 0 || offset + length > block.length) {
      this.#ledger.report(`${purpose} reaches beyond its block: ${length} bytes at ${offset} of ${block.length}`)
      return null
    }
    if (block.isFreed) this.#ledger.report(`${purpose} points at freed memory`)
    return block.bytes.subarray(offset, offset + length)
  }

  /** Gives memory to an operation until {@link unpin}; null when it is not there. */
  pin(address: number, length: number, access: 'reads' | 'writes', operation: string): Pin | null {
    const bytes = this.at(address, length, operation)
    if (bytes === null) return null
    const block = this.#blockAt(address)!
    for (const other of block.pins) {
      const isApart = address + length <= other.address || other.address + other.bytes.length <= address
      if (isApart || (access === 'reads' && other.access === 'reads')) continue
      this.#ledger.report(`${operation} and ${other.operation} were given the same memory`)
    }
    if (access === 'writes') bytes.fill(IN_FLIGHT)
    const pin = { block, address, bytes, access, operation, snapshot: Buffer.from(bytes) }
    block.pins.add(pin)
    return pin
  }

  /** Ends an operation's hold on memory; from before Windows writes to it. */
  unpin(pin: Pin): void {
    if (!pin.block.pins.delete(pin)) throw new Error('unpinned twice')
    if (!pin.block.isFreed && !pin.bytes.equals(pin.snapshot)) {
      this.#ledger.report(`memory of ${pin.operation} was written to in flight`)
    }
  }

  /** Looks for what can only be seen afterwards. */
  inspect(): void {
    for (const { address, length, whole, bytes, isFreed } of this.#blocks) {
      const guards = [whole.subarray(0, GUARD_BYTES), whole.subarray(GUARD_BYTES + length)]
      if (!guards.every((guard) => guard.equals(INTACT_GUARD))) {
        this.#ledger.report(`something was written beside the block at ${hex(address)}`)
      }
      if (isFreed && !holdsOnly(bytes, FREED_BYTES)) {
        this.#ledger.report(`something was written to freed memory at ${hex(address)}`)
      }
    }
  }

  #blockAt(address: number): Block | undefined {
    const block = this.#blocks[this.#indexAfter(address) - 1]
    return block !== undefined && address < block.address + Math.max(1, block.length) ? block : undefined
  }

  #indexAfter(address: number): number {
    let low = 0
    let high = this.#blocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#blocks[middle]!.address <= address) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Whether bytes are nothing but a pattern repeated; by comparison of whole pieces, since there are many of them to look at. */
function holdsOnly(bytes: Buffer, pattern: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += pattern.length) {
    const piece = bytes.subarray(at, at + pattern.length)
    if (!piece.equals(pattern.subarray(0, piece.length))) return false
  }
  return true
}

function hex(address: number): string {
  return `0x${address.toString(16)}`
}
