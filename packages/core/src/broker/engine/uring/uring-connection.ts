import { unsentBytes } from '../../../sockets/unsent-bytes.ts'
import type { EngineConnection, EngineConnectionHandler } from '../engine.ts'
import {
  ECANCELED,
  EAGAIN,
  EINTR,
  EINVAL,
  ENOBUFS,
  IORING_ASYNC_CANCEL_ALL,
  IORING_ASYNC_CANCEL_FD,
  IORING_CQE_BUFFER_SHIFT,
  IORING_CQE_F_BUFFER,
  IORING_CQE_F_MORE,
  IORING_OP_ASYNC_CANCEL,
  IORING_OP_RECV,
  IORING_OP_SEND,
  IORING_RECV_MULTISHOT,
  IOSQE_BUFFER_SELECT,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_FIXED_FILE,
  MSG_NOSIGNAL,
  SHUT_WR,
  SQE_ADDRESS_HIGH,
  SQE_ADDRESS_LOW,
  SQE_BUFFER_GROUP,
  SQE_LENGTH,
  SQE_OPERATION_FLAGS,
} from './kernel.ts'
import { CLOSE, RECEIVE, SEND } from './reactor.ts'
import type { Operator, Reactor, Sender } from './reactor.ts'
import type { ReceiveBuffers } from './receive-buffers.ts'
import { NOT_REGISTERED } from './registered-descriptors.ts'
import { SendQueue } from './send-queue.ts'
import type { SocketAddress } from './socket-addresses.ts'

/** A connection wants no more when so much waits; owners' windows are twice as large. */
const FULL_BYTES = 64 * 1024
const DRAINED_BYTES = 16 * 1024

/** A client that has been answered so often stays. To register one takes two calls, which a few look-ups do not cost. */
const LASTING_SENDS = 16

/** The end of a body and the request that follows it may be small, and another body come behind them. */
const MAX_SMALL_PIECES = 2

const RECV_ONCE = IORING_OP_RECV | (IOSQE_BUFFER_SELECT << 8)
const RECV_MULTISHOT = RECV_ONCE | (IORING_RECV_MULTISHOT << 16)
const REGISTERED = IOSQE_FIXED_FILE << 8
const CANCEL_QUIETLY = IORING_OP_ASYNC_CANCEL | (IOSQE_CQE_SKIP_SUCCESS << 8)

/** Whether this kernel receives again and again for one submission (Linux 6.0); found out by the first try. */
let hasMultishot = true

/**
 * A connection on the ring.
 *
 * Reading: off ──arm──▶ armed ──last completion──▶ off; what is armed is cancelled to pause, and arms itself again to go on.
 * Life: open ──destroy, failure, both sides ended──▶ closing ──nothing of it is under way in the kernel──▶ gone
 */
export class UringConnection implements EngineConnection, Operator, Sender {
  handler!: EngineConnectionHandler
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly #reactor: Reactor
  readonly #slot: number
  readonly #isLocal: boolean
  readonly #queue: SendQueue
  #descriptor: number
  /** The number under which the ring knows the descriptor, once it is registered. */
  #registered = NOT_REGISTERED
  #sends = 0
  // Reading
  #isPaused = false
  #isArmed = false
  #isCancelling = false
  #hasEnded = false
  /** Large pieces arrive: they are received one by one, so that a pause is one. */
  #isBulk: boolean
  /** Pieces in a row that were small meanwhile. */
  #smallPieces = 0
  #buffers: ReceiveBuffers
  // Writing
  #isSending = false
  #willSend = false
  #corks = 0
  #needsDrain = false
  #isEnding = false
  #isEnded = false
  // Closing
  #isClosing = false
  #isClosed = false

  constructor(reactor: Reactor, descriptor: number, isLocal: boolean, local: SocketAddress, remote: SocketAddress) {
    this.#reactor = reactor
    this.#descriptor = descriptor
    this.#isLocal = isLocal
    this.#isBulk = false
    this.#buffers = isLocal ? reactor.largeBuffers : reactor.smallBuffers
    this.#queue = new SendQueue(reactor.arena)
    this.remoteAddress = remote.address
    this.remotePort = remote.port
    this.localAddress = local.address
    this.localPort = local.port
    this.#slot = reactor.enter(this)
  }

  /** Begins to read; the handler must be set. */
  start(): void {
    this.#arm()
  }

  get descriptor(): number {
    return this.#descriptor
  }

  get isFull(): boolean {
    return this.#queue.length > FULL_BYTES
  }

