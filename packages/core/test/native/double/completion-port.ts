import { offsetOf, sizeOf } from './golden.ts'
import type { Ledger } from './ledger.ts'
import type { Operation } from './operation.ts'
import { WAIT_TIMEOUT } from './status.ts'
import type { Pin, TrackedMemory } from './tracked-memory.ts'
import type { Dice, Whims } from './whims.ts'

const SIZE = sizeOf('OVERLAPPED_ENTRY')
const KEY = offsetOf('OVERLAPPED_ENTRY', 'lpCompletionKey')
const OVERLAPPED = offsetOf('OVERLAPPED_ENTRY', 'lpOverlapped')
const INTERNAL = offsetOf('OVERLAPPED_ENTRY', 'Internal')
const BYTES = offsetOf('OVERLAPPED_ENTRY', 'dwNumberOfBytesTransferred')

/** One packet of a completion port. */
export interface Packet {
  readonly key: number
  readonly overlapped: number
  readonly status: number
  readonly bytes: number
  /** Undefined for one that the process has posted itself. */
  readonly operation: Operation | undefined
}

interface Waiter {
  readonly entries: Pin
  readonly removed: Pin
  readonly onCompletions: (result: number) => void
}

/** An I/O completion port. */
export class CompletionPort {
  readonly #memory: TrackedMemory
  readonly #ledger: Ledger
  readonly #dice: Dice
  readonly #whims: Whims
  readonly #packets: Packet[] = []
  #waiter: Waiter | null = null
  #isWaking = false
  readonly #drops: (packet: Packet) => boolean

  /** @param drops - whether a packet is lost */
  constructor(memory: TrackedMemory, ledger: Ledger, dice: Dice, whims: Whims, drops: (packet: Packet) => boolean) {
    this.#memory = memory
    this.#ledger = ledger
    this.#dice = dice
    this.#whims = whims
    this.#drops = drops
  }

  get isWaiting(): boolean {
    return this.#waiter !== null
  }

  /** Whether the completion of an operation waits here to be taken. */
  has(operation: Operation): boolean {
    return this.#packets.some((packet) => packet.operation === operation)
  }

  post(packet: Packet): void {
    if (this.#drops(packet)) return
    this.#packets.push(packet)
    this.#wakeSoon()
  }

  /** @returns the number of entries, 0 when there are none; null for memory that is not there */
  take(entries: number, count: number, pRemoved: number): { result: number; lastError: number } {
    if (this.#waiter !== null) this.#ledger.report('completions were taken while a thread waited for them')
    const memory = this.#memory.at(entries, count * SIZE, 'the entries of GetQueuedCompletionStatusEx')
    const removed = this.#memory.at(pRemoved, 4, 'pRemoved of GetQueuedCompletionStatusEx')
    if (memory === null || removed === null || this.#packets.length === 0) return { result: 0, lastError: WAIT_TIMEOUT }
    this.#write(memory, removed)
    return { result: 1, lastError: 0 }
  }

  wait(entries: number, count: number, pRemoved: number, onCompletions: (result: number) => void): void {
    if (this.#waiter !== null) return this.#ledger.report('two threads wait at the completion port')
    const name = 'GetQueuedCompletionStatusEx'
    const entriesPin = this.#memory.pin(entries, count * SIZE, 'writes', name)
    const removedPin = this.#memory.pin(pRemoved, 4, 'writes', name)
    if (entriesPin === null || removedPin === null) return
    this.#waiter = { entries: entriesPin, removed: removedPin, onCompletions }
    if (this.#packets.length > 0) this.#wakeSoon()
  }

  /** The process is gone, or closes the port. */
  close(): void {
    const waiter = this.#waiter
    this.#waiter = null
    if (waiter === null) return
    this.#memory.unpin(waiter.entries)
    this.#memory.unpin(waiter.removed)
  }

  /** The waiting thread gets what has come until it runs. */
  #wakeSoon(): void {
    if (this.#waiter === null || this.#isWaking) return
    this.#isWaking = true
    setImmediate(() => {
      this.#isWaking = false
      const waiter = this.#waiter
      if (waiter === null || this.#packets.length === 0) return
      this.#waiter = null
      this.#memory.unpin(waiter.entries)
      this.#memory.unpin(waiter.removed)
      this.#write(waiter.entries.bytes, waiter.removed.bytes)
      try {
        waiter.onCompletions(1)
      } catch (error) {
        this.#ledger.report(`the process ended with an exception: ${String(error)}`)
      }
    })
  }

  #write(entries: Buffer, removed: Buffer): void {
    const packets = this.#packets.splice(0, entries.length / SIZE)
    if (this.#whims.shuffles) this.#dice.shuffle(packets)
    packets.forEach(({ key, overlapped, status, bytes, operation }, index) => {
      const entry = entries.subarray(index * SIZE, (index + 1) * SIZE)
      entry.writeBigUInt64LE(BigInt(key), KEY)
      entry.writeBigUInt64LE(BigInt(overlapped), OVERLAPPED)
      entry.writeBigUInt64LE(BigInt(status), INTERNAL)
      entry.writeUInt32LE(bytes, BYTES)
      operation?.retire()
    })
    removed.writeUInt32LE(packets.length)
  }
}
