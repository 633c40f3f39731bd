import type { OutgoingHttpHeaders, ServerHttp2Stream, ServerStreamResponseOptions } from 'node:http2'
import { RESPONSE_FLAG_NO_DATE } from '../../protocol/frames.ts'
import type { CachedAnswer } from '../cache/cached-answer.ts'
import { dateValue } from '../coarse-clock.ts'
import type { ResponseWriter } from '../exchange/response-writer.ts'
import type { Outflow } from '../exchange/send-rate.ts'
import { dropRepeats, headersOf } from './field-lines.ts'

/** `sendDate` is not in @types/node. */
interface ResponseOptions extends ServerStreamResponseOptions {
  readonly sendDate: false
}

const WHOLE: ResponseOptions = { endStream: true, sendDate: false }
const WITH_BODY: ResponseOptions = { sendDate: false }
const WITH_TRAILERS: ResponseOptions = { sendDate: false, waitForTrailers: true }

/** Of a WebSocket's handshake they mean nothing in HTTP/2 (RFC 8441 section 5). */
const HANDSHAKE_FIELDS = ['sec-websocket-accept', 'content-length']

/** Writes the responses of HTTP/2 streams, one stream after the other, and keeps them to the length that they announce. */
export class StreamWriter implements ResponseWriter, Outflow {
  hasHead = false
  /** Of no consequence: a stream carries one response. */
  isPersistent = true
  #stream!: ServerHttp2Stream
  #isHead = false
  /** The response has no body, whatever the owner sends. */
  #isBodiless = false
  /** Bytes of the announced length that are missing; -1 when none was announced. */
  #remaining = -1
  #written = 0
  #trailers: OutgoingHttpHeaders = {}
  readonly #onWantTrailers = (): void => this.#sendTrailers()

  /** Begins with a new stream. */
  begin(stream: ServerHttp2Stream): void {
    this.#stream = stream
    this.hasHead = false
    this.#isHead = false
    this.#isBodiless = false
    this.#remaining = -1
    this.#written = 0
  }

  /** Says what the request is, once it is known; again when it is given to another owner. */
  reset(isHead: boolean): void {
    this.hasHead = false
    this.#isHead = isHead
  }

  get isFull(): boolean {
    return this.#stream.writableNeedDrain
  }

  get hasQueued(): boolean {
    return this.#stream.writableLength > 0
  }

  get takenBytes(): number {
    return this.#written - this.#stream.writableLength
  }

  head(
    status: number,
    _reason: string,
    fields: string,
    contentLength: number,
    flags: number,
    bytes: Buffer,
    bodyStart: number,
    bodyEnd: number,
    isLast: boolean,
  ): boolean {
    this.hasHead = true
    const length = bodyEnd - bodyStart
    this.#isBodiless = this.#isHead || status === 204 || status === 205 || status === 304
    this.#remaining = this.#isBodiless ? -1 : contentLength
    if (this.#remaining !== -1 && (length > this.#remaining || (isLast && length < this.#remaining))) return false
    const headers = headersOf(fields)
    headers[':status'] = status
    if ((flags & RESPONSE_FLAG_NO_DATE) === 0) headers['date'] = dateValue()
    if (contentLength >= 0 && status !== 204 && status !== 205) headers['content-length'] = contentLength
    if (this.#isBodiless || (isLast && length === 0)) return this.#respond(headers, WHOLE)
    if (!this.#respond(headers, isLast || contentLength >= 0 ? WITH_BODY : WITH_TRAILERS)) return false
    if (length > 0) this.#piece(bytes, bodyStart, bodyEnd)
    if (isLast) this.#end()
    return true
  }

  cached({ response, status, fields, age, contentLength, start, end }: CachedAnswer): void {
    this.hasHead = true
    const headers = headersOf(fields)
    headers[':status'] = status
    headers['age'] = String(age)
    if (contentLength >= 0) headers['content-length'] = contentLength
    if (this.#isHead || start === end) return void this.#respond(headers, WHOLE)
    if (!this.#respond(headers, WITH_BODY) || !this.#isOpen) return
    // What is stored does not change: a client that reads slowly holds the one copy, not one of its own.
    this.#written += end - start
    this.#stream.end(response.body.subarray(start, end))
  }

  body(bytes: Buffer, start: number, end: number): boolean {
    if (this.#isBodiless || start === end) return true
    if (this.#remaining !== -1 && end - start > this.#remaining) return false
    this.#piece(bytes, start, end)
    return true
  }

  end(trailers: string): boolean {
    if (this.#isBodiless) return true
    if (this.#remaining > 0) return false
    if (trailers !== '') this.#trailers = headersOf(trailers)
    this.#end()
    return true
  }

  informational(status: number, fields: string): void {
    if (!this.#isOpen) return
    try {
      this.#stream.additionalHeaders({ ...headersOf(fields), ':status': status })
    } catch {
      // It is only a hint.
    }
  }

  switchProtocols(_reason: string, fields: string): void {
    this.hasHead = true
    this.#isBodiless = false
    this.#remaining = -1
    const headers = headersOf(fields)
    for (const name of HANDSHAKE_FIELDS) delete headers[name]
    headers[':status'] = 200
    this.#respond(headers, WITH_BODY)
  }

  raw(bytes: Buffer, start: number, end: number): void {
    this.#piece(bytes, start, end)
  }

  endRaw(): void {
    this.#end()
  }

  answer(status: number, fields: string, text: string): void {
    const body = Buffer.from(text, 'latin1')
    const lines = `Content-Type: text/plain; charset=utf-8\r\n${fields}`
    this.head(status, '', lines, body.length, 0, body, 0, body.length, true)
  }

  /** The client may have reset the stream a moment ago; then nothing is written. */
  get #isOpen(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed
  }

  /** Returns whether the head can be said in HTTP/2 as node:http2 speaks it: no status above 599. */
  #respond(headers: OutgoingHttpHeaders, options: ResponseOptions): boolean {
    if (!this.#isOpen) return true
    if (options === WITH_TRAILERS) {
      this.#trailers = {}
      this.#stream.on('wantTrailers', this.#onWantTrailers)
    }
    try {
      this.#stream.respond(headers, options)
    } catch (error) {
      return dropRepeats(headers, error) && this.#respond(headers, options)
    }
    return true
  }

  #piece(bytes: Buffer, start: number, end: number): void {
    const length = end - start
    if (this.#remaining !== -1) this.#remaining -= length
    this.#written += length
    // The bytes are the engine's and hold during this call only.
    if (this.#isOpen) this.#stream.write(Buffer.from(bytes.subarray(start, end)))
  }

  #end(): void {
    if (this.#isOpen) this.#stream.end()
  }

  #sendTrailers(): void {
    if (!this.#isOpen) return
    try {
      this.#stream.sendTrailers(this.#trailers)
    } catch {
      this.#stream.close()
    }
  }
}