  get hasQueued(): boolean {
    return this.#queue.length > 0
  }

  get takenBytes(): number {
    return this.#queue.sent - unsentBytes(this.#descriptor)
  }

  writeText(latin1: string): void {
    if (this.#isClosing || this.#isEnding) return
    this.#queue.text(latin1)
    this.#onQueued()
  }

  write(bytes: Buffer, start: number, end: number): void {
    if (this.#isClosing || this.#isEnding) return
    this.#queue.copy(bytes, start, end)
    this.#onQueued()
  }

  writeChunks(chunks: Buffer[], done: (isSent: boolean) => void): void {
    if (this.#isClosing || this.#isEnding) return done(false)
    this.#queue.chunks(chunks, done)
    this.#onQueued()
  }

  cork(): void {
    this.#corks++
  }

  uncork(): void {
    if (--this.#corks === 0) this.#onQueued()
  }

  pause(): void {
    this.#isPaused = true
    this.#cancelReceive()
  }

  resume(): void {
    this.#isPaused = false
    this.#arm()
  }

  defer(callback: () => void): void {
    this.#reactor.defer(callback)
  }

  ring(): void {
    if (!this.#isClosing) this.#reactor.sendByte(this.#descriptor)
  }

  detach(done: (descriptor: number) => void): void {
    // The receive under way is bound to this ring: it must have ended before another ring may receive.
    const descriptor = this.#reactor.calls.duplicate(this.#descriptor)
    // Without a descriptor to spare the connection ends.
    if (descriptor < 0) return this.destroy()
    this.handler = { onData() {}, onEnd() {}, onDrain() {}, onClose: () => done(descriptor) }
    this.destroy()
  }

  end(): void {
    if (this.#isEnding || this.#isClosing) return
    this.#isEnding = true
    if (this.#queue.length === 0) this.#finish()
  }

  destroy(): void {
    if (this.#isClosing) return
    // What the kernel takes at once still leaves, as it does with node:net.
    this.submitSend()
    this.#isClosing = true
    const descriptor = this.#descriptor
    this.#descriptor = -1
    if (this.#isArmed || this.#isSending) {
      // Closing a descriptor does not end what the kernel does for it.
      const at = this.#reactor.prepareForNobody(CANCEL_QUIETLY, descriptor)
      this.#reactor.ring.entries[at + SQE_OPERATION_FLAGS] = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL
    }
    this.#reactor.close(descriptor, this.#slot)
  }

  // Completions

  onResult(operation: number, result: number, flags: number): void {
    if (operation === RECEIVE) this.#onReceived(result, flags)
    else if (operation === SEND) this.#onSent(result)
    else if (operation === CLOSE) this.#onDescriptorClosed()
    if (this.#isClosed && !this.#isArmed && !this.#isSending) this.#leave()
  }

  submitSend(): void {
    this.#willSend = false
    if (this.#isSending || this.#isClosing || this.#corks > 0) return
    const queue = this.#queue
    if (!queue.next()) return
    this.#isSending = true
    this.#countSend()
    const at = this.#prepare(IORING_OP_SEND, SEND)
    // SAFETY: the memory is the queue's piece in flight: it is neither written nor given to anyone before this send has completed.
    const { entries } = this.#reactor.ring
    entries[at + SQE_ADDRESS_LOW] = queue.addressLow
    entries[at + SQE_ADDRESS_HIGH] = queue.addressHigh
    entries[at + SQE_LENGTH] = queue.remaining
    entries[at + SQE_OPERATION_FLAGS] = MSG_NOSIGNAL
  }

  #prepare(head: number, operation: number): number {
    if (this.#registered === NOT_REGISTERED) {
      return this.#reactor.prepare(head, this.#descriptor, operation, this.#slot)
    }
    return this.#reactor.prepare(head | REGISTERED, this.#registered, operation, this.#slot)
  }

  /** Registers a client that stays. Local sockets are few, and send for many requests at a time. */
  #countSend(): void {
    if (this.#isLocal || this.#sends === LASTING_SENDS || ++this.#sends < LASTING_SENDS) return
    this.#registered = this.#reactor.registered.add(this.#descriptor)
  }

  #onReceived(result: number, flags: number): void {
    if ((flags & IORING_CQE_F_MORE) === 0) {
      this.#isArmed = false
      this.#isCancelling = false
    }
    const buffers = this.#buffers
    const id = flags >>> IORING_CQE_BUFFER_SHIFT
    if (result > 0) {
      const start = id * buffers.size
      // SAFETY: the buffer is this side's from its completion until it is recycled, which is when the handler has used the bytes.
      if (!this.#isClosing) this.handler.onData(buffers.bytes, start, start + result)
    } else if (!this.#isClosing) this.#onNothingReceived(-result)
    // Linux 5.19 uses one up for an end or an error, too.
    if ((flags & IORING_CQE_F_BUFFER) !== 0) buffers.recycle(id)
    if (result > 0 && !this.#isLocal) this.#chooseBuffers(result)
    this.#arm()
  }

  #onNothingReceived(errno: number): void {
    switch (errno) {
      case 0:
        this.#hasEnded = true
        this.handler.onEnd()
        if (this.#isEnded) this.destroy()
        return
      case EINVAL:
        if (!hasMultishot) return this.destroy()
        hasMultishot = false
        return
      case ECANCELED:
      case ENOBUFS:
      case EINTR:
      case EAGAIN:
        return
      default:
        this.destroy()
    }
  }

  #arm(): void {
    if (this.#isArmed || this.#isPaused || this.#hasEnded || this.#isClosing) return
    this.#isArmed = true
    const { smallBuffers, largeBuffers, ring } = this.#reactor
    this.#buffers = this.#isBulk || this.#isLocal ? largeBuffers : smallBuffers
    // Where the kernel receives at any call it would fill all buffers for one connection, before the first of them has been looked at.
    const isRepeated = hasMultishot && !this.#isBulk && ring.isDeferred
    const head = isRepeated ? RECV_MULTISHOT : RECV_ONCE
    const at = this.#prepare(head, RECEIVE)
    ring.entries[at + SQE_BUFFER_GROUP] = this.#buffers.group
  }

  #cancelReceive(): void {
    if (!this.#isArmed || this.#isCancelling || this.#isClosing) return
    this.#isCancelling = true
    const at = this.#reactor.prepareForNobody(CANCEL_QUIETLY, -1)
    const { ring } = this.#reactor
    ring.entries[at + SQE_ADDRESS_LOW] = this.#reactor.userOf(RECEIVE, this.#slot)
    // There the kernel would fill every buffer before this turn ends.
    if (!ring.isDeferred) ring.enter(0)
  }

  /** Multishot fills buffers ahead of this side: right for requests, not for a body that may have to wait for its owner. */
  #chooseBuffers(received: number): void {
    if (received < this.#reactor.smallBuffers.size) {
      if (this.#isBulk && ++this.#smallPieces === MAX_SMALL_PIECES) this.#isBulk = false
      return
    }
    this.#smallPieces = 0
    if (this.#isBulk) return
    this.#isBulk = true
    this.#cancelReceive()
  }

  #onSent(result: number): void {
    this.#isSending = false
    if (result >= 0) this.#queue.onSent(result)
    else if (result !== -EINTR && result !== -EAGAIN && result !== -ECANCELED) this.#onSendFailed()
    if (this.#isClosing) return
    if (this.#queue.length > 0) this.#requestSend()
    else if (this.#isEnding) this.#finish()
    if (this.#needsDrain && this.#queue.length <= DRAINED_BYTES) {
      this.#needsDrain = false
      this.handler.onDrain()
    }
  }

  /** The other side is gone. A process may have sent its last words just before: they are still to be read. */
  #onSendFailed(): void {
    if (!this.#isLocal || this.#isPaused || this.#hasEnded || this.#isClosing) return this.destroy()
    this.#isEnding = true
    this.#isEnded = true
    this.#queue.close()
    this.#arm()
  }

  #onQueued(): void {
    if (this.#queue.length > FULL_BYTES) this.#needsDrain = true
    if (!this.#isSending && this.#queue.length > 0) this.#requestSend()
  }

  #requestSend(): void {
    if (this.#willSend) return
    this.#willSend = true
    this.#reactor.willSend(this)
  }

  /** Everything has been sent: ends this side. */
  #finish(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#reactor.calls.shutdown(this.#descriptor, SHUT_WR)
    if (this.#hasEnded) this.destroy()
  }

  /** Everything that was prepared for it before has been submitted. */
  #onDescriptorClosed(): void {
    this.#isClosed = true
    // What is registered is still open.
    if (this.#registered !== NOT_REGISTERED) this.#reactor.registered.remove(this.#registered)
  }

  #leave(): void {
    this.#reactor.leave(this.#slot)
    this.#queue.close()
    this.handler.onClose()
  }
}
