import { offsetOf, sizeOf } from './golden.ts'
import type { CompletionPort } from './completion-port.ts'
import type { Ledger } from './ledger.ts'
import { IO_PENDING, MORE_DATA, NT_PENDING, SUCCESS, ntStatusOf } from './status.ts'
import type { Pin, TrackedMemory } from './tracked-memory.ts'
import type { Dice, Whims } from './whims.ts'

const SIZE = sizeOf('OVERLAPPED')
const INTERNAL = offsetOf('OVERLAPPED', 'Internal')
const INTERNAL_HIGH = offsetOf('OVERLAPPED', 'InternalHigh')

/** A handle that operations are issued on. */
export interface FileHandle {
  port: CompletionPort | null
  key: number
  /** FILE_SKIP_COMPLETION_PORT_ON_SUCCESS */
  skipsOnSuccess: boolean
}

/**
 * One overlapped call.
 *
 * starting ──returns 0 or an error──▶ done
 *     └──returns 997, or 0 and posts all the same──▶ pending ──▶ posted ──taken from the port──▶ done
 */
export class Operation {
  readonly name: string
  readonly overlapped: number
  readonly file: FileHandle
  state: 'starting' | 'pending' | 'posted' | 'done' = 'starting'
  /** Called when the process asks to cancel it, or closes its handle. */
  onCancel: () => void = () => {}
  status = SUCCESS
  bytes = 0
  readonly #table: OperationTable
  readonly #pins: Pin[] = []
  readonly #block: Buffer

  constructor(table: OperationTable, name: string, overlapped: number, file: FileHandle, block: Buffer) {
    this.#table = table
    this.name = name
    this.overlapped = overlapped
    this.file = file
    this.#block = block
    block.writeBigUInt64LE(BigInt(NT_PENDING), INTERNAL)
    this.#pins.push(table.memory.pin(overlapped, SIZE, 'reads', `the OVERLAPPED of ${name}`)!)
  }

  /** Memory that Windows reads, or writes when the operation completes. */
  pin(address: number, length: number, access: 'reads' | 'writes'): Buffer | null {
    const pin = this.#table.memory.pin(address, length, access, this.name)
    if (pin === null) return null
    this.#pins.push(pin)
    return pin.bytes
  }

  /** Is called once, during the call or later; `write` fills the buffers. */
  complete(status: number, bytes = 0, write?: () => void): void {
    if (this.state === 'posted' || this.state === 'done') throw new Error(`${this.name} completed twice`)
    for (const pin of this.#pins) this.#table.memory.unpin(pin)
    write?.()
    this.status = status
    this.bytes = bytes
    const isPending = this.state === 'pending'
    this.state = 'posted'
    if (isPending) this.#post()
  }

  /** What the call returns, once it has been begun. */
  result(pBytes: number): number {
    if (this.state === 'starting') {
      this.state = 'pending'
      return IO_PENDING
    }
    const { dice, whims, memory } = this.#table
    const writeBytes = (): void => {
      this.#writeOutcome()
      if (pBytes !== 0) memory.at(pBytes, 4, `pBytes of ${this.name}`)?.writeUInt32LE(this.bytes)
    }
    if (this.status !== SUCCESS && this.status !== MORE_DATA) {
      // A call that fails at once posts nothing.
      this.retire()
      return this.status
    }
    if (dice.roll() >= whims.atOnce) {
      this.#post()
      return IO_PENDING
    }
    writeBytes()
    if (this.status === MORE_DATA) {
      this.retire()
      if (whims.postsAnyway) this.#queuePacket(undefined)
      return this.status
    }
    if (this.file.skipsOnSuccess || this.file.port === null) {
      this.retire()
      if (whims.postsAnyway) this.#queuePacket(undefined)
    }
    // The completion comes although the call has returned success.
    else this.#post()
    return SUCCESS
  }

  /** The OVERLAPPED belongs to the process again. */
  retire(): void {
    this.state = 'done'
    this.#table.end(this)
  }

  #post(): void {
    this.#writeOutcome()
    this.#queuePacket(this)
  }

  /** @param operation - undefined for a completion of what is over already, whose OVERLAPPED the process may be using again */
  #queuePacket(operation: Operation | undefined): void {
    // Until its completion is taken, the OVERLAPPED may not be used again.
    this.file.port?.post({
      key: this.file.key,
      overlapped: this.overlapped,
      status: ntStatusOf(this.status),
      bytes: this.bytes,
      operation,
    })
  }

  #writeOutcome(): void {
    this.#block.writeBigUInt64LE(BigInt(ntStatusOf(this.status)), INTERNAL)
    this.#block.writeBigUInt64LE(BigInt(this.bytes), INTERNAL_HIGH)
  }
}

/** The operations in flight of one process, by the addresses of their OVERLAPPEDs. */
export class OperationTable {
  readonly memory: TrackedMemory
  readonly dice: Dice
  readonly whims: Whims
  readonly #ledger: Ledger
  readonly #byOverlapped = new Map<number, Operation>()

  constructor(memory: TrackedMemory, ledger: Ledger, dice: Dice, whims: Whims) {
    this.memory = memory
    this.#ledger = ledger
    this.dice = dice
    this.whims = whims
  }

  /** Null, and a violation, when the OVERLAPPED can't be used. */
  begin(name: string, overlapped: number, file: FileHandle): Operation | null {
    const other = this.#byOverlapped.get(overlapped)
    if (other !== undefined) {
      this.#ledger.report(`the OVERLAPPED of ${other.name}, in flight, was given to ${name}`)
      return null
    }
    const block = this.memory.at(overlapped, SIZE, `the OVERLAPPED of ${name}`)
    if (block === null) return null
    if (overlapped % 8 !== 0) this.#ledger.report(`the OVERLAPPED of ${name} is not aligned`)
    const operation = new Operation(this, name, overlapped, file, block)
    this.#byOverlapped.set(overlapped, operation)
    return operation
  }

  end(operation: Operation): void {
    this.#byOverlapped.delete(operation.overlapped)
  }

  /** Of a handle; those that have completed and wait in the port included. */
  on(file: FileHandle): Operation[] {
    return [...this.#byOverlapped.values()].filter((operation) => operation.file === file)
  }

  find(overlapped: number): Operation | undefined {
    return this.#byOverlapped.get(overlapped)
  }

  /** When a process is expected to have nothing under way; completions that it has no reason to take may lie in the port. */
  inspect(): void {
    for (const operation of this.#byOverlapped.values()) {
      const { name, state, file } = operation
      if (state === 'pending') this.#ledger.report(`${name} is still in flight`)
      if (state === 'posted' && file.port?.has(operation) === false)
        this.#ledger.report(`the completion of ${name} was lost`)
    }
  }
}
