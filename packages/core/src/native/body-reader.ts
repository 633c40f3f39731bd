import type { CompletionTarget, Overlapped } from './overlapped.ts'
import { ERROR_HANDLE_EOF, ERROR_SUCCESS } from './constants.ts'
import type { IoContext } from './io-context.ts'
import type { MemoryBlock } from './memory-block.ts'
import type { RequestQueueHandle } from './request-queue.ts'
import type { Win32Status } from './win32-api.ts'

/** Bytes that may come without being granted. */
const WINDOW_BYTES = 64 * 1024
const READ_BYTES = 64 * 1024

/** Whom the entity body is read for. */
export interface BodySink {
  readonly id: bigint
  onBodyBytes(chunk: Buffer): void
  onBodyEnd(): void
  /** The body can't be read any further. */
  onBodyBroken(status: Win32Status): void
  /** A read that had been under way when the reader was stopped has come back. */
  onReaderIdle(): void
}

/**
 * Reads the entity body of a request, or the raw bytes of an opaque connection, as far as it is granted.
 *
 * waiting for a grant ──▶ reading ──▶ … ──end, broken, stop──▶ done
 */
export class BodyReader implements CompletionTarget {
  readonly #io: IoContext
  readonly #queue: RequestQueueHandle
  readonly #sink: BodySink
  #credit = WINDOW_BYTES
  #isDiscarding = false
  #isDone = false
  #block: MemoryBlock | null = null
  #overlapped: Overlapped | null = null
  #isPumping = false

  constructor(io: IoContext, queue: RequestQueueHandle, sink: BodySink) {
    this.#io = io
    this.#queue = queue
    this.#sink = sink
  }

  /** Whether Windows still holds the buffer. */
  get isReading(): boolean {
    return this.#overlapped !== null
  }

  /** Counts bytes that came with the head. */
  spend(bytes: number): void {
    this.#credit -= bytes
  }

  /** Nothing is read until {@link release}, which reads nothing by itself either. */
  hold(): void {
    this.#isPumping = true
  }

  release(): void {
    this.#isPumping = false
  }

  grant(bytes: number): void {
    this.#credit += bytes
    this.pump()
  }

  discard(): void {
    this.#isDiscarding = true
    this.pump()
  }

  /** Nobody wants any more of it; a read under way is asked to end. */
  stop(): void {
    this.#isDone = true
    if (this.#overlapped !== null) this.#io.api.kernel.CancelIoEx(this.#queue.handle, this.#overlapped.address)
  }

  /** Reads as long as it is granted and done at once. */
  pump(): void {
    // A listener that grants from within `onBodyBytes` is served by the loop below it on the stack.
    if (this.#isPumping) return
    this.#isPumping = true
    while (!this.#isDone && this.#overlapped === null && (this.#credit > 0 || this.#isDiscarding)) this.#read()
    this.#isPumping = false
  }

  onCompletion(status: Win32Status, bytes: number): void {
    this.#overlapped = null
    this.#onRead(status, bytes)
    this.pump()
  }

  #read(): void {
    const block = this.#io.blocks.take(READ_BYTES)
    this.#block = block
    const overlapped = this.#io.port.begin(this)
    const limit = this.#isDiscarding ? READ_BYTES : Math.min(READ_BYTES, this.#credit)
    // SAFETY: block and OVERLAPPED stay until the completion; the kernel writes no more than `limit` bytes.
    const status = this.#io.api.http.HttpReceiveRequestEntityBody(
      this.#queue.handle,
      this.#sink.id,
      0,
      block.address,
      limit,
      overlapped.pBytes,
      overlapped.address,
    )
    if (this.#queue.isPending(status)) {
      this.#overlapped = overlapped
      return
    }
    const bytes = status === ERROR_SUCCESS ? overlapped.bytesAtOnce : 0
    this.#io.port.endAtOnce(overlapped)
    this.#onRead(status, bytes)
  }

  #onRead(status: Win32Status, bytes: number): void {
    const block = this.#block!
    this.#block = null
    const hasBytes = status === ERROR_SUCCESS && bytes > 0
    // SAFETY: the read is over, and no more is looked at than was asked for.
    const chunk =
      hasBytes && !this.#isDone && !this.#isDiscarding
        ? Buffer.from(block.bytes.subarray(0, Math.min(bytes, READ_BYTES)))
        : null
    this.#io.blocks.give(block)
    if (this.#isDone) return this.#sink.onReaderIdle()
    if (chunk !== null) {
      this.#credit -= bytes
      return this.#sink.onBodyBytes(chunk)
    }
    if (hasBytes) return
    this.#isDone = true
    // A read that brings nothing is the end as well: asked again, HTTP.SYS would say the same, and at once.
    if (status === ERROR_HANDLE_EOF || status === ERROR_SUCCESS) this.#sink.onBodyEnd()
    else this.#sink.onBodyBroken(status)
  }
}
