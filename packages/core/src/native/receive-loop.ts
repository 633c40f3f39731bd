import { isClientGone, win32Error } from './check.ts'
import {
  ERROR_INVALID_HANDLE,
  ERROR_MORE_DATA,
  ERROR_OPERATION_ABORTED,
  ERROR_SUCCESS,
  HTTP_RECEIVE_REQUEST_FLAG_COPY_BODY,
} from './constants.ts'
import type { IoContext } from './io-context.ts'
import { HTTP_REQUEST } from './layout.ts'
import { MemoryBlock } from './memory-block.ts'
import type { CompletionTarget, Overlapped } from './overlapped.ts'
import type { RequestQueueHandle } from './request-queue.ts'
import type { Win32Status } from './win32-api.ts'

/** HTTP.SYS hands a head of up to 16 KiB over by default, and a small body with it; what is larger is received a second time. */
const SLAB_BYTES = 20 * 1024
/** Above what MaxRequestBytes can be set to (16 MiB), so only a broken number is refused. */
const MAX_SLAB_BYTES = 64 * 1024 * 1024
/** Requests taken in one go before other events get their turn. */
const MAX_IN_A_ROW = 64
/** What is refused for now, for want of memory mostly, is asked for again so much later. */
const REST_MS = 100
/** So many times: then it is the queue itself that is broken. */
const MAX_RESTS = 50

/** Where received requests go. */
export interface ReceiveSink {
  /** The block is valid during the call only. */
  onReceived(block: MemoryBlock): void
  /** The queue is gone, not by our doing. */
  onReceiveBroken(error: Error): void
}

/**
 * Keeps receives outstanding on one queue.
 *
 * running ──stop──▶ draining ──all receives are back──▶ stopped
 * running ──the queue fails──▶ broken ──all receives are back──▶ stopped
 *
 * Stopping loses nothing: a receive that was cancelled too late brings its request, which is delivered; with `isLast`, what HTTP.SYS
 * still holds for the queue is received as well.
 */
export class ReceiveLoop {
  readonly #io: IoContext
  readonly #queue: RequestQueueHandle
  readonly #sink: ReceiveSink
  readonly #slabs: Slab[] = []
  #state: 'running' | 'draining' | 'stopped' | 'broken' = 'running'
  /** The queue has no other receiver. */
  #isLast = false
  /** Since a receive was taken, or done. */
  #rests = 0
  #resting: Slab[] = []
  #restTimer: NodeJS.Timeout | null = null
  /** Slabs whose request is being delivered right now: an app may stop the loop from within. */
  #delivering = 0
  #inARow = 0
  #stalled: Slab[] = []
  #onStopped: () => void = () => {}

  constructor(io: IoContext, queue: RequestQueueHandle, sink: ReceiveSink) {
    this.#io = io
    this.#queue = queue
    this.#sink = sink
  }

