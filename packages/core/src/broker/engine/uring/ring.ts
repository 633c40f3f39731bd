import { getSystemErrorName } from 'node:util'
import {
  CQE_BYTES,
  EINVAL,
  ENOSYS,
  EPERM,
  IORING_CQ_EVENTFD_DISABLED,
  IORING_ENTER_EXT_ARG,
  IORING_ENTER_GETEVENTS,
  IORING_ENTER_REGISTERED_RING,
  IORING_FEAT_EXT_ARG,
  IORING_FEAT_NODROP,
  IORING_FEAT_RW_ATTR,
  IORING_FEAT_SINGLE_MMAP,
  IORING_OFF_SQES,
  IORING_OFF_SQ_RING,
  IORING_REGISTER_RING_FDS,
  IORING_SETUP_CLAMP,
  IORING_SETUP_COOP_TASKRUN,
  IORING_SETUP_CQSIZE,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_NO_SQARRAY,
  IORING_SETUP_SINGLE_ISSUER,
  IORING_SETUP_SUBMIT_ALL,
  IORING_SETUP_TASKRUN_FLAG,
  IORING_SQ_CQ_OVERFLOW,
  IORING_SQ_TASKRUN,
  PARAMS,
  PARAMS_BYTES,
  SQE_BYTES,
  SQE_FD,
  SQE_HEAD,
  SQE_USER,
} from './kernel.ts'
import { signalsAtOnce } from './signal-probe.ts'
import { bytesOf } from './system-calls.ts'
import type { Mapping, SystemCalls } from './system-calls.ts'

/** Entries of the submission queue; when it is full it is submitted in the middle of a turn. */
const SQ_ENTRIES = 1024
/** More completions than this wait in the kernel (IORING_FEAT_NODROP). */
const CQ_ENTRIES = 8192

const ALWAYS = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP
const COOPERATIVE = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG

/** The kinds of ring from the best to the plainest. */
const TIERS = {
  /** Linux 6.6: work is done when it is asked for, by the one thread that submits; no array of indices. */
  direct: COOPERATIVE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_NO_SQARRAY,
  /** 6.1 */
  deferred: COOPERATIVE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
  /** 5.19: without interrupting the thread */
  cooperative: COOPERATIVE | IORING_SETUP_COOP_TASKRUN,
  plain: 0,
} as const

export type RingTier = keyof typeof TIERS

/** All tiers, best first. */
export const RING_TIERS = Object.keys(TIERS) as RingTier[]

/** Receives each completion; `user` is what the operation was submitted with. */
export interface CompletionSink {
  onCompletion(user: number, result: number, flags: number): void
}

/**
 * One io_uring: its queues in memory that is shared with the kernel.
 *
 * The memory of one that is used is never unmapped: it lives as long as its thread.
 */
export class Ring {
  readonly tier: RingTier
  /** Why it is none whose work is deferred, the best kind; undefined when it is one. */
  readonly setback: string | undefined
  readonly descriptor: number
  /** The submission entries, 16 ints each. */
  readonly entries: Int32Array
  /** Whether {@link Ring.enter} can wait for a bounded time. */
  readonly canWait: boolean
  /**
   * A file that has been taken out of the ring's table is let go at once. Before Linux 6.13 it waited for every operation on any file of
   * the table, so a connection that was closed stayed open while another one said nothing.
   */
  readonly dropsFilesAtOnce: boolean
  readonly #calls: SystemCalls
  /** What `io_uring_enter` is called with: the descriptor, or its registered number, which spares a look-up. */
  #enterDescriptor: number
  #enterFlags = IORING_ENTER_GETEVENTS
  // SAFETY: heads, tails and flags are shared with the kernel; its side of each is read and ours is published through Atomics, which
  // are acquire and release on both processors, so that entries are never seen before they are written. All offsets come from
  // the kernel and are within the mapping, whose size was computed from them.
  readonly #ints: Int32Array
  readonly #sqHead: number
  readonly #sqTail: number
  readonly #sqFlags: number
  readonly #sqMask: number
  readonly #sqSize: number
  readonly #cqHead: number
  readonly #cqTail: number
  readonly #cqFlags: number
  readonly #cqes: number
  readonly #cqMask: number
  /** Behind the last entry that was prepared. */
  #tail: number
  #head: number
  /** `struct io_uring_getevents_arg` and the time it points to. */
  readonly #wait: Mapping
  readonly #waitTime: Int32Array
  readonly #mappings: readonly Mapping[]

