import { randomBytes } from 'node:crypto'
import type { HeadParser } from '../http1/head-parser.ts'
import {
  REJECT_CONNECT,
  REJECT_FIELD,
  REJECT_HEAD_TOO_LONG,
  REJECT_HOST,
  REJECT_LINE,
  REJECT_TARGET,
} from '../exchange/reject.ts'

/** More than any head that is not refused for its length. */
const MAX_TEXT_BYTES = 128 * 1024

/** What a request's text is parsed from; one at a time. */
export const headBytes = Buffer.allocUnsafeSlow(MAX_TEXT_BYTES)

/**
 * A request of HTTP/2 as HTTP/1.1 would have it, which is what owners know: one parser judges the requests of both, and the app sees
 * the same fields.
 *
 * One object serves all requests, its fields hold until the next call of {@link RequestHead.write}.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9113#section-8.3
 */
export class RequestHead {
  /** Request line and field lines, one byte a character. */
  text = ''
  #method = ''
  #target = ''
  #authority: string | null = null
  #host: string | null = null
  #protocol: string | null = null
  #cookies: string | null = null
  #fields = ''
  #fieldCount = 0
  #hasLength = false

  /**
   * Takes pseudo-header fields, names and values in turn, as they came.
   *
   * @param endsHere - there is no body
   * @returns 0, or a code of `reject.ts`
   */
  write(raw: readonly string[], endsHere: boolean): number {
    this.#reset()
    for (let index = 0; index < raw.length; index += 2) {
      const verdict = this.#take(raw[index]!, raw[index + 1]!)
      if (verdict < 0) return verdict
    }
    const verdict = this.#protocol === null ? this.#checkTarget() : this.#becomeUpgrade(endsHere)
    if (verdict < 0) return verdict
    const authority = this.#authority ?? this.#host
    if (authority !== null) this.#addFirst('host', authority)
    if (this.#host !== null && authority?.toLowerCase() !== this.#host.toLowerCase()) return REJECT_HOST
    if (this.#cookies !== null) this.#add('cookie', this.#cookies)
    // What an app knows of a body without a length.
    if (!endsHere && !this.#hasLength && this.#protocol === null) this.#add('transfer-encoding', 'chunked')
    this.text = `${this.#method} ${this.#target} HTTP/1.1\r\n${this.#fields}\r\n`
    return this.text.length > MAX_TEXT_BYTES ? REJECT_HEAD_TOO_LONG : 0
  }

  /**
   * Whether the parser has read from {@link headBytes} what was written here: no value was taken for the end of a line or of the head.
   *
   * @param end - where the parser found the end of the head
   */
  isReadBy(parser: HeadParser, end: number): boolean {
    return (
      end === this.text.length &&
      parser.methodEnd === this.#method.length &&
      parser.targetEnd - parser.targetStart === this.#target.length &&
      parser.fieldCount === this.#fieldCount
    )
  }

  #reset(): void {
    this.text = ''
    this.#method = ''
    this.#target = ''
    this.#authority = null
    this.#host = null
    this.#protocol = null
    this.#cookies = null
    this.#fields = ''
    this.#fieldCount = 0
    this.#hasLength = false
  }

  #take(name: string, value: string): number {
    switch (name) {
      case ':method':
        this.#method = value
        return 0
      case ':path':
        this.#target = value
        return 0
      case ':authority':
        this.#authority = value
        return 0
      case ':scheme':
        return 0
      case ':protocol':
        this.#protocol = value
        return 0
      case 'host':
        if (this.#host !== null) return REJECT_HOST
        this.#host = value
        return 0
      case 'cookie':
        // RFC 9113 section 8.2.3: they may come in pieces.
        this.#cookies = this.#cookies === null ? value : `${this.#cookies}; ${value}`
        return 0
      case 'content-length':
        this.#hasLength = true
        break
      case 'te':
        if (value.toLowerCase() !== 'trailers') return REJECT_FIELD
        break
      case 'connection':
      case 'http2-settings':
      case 'keep-alive':
      case 'proxy-connection':
      case 'transfer-encoding':
      case 'upgrade':
        return REJECT_FIELD
    }
    if (name.startsWith(':')) return REJECT_FIELD
    this.#add(name, value)
    return 0
  }

  #checkTarget(): number {
    if (this.#method === '' || this.#method.includes(' ')) return REJECT_LINE
    if (this.#method === 'CONNECT') return REJECT_CONNECT
    const isAsterisk = this.#target === '*' && this.#method === 'OPTIONS'
    return this.#target.startsWith('/') || isAsterisk ? 0 : REJECT_TARGET
  }

  /** Extended CONNECT (RFC 8441): the app sees the upgrade that it knows. */
  #becomeUpgrade(endsHere: boolean): number {
    if (this.#method !== 'CONNECT' || this.#protocol !== 'websocket' || endsHere) return REJECT_CONNECT
    if (!this.#target.startsWith('/')) return REJECT_TARGET
    this.#method = 'GET'
    this.#add('connection', 'Upgrade')
    this.#add('upgrade', 'websocket')
    // HTTP/2 has none: its framing does what the key is for.
    this.#add('sec-websocket-key', randomBytes(16).toString('base64'))
    return 0
  }

  #add(name: string, value: string): void {
    this.#fields += `${name}: ${value}\r\n`
    this.#fieldCount++
  }

  #addFirst(name: string, value: string): void {
    this.#fields = `${name}: ${value}\r\n${this.#fields}`
    this.#fieldCount++
  }
}