  /** @param count - receives to keep outstanding */
  start(count: number): void {
    const { memory } = this.#io.api
    for (let index = 0; index < count; index++) this.#slabs.push(new Slab(this, new MemoryBlock(memory, SLAB_BYTES)))
    for (const slab of this.#slabs) this.#pump(slab)
    this.#checkStopped()
  }

  /** Resolves when no receive is under way and everything that was received has been delivered. */
  stop(isLast: boolean): Promise<void> {
    if (this.#state === 'stopped') return Promise.resolve()
    if (this.#state === 'running') this.#state = 'draining'
    this.#isLast = isLast
    this.#endRest()
    return new Promise((resolve) => {
      this.#onStopped = resolve
      for (const slab of this.#slabs) if (slab.overlapped !== null) this.#cancel(slab)
      this.#checkStopped()
    })
  }

  onReceive(slab: Slab, status: Win32Status, bytes: number): void {
    if (this.#onResult(slab, status, bytes)) this.#pump(slab)
    this.#checkStopped()
  }

  /** Receives until Windows has nothing at hand. */
  #pump(slab: Slab): void {
    // The queue's handle is closed, or will be: its number may be another object's.
    if (this.#state === 'broken') return
    do {
      if (this.#inARow >= MAX_IN_A_ROW) return this.#stall(slab)
      const overlapped = this.#io.port.begin(slab)
      // SAFETY: the slab's block is freed by `shrink` and `free` alone, which run when the slab has no OVERLAPPED in flight, and by
      // `grow` after the receive; the OVERLAPPED belongs to Windows until `onCompletion` or `endAtOnce`. Both outlive the call.
      const status = this.#io.api.http.HttpReceiveHttpRequest(
        this.#queue.handle,
        slab.requestId,
        HTTP_RECEIVE_REQUEST_FLAG_COPY_BODY,
        slab.block.address,
        slab.block.byteLength,
        overlapped.pBytes,
        overlapped.address,
      )
      if (this.#queue.isPending(status)) {
        this.#rests = 0
        slab.overlapped = overlapped
        if (this.#state === 'draining') this.#cancel(slab)
        return
      }
      const bytes = overlapped.bytesAtOnce
      this.#io.port.endAtOnce(overlapped)
      if (!this.#onResult(slab, status, bytes)) return
      this.#inARow++
    } while (this.#state === 'running' || this.#state === 'draining')
  }

  /** Deals with one receive; returns whether the slab is to receive again. */
  #onResult(slab: Slab, status: Win32Status, bytes: number): boolean {
    switch (status) {
      case ERROR_SUCCESS:
        this.#rests = 0
        slab.requestId = 0n
        this.#delivering++
        this.#sink.onReceived(slab.block)
        this.#delivering--
        slab.shrink()
        return this.#goesOn
      case ERROR_MORE_DATA:
        return this.#grow(slab, bytes)
      case ERROR_OPERATION_ABORTED:
        if (this.#state === 'draining') return this.#abandon(slab)
        break
      default:
        if (slab.requestId !== 0n || isClientGone(status)) return this.#abandon(slab)
    }
    return this.#onFailure(slab, status)
  }

  /** A request that is larger than the slab: it is received by its id into one that is large enough. */
  #grow(slab: Slab, bytes: number): boolean {
    // SAFETY: the receive is over; HTTP.SYS fills in the fixed part of the struct even when the rest does not fit.
    const id = slab.block.readId(HTTP_REQUEST.RequestId)
    if (this.#state === 'broken') return false
    slab.requestId = id
    const { byteLength } = slab.block
    // Of a body that does not fit behind its head the documentation says that the call tells what is missing, and not all.
    const wanted = bytes > byteLength ? bytes : byteLength + Math.max(bytes, SLAB_BYTES)
    if (wanted > MAX_SLAB_BYTES) return this.#abandon(slab)
    slab.grow(new MemoryBlock(this.#io.api.memory, wanted))
    return true
  }

  /** Gives up the request that the slab was for; returns whether to receive the next. */
  #abandon(slab: Slab): boolean {
    const hadRequest = slab.requestId !== 0n
    // Else its client would wait for ever. Whatever the status: mostly it has gone.
    if (hadRequest && this.#state !== 'broken')
      this.#io.api.http.HttpCancelHttpRequest?.(this.#queue.handle, slab.requestId, 0)
    slab.requestId = 0n
    slab.shrink()
    return this.#state === 'running' || (hadRequest && this.#isLast && this.#state === 'draining')
  }

  get #goesOn(): boolean {
    return this.#state === 'running' || (this.#state === 'draining' && this.#isLast)
  }

  #onFailure(slab: Slab, status: Win32Status): boolean {
    slab.shrink()
    if (this.#state !== 'running') return false
    const isFatal = status === ERROR_OPERATION_ABORTED || status === ERROR_INVALID_HANDLE || this.#rests >= MAX_RESTS
    if (!isFatal) {
      this.#resting.push(slab)
      this.#restTimer ??= setTimeout(() => this.#endRest(), REST_MS).unref()
      return false
    }
    this.#state = 'broken'
    this.#sink.onReceiveBroken(win32Error('HttpReceiveHttpRequest', status, this.#queue.name))
    return false
  }

  #endRest(): void {
    if (this.#restTimer === null) return
    clearTimeout(this.#restTimer)
    this.#restTimer = null
    this.#rests++
    for (const slab of this.#resting.splice(0)) if (this.#goesOn) this.#pump(slab)
    this.#checkStopped()
  }

  /** A flood of requests that are all at hand: timers and other sockets get their turn before the next of them. */
  #stall(slab: Slab): void {
    if (this.#stalled.length === 0) {
      setImmediate(() => {
        this.#inARow = 0
        for (const waiting of this.#stalled.splice(0)) this.#pump(waiting)
        this.#checkStopped()
      })
    }
    this.#stalled.push(slab)
  }

  #cancel(slab: Slab): void {
    this.#io.api.kernel.CancelIoEx(this.#queue.handle, slab.overlapped!.address)
  }

  #checkStopped(): void {
    if (this.#state === 'running' || this.#stalled.length > 0 || this.#delivering > 0) return
    for (const slab of this.#slabs) if (slab.overlapped !== null) return
    this.#state = 'stopped'
    // SAFETY: no slab has an OVERLAPPED in flight and none is being delivered, so nobody knows the memory any more.
    for (const slab of this.#slabs.splice(0)) slab.free()
    this.#onStopped()
  }
}

/** The buffer of one receive. */
class Slab implements CompletionTarget {
  block: MemoryBlock
  /** Set while Windows has the block. */
  overlapped: Overlapped | null = null
  /** Of a request that did not fit; 0n for the next one. */
  requestId = 0n
  readonly #loop: ReceiveLoop
  readonly #own: MemoryBlock

  constructor(loop: ReceiveLoop, block: MemoryBlock) {
    this.#loop = loop
    this.#own = block
    this.block = block
  }

  onCompletion(status: Win32Status, bytes: number): void {
    this.overlapped = null
    this.#loop.onReceive(this, status, bytes)
  }

  grow(block: MemoryBlock): void {
    this.shrink()
    this.block = block
  }

  /** Goes back to its own block after a large request. */
  shrink(): void {
    if (this.block === this.#own) return
    this.block.free()
    this.block = this.#own
  }

  free(): void {
    this.shrink()
    this.#own.free()
  }
}
