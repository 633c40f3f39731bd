import { CHUNK_DATA, CHUNK_MORE, ChunkedDecoder } from './chunked-decoder.ts'
import type { HeadParser } from './head-parser.ts'

/** A piece of the body lies between `start` and `end`. */
export const BODY_PIECE = 1
/** Everything given has been used. */
export const BODY_MORE = 2
/** The body is complete; it may still be that a last piece lies between `start` and `end`. */
export const BODY_END = 3

/** The entity body of one request, as its framing marks it off in the byte stream (RFC 9112 section 6). */
export class RequestBody {
  isComplete = true
  /** Of the last piece. */
  start = 0
  end = 0
  /** Where the bytes behind the last piece begin. */
  position = 0
  /** Complete trailer lines; valid at {@link BODY_END}. */
  trailers = ''
  #remaining = 0
  #decoder: ChunkedDecoder | null = null

  /** Begins the body that the head announces. */
  reset(head: HeadParser): void {
    this.#remaining = head.isChunked ? 0 : Math.max(head.contentLength, 0)
    this.#decoder = head.isChunked ? new ChunkedDecoder() : null
    this.isComplete = this.#decoder === null && this.#remaining === 0
    this.trailers = ''
  }

  /** Takes what of a body of known length lies in `[start, end)`, at most `limit` bytes; returns the position behind it. */
  takeWhole(start: number, end: number, limit: number): number {
    const next = Math.min(end, start + Math.min(this.#remaining, limit))
    this.#remaining -= next - start
    if (this.#decoder === null && this.#remaining === 0) this.isComplete = true
    return next
  }

  /**
   * Takes `bytes[position, end)` up to the next event.
   *
   * @returns a BODY_ constant, or a negative code of `reject.ts` when the client breaks its own framing
   */
  step(bytes: Uint8Array, position: number, end: number): number {
    const decoder = this.#decoder
    if (decoder === null) {
      this.start = position
      this.end = this.takeWhole(position, end, Infinity)
      this.position = this.end
      return this.isComplete ? BODY_END : this.end === position ? BODY_MORE : BODY_PIECE
    }
    const event = decoder.step(bytes, position, end)
    if (event < 0) return event
    this.position = decoder.position
    this.start = event === CHUNK_DATA ? decoder.dataStart : 0
    this.end = event === CHUNK_DATA ? decoder.dataEnd : 0
    if (event === CHUNK_DATA) return BODY_PIECE
    if (event === CHUNK_MORE) return BODY_MORE
    this.trailers = decoder.trailers
    this.#decoder = null
    this.isComplete = true
    return BODY_END
  }

  /** No more of it will come. */
  abandon(): void {
    this.#remaining = 0
    this.#decoder = null
    this.isComplete = true
  }
}
