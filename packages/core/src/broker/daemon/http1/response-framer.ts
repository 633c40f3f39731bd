import { latin1 } from '../../../base/latin1.ts'
import type { EngineConnection } from '../../engine/engine.ts'
import { RESPONSE_FLAG_KEEP_ALIVE, RESPONSE_FLAG_NO_DATE, RESPONSE_FLAG_OWN_CONNECTION } from '../../protocol/frames.ts'
import { dateLine } from '../coarse-clock.ts'
import type { CachedAnswer } from '../cache/cached-answer.ts'
import type { ResponseWriter } from '../exchange/response-writer.ts'
import { statusLine } from './status-line.ts'

/** Bodies up to this size leave in one piece of text with their head; copying them twice costs less than a second write. */
const TEXT_BYTES = 4096

const CONNECTION_CLOSE = 'Connection: close\r\n'
const CONNECTION_KEEP_ALIVE = 'Connection: keep-alive\r\n'

const ignore = (): void => {}

/** How the end of a response body is marked on the wire (RFC 9112 section 6.3). */
type Framing = 'none' | 'length' | 'chunked' | 'close'

/**
 * Writes the responses of one HTTP/1.1 connection and owns their framing.
 *
 * idle ──head──▶ body ──last piece──▶ idle
 */
export class ResponseFramer implements ResponseWriter {
  hasHead = false
  isPersistent = true
  #framing: Framing = 'none'
  #remaining = 0
  #isHead = false
  #minor: 0 | 1 = 1
  readonly #connection: EngineConnection
  #idleTimeout = 0
  #keepAlive = CONNECTION_KEEP_ALIVE

  constructor(connection: EngineConnection) {
    this.#connection = connection
  }