  /** @returns the ring, or why there can't be one */
  static open(calls: SystemCalls, tiers: readonly RingTier[] = RING_TIERS): Ring | string {
    let failure = 'no better kind of ring was allowed'
    for (const tier of tiers) {
      const params = new Uint8Array(PARAMS_BYTES)
      const fields = new Uint32Array(params.buffer)
      fields[PARAMS.flags >> 2] = ALWAYS | TIERS[tier]
      fields[PARAMS.cqEntries >> 2] = CQ_ENTRIES
      const descriptor = calls.setup(SQ_ENTRIES, params)
      if (descriptor < 0) {
        const errno = calls.errno()
        failure = describeSetupFailure(errno)
        if (errno === EINVAL) continue
        return failure
      }
      const needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP
      if ((fields[PARAMS.features >> 2]! & needed) !== needed) {
        calls.close(descriptor)
        return 'the kernel is older than Linux 5.5'
      }
      const ring = new Ring(calls, tier, descriptor, fields, failure)
      if (ring.#isUsable()) return ring
      failure = 'the kernel does not tell at once when something has completed'
    }
    return failure
  }

  private constructor(calls: SystemCalls, tier: RingTier, descriptor: number, params: Uint32Array, failure: string) {
    const field = (offset: number): number => params[offset >> 2]!
    this.#calls = calls
    this.tier = tier
    this.setback = this.isDeferred ? undefined : failure
    this.descriptor = descriptor
    this.#enterDescriptor = descriptor
    this.#sqSize = field(PARAMS.sqEntries)
    this.#sqMask = this.#sqSize - 1
    const cqSize = field(PARAMS.cqEntries)
    this.#cqMask = cqSize - 1
    const hasArray = (TIERS[tier] & IORING_SETUP_NO_SQARRAY) === 0
    const arrayEnd = hasArray ? field(PARAMS.sqArray) + this.#sqSize * 4 : 0
    const bytes = Math.max(arrayEnd, field(PARAMS.cqCqes) + cqSize * CQE_BYTES)
    const queues = calls.map(bytes, descriptor, IORING_OFF_SQ_RING)
    const entries = calls.map(this.#sqSize * SQE_BYTES, descriptor, IORING_OFF_SQES)
    this.#ints = new Int32Array(queues.memory, 0, bytes >> 2)
    this.entries = new Int32Array(entries.memory)
    this.#sqHead = field(PARAMS.sqHead) >> 2
    this.#sqTail = field(PARAMS.sqTail) >> 2
    this.#sqFlags = field(PARAMS.sqFlags) >> 2
    this.#cqHead = field(PARAMS.cqHead) >> 2
    this.#cqTail = field(PARAMS.cqTail) >> 2
    this.#cqFlags = field(PARAMS.cqFlags) >> 2
    this.#cqes = field(PARAMS.cqCqes) >> 2
    if (hasArray) {
      const array = field(PARAMS.sqArray) >> 2
      for (let index = 0; index < this.#sqSize; index++) this.#ints[array + index] = index
    }
    this.#tail = Atomics.load(this.#ints, this.#sqTail)
    this.#head = Atomics.load(this.#ints, this.#cqHead)
    this.canWait = (field(PARAMS.features) & IORING_FEAT_EXT_ARG) !== 0
    this.dropsFilesAtOnce = (field(PARAMS.features) & IORING_FEAT_RW_ATTR) !== 0
    this.#wait = calls.map(4096, -1, 0)
    this.#waitTime = new Int32Array(this.#wait.memory)
    this.#mappings = [queues, entries, this.#wait]
    // struct io_uring_getevents_arg { u64 sigmask; u32 sigmask_sz; u32 min_wait_usec; u64 ts; }, the time behind it at 32
    new BigUint64Array(this.#wait.memory)[2] = BigInt(this.#wait.address + 32)
  }

  /** Tries the ring; closes one that is not to be relied on. */
  #isUsable(): boolean {
    let isUsable = false
    try {
      isUsable = signalsAtOnce(this.#calls, this)
    } finally {
      if (isUsable) this.#registerDescriptor()
      else this.#discard()
    }
    return isUsable
  }

  /** Without it every call looks the descriptor up in a table that all threads of the process share. */
  #registerDescriptor(): void {
    // struct io_uring_rsrc_update { u32 offset; u32 resv; u64 data; }
    const update = new Uint32Array([0xffff_ffff, 0, this.descriptor, 0])
    if (this.#calls.register(this.descriptor, IORING_REGISTER_RING_FDS, bytesOf(update), 1) !== 1) return
    this.#enterDescriptor = update[0]!
    this.#enterFlags |= IORING_ENTER_REGISTERED_RING
  }

  /** Registers what `argument` describes. @throws Node's code in an error of its own */
  register(operation: number, argument: Uint8Array | null, count: number): void {
    if (this.#calls.register(this.descriptor, operation, argument, count) >= 0) return
    const errno = this.#calls.errno()
    throw new Error(`io_uring_register ${operation}: ${getSystemErrorName(-errno)}`)
  }

  /**
   * Prepares one operation, all of whose other fields are zero; returns the index of its first int in {@link Ring.entries}.
   *
   * @param head - opcode, flags << 8, ioprio << 16
   */
  prepare(head: number, descriptor: number, user: number): number {
    if (((this.#tail - Atomics.load(this.#ints, this.#sqHead)) | 0) >= this.#sqSize) this.#submitAll()
    const at = (this.#tail & this.#sqMask) << 4
    const { entries } = this
    entries[at + SQE_HEAD] = head
    entries[at + SQE_FD] = descriptor
    for (let index = at + 2; index < at + 16; index++) entries[index] = 0
    entries[at + SQE_USER] = user
    this.#tail = (this.#tail + 1) | 0
    return at
  }

  /** The queue is full in the middle of a turn: its completions wait for the next look. */
  #submitAll(): void {
    this.enter(0)
    if (((this.#tail - Atomics.load(this.#ints, this.#sqHead)) | 0) < this.#sqSize) return
    throw new Error('the kernel takes no submissions')
  }

  /** Operations that have been prepared and not submitted. */
  get unsubmitted(): number {
    return (this.#tail - Atomics.load(this.#ints, this.#sqHead)) | 0
  }

  /** Whether completions are there, or would be after {@link Ring.enter}. */
  get hasCompletions(): boolean {
    const flags = Atomics.load(this.#ints, this.#sqFlags)
    if ((flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) !== 0) return true
    return Atomics.load(this.#ints, this.#cqTail) !== this.#head
  }

  /**
   * Submits what has been prepared, lets the kernel do what it has put off, and waits for completions if asked to.
   *
   * @param minComplete - completions to wait for
   * @param waitMs - no longer than this
   */
  enter(minComplete: number, waitMs = 0): void {
    Atomics.store(this.#ints, this.#sqTail, this.#tail)
    const count = this.unsubmitted
    if (minComplete === 0) {
      this.#calls.enter(this.#enterDescriptor, count, 0, this.#enterFlags, 0, 0)
      return
    }
    // struct __kernel_timespec { s64 tv_sec; s64 tv_nsec; }, below one second
    this.#waitTime[10] = waitMs * 1_000_000
    // SAFETY: the argument is in memory of this object's own, which is never unmapped.
    const flags = this.#enterFlags | IORING_ENTER_EXT_ARG
    this.#calls.enter(this.#enterDescriptor, count, minComplete, flags, this.#wait.address, 24)
    // Failures (a signal, a time that is up) need nothing: what was not submitted still is there at the next call.
  }

  /** Whether the kernel receives only when this thread asks it to, in {@link Ring.enter}; else at any call into it. */
  get isDeferred(): boolean {
    return (TIERS[this.tier] & IORING_SETUP_DEFER_TASKRUN) !== 0
  }

  /** Hands over the completions that are there now; returns how many. */
  drain(sink: CompletionSink): number {
    const ints = this.#ints
    const tail = Atomics.load(ints, this.#cqTail)
    const count = (tail - this.#head) | 0
    while (this.#head !== tail) {
      const at = this.#cqes + ((this.#head & this.#cqMask) << 2)
      this.#head = (this.#head + 1) | 0
      sink.onCompletion(ints[at]!, ints[at + 2]!, ints[at + 3]!)
    }
    if (count > 0) Atomics.store(ints, this.#cqHead, tail)
    return count
  }

  /** Whether completions signal the eventfd. */
  set signals(isOn: boolean) {
    Atomics.store(this.#ints, this.#cqFlags, isOn ? 0 : IORING_CQ_EVENTFD_DISABLED)
  }

  close(): void {
    this.#calls.close(this.descriptor)
  }

  /** The kernel keeps a ring as long as its queues are mapped. */
  #discard(): void {
    this.close()
    // SAFETY: nobody has got this ring, and nothing of it is under way.
    for (const mapping of this.#mappings) this.#calls.unmap(mapping)
  }
}

function describeSetupFailure(errno: number): string {
  switch (errno) {
    case ENOSYS:
      return 'the kernel has no io_uring, or a seccomp filter hides it'
    case EPERM:
      return 'io_uring is forbidden here, by a seccomp filter or by sysctl kernel.io_uring_disabled'
    case EINVAL:
      return 'the kernel is too old: it does not know a flag'
    default:
      return `io_uring_setup failed with ${getSystemErrorName(-errno)}`
  }
}
