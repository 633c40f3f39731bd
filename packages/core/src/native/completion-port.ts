import { INVALID_HANDLE_VALUE } from './constants.ts'
import { checkBool } from './check.ts'
import { OVERLAPPED_ENTRY } from './layout.ts'
import { MemoryBlock } from './memory-block.ts'
import { win32StatusOf } from './nt-status.ts'
import { OverlappedPool } from './overlapped.ts'
import type { CompletionTarget, Overlapped } from './overlapped.ts'
import type { Handle, Win32Api } from './win32-api.ts'

/** Completions taken in one wake. */
const BATCH = 128
/** Nothing can wait without keeping the process alive; a server that must not do so is looked after this often. */
const POLL_INTERVAL_MS = 10

/**
 * The one completion port of the process, and the one thread that waits at it.
 *
 * asleep ──hold──▶ waiting ──completions──▶ dispatching ──▶ waiting
 *   ▲                                           │ nobody holds
 *   └───────────────────────────────────────────┘  (polling, while something listens without holding)
 */
export class CompletionPort {
  readonly #api: Win32Api
  readonly #handle: Handle
  readonly #pool: OverlappedPool
  readonly #entries: MemoryBlock
  readonly #removed: MemoryBlock
  #state: 'idle' | 'waiting' | 'dispatching' = 'idle'
  /** What keeps the process alive: queues and open exchanges. */
  #holders = 0
  /** What is open without keeping the process alive. */
  #watchers = 0
  #timer: NodeJS.Timeout | null = null
  #hasExitHandler = false

  constructor(api: Win32Api) {
    this.#api = api
    this.#pool = new OverlappedPool(api.memory)
    this.#entries = new MemoryBlock(api.memory, BATCH * OVERLAPPED_ENTRY.$size)
    this.#removed = new MemoryBlock(api.memory, 16)
    this.#handle = api.kernel.CreateIoCompletionPort(INVALID_HANDLE_VALUE, 0, 0, 0)
    checkBool(api.kernel, 'CreateIoCompletionPort', this.#handle, 'the completion port')
  }

  /** How many operations Windows has not completed. */
  get inFlight(): number {
    return this.#pool.inFlight
  }

  /** Completions of operations on this handle come here. */
  associate(file: Handle, subject: string): void {
    const { kernel } = this.#api
    const result = kernel.CreateIoCompletionPort(file, this.#handle, 0, 0)
    checkBool(kernel, 'CreateIoCompletionPort', result, subject)
  }

  /** Begins an operation: its OVERLAPPED, which belongs to Windows until `onCompletion`, or until {@link endAtOnce}. */
  begin(target: CompletionTarget): Overlapped {
    return this.#pool.take(target)
  }

  /** The call was done at once, or refused: no completion follows. */
  endAtOnce(overlapped: Overlapped): void {
    this.#pool.end(overlapped)
  }

  /** Something needs completions, and the process must stay alive for it. */
  hold(): void {
    this.#holders++
    this.#wait()
  }

  release(): void {
    this.#holders--
    if (this.#holders > 0) return
    // The wait keeps the process alive; it can only be ended from outside.
    this.#wake()
    this.#updatePolling()
  }

  /** Something needs completions, as long as the process lives for other reasons. */
  watch(): void {
    this.#watchers++
    this.#updatePolling()
  }

  unwatch(): void {
    this.#watchers--
    this.#updatePolling()
  }

  #wait(): void {
    this.#updatePolling()
    if (this.#state !== 'idle' || this.#holders === 0) return
    this.#state = 'waiting'
    if (!this.#hasExitHandler) {
      this.#hasExitHandler = true
      // Node waits for the threads of its pool when it ends, also after process.exit() and after an exception.
      process.once('exit', () => this.#wake())
    }
    // SAFETY: the two blocks live as long as the port and are touched only between two waits.
    this.#api.kernel.waitForCompletions(
      this.#handle,
      this.#entries.address,
      BATCH,
      this.#removed.address,
      this.#onCompletions,
    )
  }

  readonly #onCompletions = (result: number): void => {
    this.#state = 'dispatching'
    let count = result === 0 ? 0 : this.#removed.u32[0]!
    this.#dispatch(count)
    // A full batch: more is there, and can be had without a thread's help. Other events get their turn after the third.
    for (let round = 1; round < 3 && count === BATCH; round++) count = this.#take()
    this.#state = 'idle'
    this.#wait()
  }

  #dispatch(count: number): void {
    const { u32 } = this.#entries
    for (let index = 0; index < count; index++) {
      const at = index * OVERLAPPED_ENTRY.$size
      // SAFETY: Windows has written `count` entries and, since the wait is over, writes no more.
      const address = this.#entries.readAddress(at + OVERLAPPED_ENTRY.lpOverlapped)
      // 0 is our own wake-up; others that nobody waits for are of operations that were done at once.
      const target = this.#pool.complete(address)
      if (target === null) continue
      const status = win32StatusOf(this.#api.kernel, u32[(at + OVERLAPPED_ENTRY.Internal) >>> 2]!)
      try {
        target.onCompletion(status, u32[(at + OVERLAPPED_ENTRY.dwNumberOfBytesTransferred) >>> 2]!)
      } catch (error) {
        // Nobody may throw here; if somebody does, the completions behind his are not lost, nor the waiting.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  readonly #poll = (): void => {
    if (this.#state !== 'idle') return
    this.#state = 'dispatching'
    this.#take()
    this.#state = 'idle'
    this.#wait()
  }

  /** Takes what is there; returns how many completions that were. */
  #take(): number {
    // SAFETY: no wait is under way, so the blocks are ours.
    const result = this.#api.kernel.GetQueuedCompletionStatusEx(
      this.#handle,
      this.#entries.address,
      BATCH,
      this.#removed.address,
      0,
      0,
    )
    const count = result === 0 ? 0 : this.#removed.u32[0]!
    this.#dispatch(count)
    return count
  }

  #updatePolling(): void {
    const isPolling = this.#watchers > 0 && this.#holders === 0
    if (isPolling === (this.#timer !== null)) return
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = isPolling ? setInterval(this.#poll, POLL_INTERVAL_MS).unref() : null
  }

  #wake(): void {
    if (this.#state === 'waiting') this.#api.kernel.PostQueuedCompletionStatus(this.#handle, 0, 0, 0)
  }
}