  /** How long the connection may stay idle, milliseconds, 0 for no limit; clients are told a little less. */
  set idleTimeout(milliseconds: number) {
    if (milliseconds === this.#idleTimeout) return
    this.#idleTimeout = milliseconds
    // Clients that honour the hint stop using the connection before it is closed under them.
    const seconds = Math.max(1, Math.floor(milliseconds / 1000) - 1)
    this.#keepAlive = CONNECTION_KEEP_ALIVE + (milliseconds === 0 ? '' : `Keep-Alive: timeout=${seconds}\r\n`)
  }

  /** Begins the response to a new request. */
  reset(isHead: boolean, minor: 0 | 1, isPersistent: boolean): void {
    this.hasHead = false
    this.isPersistent = isPersistent
    this.#isHead = isHead
    this.#minor = minor
  }

  get isFull(): boolean {
    return this.#connection.isFull
  }

  head(
    status: number,
    reason: string,
    fields: string,
    contentLength: number,
    flags: number,
    bytes: Buffer,
    bodyStart: number,
    bodyEnd: number,
    isLast: boolean,
  ): boolean {
    this.hasHead = true
    let head = statusLine(status, reason) + fields
    if ((flags & RESPONSE_FLAG_NO_DATE) === 0) head += dateLine()
    // First of all, since a body without length ends with the connection.
    const framing = this.#frame(status, contentLength)
    if ((flags & RESPONSE_FLAG_OWN_CONNECTION) === 0) {
      if (!this.isPersistent) head += CONNECTION_CLOSE
      else head += (flags & RESPONSE_FLAG_KEEP_ALIVE) === 0 ? this.#keepAlive : CONNECTION_KEEP_ALIVE
    }
    head += framing
    let length = bodyEnd - bodyStart
    if (this.#framing === 'none') length = 0
    if (this.#framing === 'length' && length > this.#remaining) return false
    if (length > TEXT_BYTES) {
      this.#connection.cork()
      this.#connection.writeText(head)
      this.#piece(bytes, bodyStart, bodyStart + length)
      this.#connection.uncork()
      return isLast ? this.end('') : true
    }
    if (length > 0) {
      const body = latin1(bytes, bodyStart, bodyEnd)
      if (this.#framing === 'chunked') head += `${length.toString(16)}\r\n${body}\r\n`
      else head += body
      this.#remaining -= length
    }
    if (isLast && this.#framing === 'chunked') head += '0\r\n\r\n'
    this.#connection.writeText(head)
    return !isLast || this.#framing !== 'length' || this.#remaining === 0
  }

  body(bytes: Buffer, start: number, end: number): boolean {
    if (this.#framing === 'none' || start === end) return true
    if (this.#framing === 'length' && end - start > this.#remaining) return false
    this.#piece(bytes, start, end)
    return true
  }

  lend(bytes: Buffer, start: number, end: number, giveBack: () => void): boolean {
    const length = end - start
    if (this.#framing === 'none' || length === 0 || (this.#framing === 'length' && length > this.#remaining)) {
      giveBack()
      return this.#framing === 'none' || length === 0
    }
    const connection = this.#connection
    const chunks = [bytes.subarray(start, end)]
    this.#remaining -= length
    if (this.#framing !== 'chunked') connection.writeChunks(chunks, giveBack)
    else {
      connection.cork()
      connection.writeText(`${length.toString(16)}\r\n`)
      connection.writeChunks(chunks, giveBack)
      connection.writeText('\r\n')
      connection.uncork()
    }
    return true
  }

  end(trailers: string): boolean {
    if (this.#framing === 'chunked') this.#connection.writeText(`0\r\n${trailers}\r\n`)
    return this.#framing !== 'length' || this.#remaining === 0
  }

  cached(answer: CachedAnswer): void {
    this.hasHead = true
    const { response, start, end } = answer
    const connection = this.#connection
    const isUsual = answer.isWhole && this.isPersistent && !this.#isHead
    const text = isUsual && response.wireAge === answer.age ? response.wire : this.#textOf(answer, isUsual)
    if (this.#isHead || end - start <= TEXT_BYTES) return connection.writeText(text)
    connection.cork()
    connection.writeText(text)
    // What is stored does not change: a client that reads slowly holds the one copy, not one of its own.
    connection.writeChunks([answer.isWhole ? response.body : response.body.subarray(start, end)], ignore)
    connection.uncork()
  }

  /** The head of a stored response, with a body that is small; kept with it, if others will get the very same. */
  #textOf(answer: CachedAnswer, isUsual: boolean): string {
    const { response, status, age, start, end } = answer
    let text = `${statusLine(status, answer.reason)}${answer.fields}Age: ${age}\r\n`
    text += this.isPersistent ? this.#keepAlive : CONNECTION_CLOSE
    text += this.#frame(status, answer.contentLength)
    if (this.#framing !== 'none' && end > start && end - start <= TEXT_BYTES) text += latin1(response.body, start, end)
    if (isUsual) {
      response.wire = text
      response.wireAge = age
    }
    return text
  }

  informational(status: number, fields: string): void {
    if (this.#minor === 1) this.#connection.writeText(`${statusLine(status, '')}${fields}\r\n`)
  }

  switchProtocols(reason: string, fields: string): void {
    this.hasHead = true
    this.#connection.writeText(`${statusLine(101, reason)}${fields}Connection: Upgrade\r\n\r\n`)
  }

  raw(bytes: Buffer, start: number, end: number): void {
    this.#connection.write(bytes, start, end)
  }

  endRaw(): void {
    this.#connection.end()
  }

  answer(status: number, fields: string, text: string): void {
    const body = Buffer.from(text, 'latin1')
    const lines = `Content-Type: text/plain; charset=utf-8\r\n${fields}`
    this.head(status, '', lines, body.length, 0, body, 0, body.length, true)
  }

  /** The framing field and the end of the head. */
  #frame(status: number, contentLength: number): string {
    if (this.#isHead || status === 204 || status === 304) {
      this.#framing = 'none'
      // RFC 9110 section 8.6: never with 204; with HEAD and 304 it tells what GET would have sent.
      return contentLength >= 0 && status !== 204 ? `Content-Length: ${contentLength}\r\n\r\n` : '\r\n'
    }
    if (contentLength >= 0) {
      this.#framing = 'length'
      this.#remaining = contentLength
      return `Content-Length: ${contentLength}\r\n\r\n`
    }
    if (this.#minor === 1) {
      this.#framing = 'chunked'
      return 'Transfer-Encoding: chunked\r\n\r\n'
    }
    this.#framing = 'close'
    this.isPersistent = false
    return '\r\n'
  }

  #piece(bytes: Buffer, start: number, end: number): void {
    const connection = this.#connection
    const length = end - start
    this.#remaining -= length
    if (this.#framing !== 'chunked') {
      connection.write(bytes, start, end)
      return
    }
    connection.cork()
    connection.writeText(`${length.toString(16)}\r\n`)
    connection.write(bytes, start, end)
    connection.writeText('\r\n')
    connection.uncork()
  }
}
