import type { Watched } from '../engine.ts'
import {
  IORING_OP_CLOSE,
  IORING_OP_SEND,
  IOSQE_CQE_SKIP_SUCCESS,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SQE_ADDRESS_HIGH,
  SQE_ADDRESS_LOW,
  SQE_LENGTH,
  SQE_OPERATION_FLAGS,
} from './kernel.ts'
import { ReceiveBuffers } from './receive-buffers.ts'
import { RegisteredDescriptors } from './registered-descriptors.ts'
import { Ring } from './ring.ts'
import type { CompletionSink, RingTier } from './ring.ts'
import { SendArena, splitAddress } from './send-arena.ts'
import { systemCalls } from './system-calls.ts'
import type { SystemCalls } from './system-calls.ts'
import { WakeUp } from './wake-up.ts'

/** What a completion is of: the upper byte of the `user` that an operation carries; the slot of its object is the rest. */
export const RECEIVE = 1
export const SEND = 2
export const ACCEPT = 3
export const POLL = 4
export const CLOSE = 5
/** Its result is of no interest to anyone, and its object may have gone. */
const NOBODY = 0

const SEND_QUIETLY = IORING_OP_SEND | (IOSQE_CQE_SKIP_SUCCESS << 8)

/** Bits of the slot. */
const SLOT_BITS = 24
const SLOT_MASK = (1 << SLOT_BITS) - 1

/** An object whose operations are under way. */
export interface Operator {
  /** Its operation has come so far. */
  onResult(operation: number, result: number, flags: number): void
}

/** A connection that has something to send. */
export interface Sender {
  /** Puts its next send into the ring, if it has one to make. */
  submitSend(): void
}

/** Requests: of so many connections as have one in the same moment. More wait in their sockets until a buffer comes back. */
const SMALL_BUFFERS = { count: 512, size: 4 * 1024 }
/** Bodies, and owners' frames. */
const LARGE_BUFFERS = { count: 64, size: 64 * 1024 }

/** A turn goes on while there is work, so long; then libuv has its own. */
const TURN_MS = 1

/**
 * Drives one ring from the event loop of its thread: nothing here blocks, and timers, TLS and everything else of libuv go on beside it.
 *
 * idle (libuv waits for the eventfd) ──completions, or something to send──▶ turning ──nothing left──▶ idle
 */
export class Reactor implements CompletionSink {
  readonly calls: SystemCalls
  readonly ring: Ring
  readonly smallBuffers: ReceiveBuffers
  readonly largeBuffers: ReceiveBuffers
  readonly arena: SendArena
  readonly registered: RegisteredDescriptors
  readonly #wakeUp: WakeUp
  readonly #operators: (Operator | null)[] = []
  readonly #freeSlots: number[] = []
  #used = 0
  #isScheduled = false
  #isTurning = false
  #senders: Sender[] = []
  #deferred: (() => void)[] = []
  readonly #watched: Watched[] = []
  /** The address of a byte to be sent. */
  readonly #byte: { readonly addressLow: number; readonly addressHigh: number }
  readonly #onImmediate = (): void => {
    this.#isScheduled = false
    this.#turn()
  }

  /** @returns the reactor, or why there can't be one */
  static open(tiers?: readonly RingTier[]): Reactor | string {
    let ring: Ring | string | undefined
    try {
      const calls = systemCalls()
      ring = Ring.open(calls, tiers)
      return typeof ring === 'string' ? ring : new Reactor(calls, ring)
    } catch (error) {
      if (ring instanceof Ring) ring.close()
      return error instanceof Error ? error.message : String(error)
    }
  }

  private constructor(calls: SystemCalls, ring: Ring) {
    this.calls = calls
    this.ring = ring
    this.smallBuffers = new ReceiveBuffers(calls, ring, 0, SMALL_BUFFERS.count, SMALL_BUFFERS.size)
    this.largeBuffers = new ReceiveBuffers(calls, ring, 1, LARGE_BUFFERS.count, LARGE_BUFFERS.size)
    this.arena = new SendArena(calls)
    this.registered = new RegisteredDescriptors(calls, ring)
    this.#byte = splitAddress(calls.map(1, -1, 0).address)
    this.#wakeUp = new WakeUp(calls, ring, () => this.#turn())
  }

  /** Gives an object its slot, which is its own until {@link Reactor.leave}. */
  enter(operator: Operator): number {
    const slot = this.#freeSlots.pop() ?? this.#operators.length
    if (slot > SLOT_MASK) throw new Error('too many connections')
    this.#operators[slot] = operator
    if (this.#used++ === 0) this.#wakeUp.keepsProcess = true
    return slot
  }

  /** Frees a slot none of whose operations is under way. */
  leave(slot: number): void {
    this.#operators[slot] = null
    this.#freeSlots.push(slot)
    if (--this.#used === 0) this.#wakeUp.keepsProcess = false
  }

  /** Prepares an operation of the object in a slot, to be submitted in this turn; see {@link Ring.prepare}. */
  prepare(head: number, descriptor: number, operation: number, slot: number): number {
    this.#schedule()
    return this.ring.prepare(head, descriptor, (operation << SLOT_BITS) | slot)
  }

  /** What names an operation that is under way, to cancel it. */
  userOf(operation: number, slot: number): number {
    return (operation << SLOT_BITS) | slot
  }

  /** Prepares an operation whose completion nobody waits for. */
  prepareForNobody(head: number, descriptor: number): number {
    this.#schedule()
    return this.ring.prepare(head, descriptor, NOBODY)
  }

  /** Sends one byte, if the other side has room for it. */
  sendByte(descriptor: number): void {
    const at = this.prepareForNobody(SEND_QUIETLY, descriptor)
    // SAFETY: the byte is never written to, and its memory never unmapped.
    const { entries } = this.ring
    entries[at + SQE_ADDRESS_LOW] = this.#byte.addressLow
    entries[at + SQE_ADDRESS_HIGH] = this.#byte.addressHigh
    entries[at + SQE_LENGTH] = 1
    entries[at + SQE_OPERATION_FLAGS] = MSG_NOSIGNAL | MSG_DONTWAIT
  }

  /** Looks at it whenever nothing else is left to do in a turn; returns what begins a turn. */
  watch(watched: Watched): () => void {
    this.#watched.push(watched)
    return () => this.#schedule()
  }

  /** Closes a descriptor after everything that has been prepared. */
  close(descriptor: number, slot: number): void {
    this.prepare(IORING_OP_CLOSE, descriptor, CLOSE, slot)
  }

  /** Lets a connection send at the end of this turn. */
  willSend(sender: Sender): void {
    this.#senders.push(sender)
    this.#schedule()
  }

  /** Calls back when nothing else is left to do, or at the end of the turn: what is written then leaves in one piece with what has piled up meanwhile. */
  defer(callback: () => void): void {
    this.#deferred.push(callback)
    this.#schedule()
  }

  onCompletion(user: number, result: number, flags: number): void {
    const operation = user >>> SLOT_BITS
    if (operation !== NOBODY) this.#operators[user & SLOT_MASK]!.onResult(operation, result, flags)
  }

  #schedule(): void {
    if (this.#isTurning || this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(this.#onImmediate)
  }

  #turn(): void {
    if (this.#isTurning) return
    const { ring } = this
    this.#isTurning = true
    // While this thread looks by itself nobody needs to wake it.
    ring.signals = false
    for (const watched of this.#watched) watched.wake()
    const end = performance.now() + TURN_MS
    let isBusy = true
    try {
      do {
        this.#prepareSends()
        if (ring.unsubmitted > 0 || ring.hasCompletions) {
          ring.enter(0)
          ring.drain(this)
          this.smallBuffers.commit()
          this.largeBuffers.commit()
        } else if (this.#lookAtWatched()) {
          // What they have written is sent next.
        } else if (this.#deferred.length > 0) this.#runDeferred()
        else isBusy = false
      } while (isBusy && performance.now() < end)
      // However busy it is, nothing waits for longer than a turn.
      this.#runDeferred()
    } finally {
      this.#isTurning = false
      if (isBusy) this.#schedule()
      else this.#rest()
    }
  }

  #lookAtWatched(): boolean {
    let hasFound = false
    for (const watched of this.#watched) if (watched.poll()) hasFound = true
    return hasFound
  }

  /** Lets libuv wait. What has completed or was written meanwhile did not signal, and the last look may have left something to do. */
  #rest(): void {
    const { ring } = this
    ring.signals = true
    // Where loads overtake stores the kernel may have seen too late that it is to signal, and this thread that something has come.
    if (process.arch !== 'x64') ring.enter(0)
    let hasMissed = ring.hasCompletions || ring.unsubmitted > 0
    if (this.#senders.length > 0 || this.#deferred.length > 0) hasMissed = true
    for (const watched of this.#watched) if (watched.sleep()) hasMissed = true
    if (hasMissed) this.#schedule()
  }

  #runDeferred(): void {
    const deferred = this.#deferred
    if (deferred.length === 0) return
    this.#deferred = []
    for (const callback of deferred) callback()
  }

  #prepareSends(): void {
    const senders = this.#senders
    if (senders.length === 0) return
    this.#senders = []
    for (const sender of senders) sender.submitSend()
  }
}

const reactors = new Map<string, Reactor | string>()

/** The one reactor of this thread, or why it can't have one. Tests ask for certain kinds of ring. */
export function threadReactor(tiers?: readonly RingTier[]): Reactor | string {
  const key = String(tiers)
  let reactor = reactors.get(key)
  if (reactor === undefined) {
    reactor = Reactor.open(tiers)
    reactors.set(key, reactor)
  }
  return reactor
}
