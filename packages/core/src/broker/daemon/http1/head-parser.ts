import { DEFAULT_SERVER_LIMITS } from '../server-limits.ts'
import { HOST, TARGET, TOKEN, VALUE, equalsExactly, equalsIgnoringCase } from './characters.ts'
import {
  REJECT_BARE_CR,
  REJECT_CODING,
  REJECT_CONNECT,
  REJECT_CONTENT_LENGTH,
  REJECT_FIELD,
  REJECT_FIELD_TOO_LONG,
  REJECT_FRAMING,
  REJECT_HEAD_TOO_LONG,
  REJECT_HOST,
  REJECT_LINE,
  REJECT_LINE_BREAK,
  REJECT_SEGMENTS,
  REJECT_SECOND_LENGTH,
  REJECT_TARGET,
  REJECT_TARGET_TOO_LONG,
  REJECT_VERB,
  REJECT_VERSION,
} from '../exchange/reject.ts'

/** `/path?query` */
export const FORM_ORIGIN = 0
/** `http://host/path?query` */
export const FORM_ABSOLUTE = 1
/** `*`, with OPTIONS only */
export const FORM_ASTERISK = 2
/** `host:port`, with CONNECT only */
export const FORM_AUTHORITY = 3

/** More fields than any client sends; each costs an app two strings. */
const MAX_FIELDS = 256
const MAX_METHOD_BYTES = 32
/** RFC 9112 section 2.2 asks servers to skip an empty line before a request; a few are harmless. */
const MAX_LEADING_BREAKS = 4

const LF = 10
const CR = 13
const SP = 32
const TAB = 9
const SLASH = 47
const COLON = 58
const QUESTION_MARK = 63

/**
 * Reads an HTTP/1.1 request head, strictly: where RFC 9112 lets a server choose, it refuses.
 *
 * One instance serves all connections of a thread; its fields, offsets into the bytes given, hold until the next call. No text
 * and no object is made. An incomplete head is parsed again from its start when more of it has come: call only when a line feed
 * has arrived, and the cost stays in proportion.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-3
 */
export class HeadParser {
  headStart = 0
  methodEnd = 0
  targetStart = 0
  targetEnd = 0
  fieldsStart = 0
  fieldCount = 0
  minor: 0 | 1 = 1
  /** -1 when there is no Content-Length. */
  contentLength = -1
  isChunked = false
  isKeepAlive = true
  /** The client offers another protocol: `Connection: upgrade` and an Upgrade field. */
  isUpgrade = false
  /** 0: none, 1: `100-continue`, 2: something else. */
  expect: 0 | 1 | 2 = 0
  /** The value of Host, -1 when there is none. */
  hostStart = -1
  hostEnd = -1
  /** The port alone tells the owner: the Host field may be anything, and CONNECT has somewhere to go. Set before each `parse`. */
  isRoutedByPort = false
  // Limits, set before each `parse`; 0 for none, but for the first.
  /** Longest head in bytes, the final empty line included. */
  maxHeadBytes = DEFAULT_SERVER_LIMITS.maxRequestBytes
  /** Longest field, name and value. */
  maxFieldBytes = 0
  maxSegmentBytes = 0
  maxSegments = 0
  targetForm: 0 | 1 | 2 | 3 = FORM_ORIGIN
  /** The path of the target, without the query; empty for `*` and for an absolute form without path. */
  pathStart = 0
  pathEnd = 0
  /** The authority of an absolute form, -1 otherwise. */
  authorityStart = -1
  authorityEnd = -1
  #hasTransferEncoding = false
  #hasUpgradeField = false
  #hasUpgradeOption = false
  #hasClose = false
  #hasKeepAlive = false

  /**
   * Reads the head at `bytes[start, end)`.
   *
   * @returns the index just past its final empty line; 0 when it is not complete; a negative code of `reject.ts` when it is refused
   */
  parse(bytes: Uint8Array, start: number, end: number): number {
    let position = start
    for (let breaks = 0; position < end && (bytes[position] === CR || bytes[position] === LF); breaks++) {
      if (breaks === MAX_LEADING_BREAKS || bytes[position] === LF) return REJECT_LINE_BREAK
      if (position + 1 === end) return 0
      if (bytes[position + 1] !== LF) return REJECT_LINE_BREAK
      position += 2
    }
    this.headStart = position
    // An unterminated head is refused as soon as it is too long, a terminated one by where it ends.
    const limit = Math.min(end, position + this.maxHeadBytes)
    const line = this.#requestLine(bytes, position, limit)
    if (line <= 0) return line === 0 && limit < end ? REJECT_TARGET_TOO_LONG : line
    const fields = this.#fields(bytes, line, limit)
    if (fields <= 0) return fields === 0 && limit < end ? REJECT_HEAD_TOO_LONG : fields
    const verdict = this.#judge()
    return verdict < 0 ? verdict : fields
  }

  #requestLine(bytes: Uint8Array, start: number, end: number): number {
    let position = start
    while (position < end && TOKEN[bytes[position]!] === 1) position++
    if (position - start > MAX_METHOD_BYTES) return REJECT_VERB
    if (position === end) return 0
    if (bytes[position] !== SP || position === start) return REJECT_VERB
    this.methodEnd = position
    const target = position + 1
    position = target
    while (position < end && TARGET[bytes[position]!] === 1) position++
    if (position === end) return 0
    if (position === target || bytes[position] !== SP) return REJECT_TARGET
    this.targetStart = target
    this.targetEnd = position
    const line = this.#version(bytes, position + 1, end)
    if (line <= 0) return line
    const form = this.#targetForm(bytes, start)
    return form < 0 ? form : line
  }

  /** `HTTP/1.1 CR LF`; returns the position behind it. */
  #version(bytes: Uint8Array, start: number, end: number): number {
    const known = Math.min(end - start, 5)
    for (let index = 0; index < known; index++)
      if (bytes[start + index] !== 'HTTP/'.charCodeAt(index)) return REJECT_LINE
    if (end - start < 8) return 0
    const major = bytes[start + 5]! - 48
    const minor = bytes[start + 7]! - 48
    if (major < 0 || major > 9 || bytes[start + 6] !== 46 || minor < 0 || minor > 9) return REJECT_LINE
    if (end - start < 9) return 0
    if (bytes[start + 8] !== CR) return bytes[start + 8] === LF ? REJECT_LINE_BREAK : REJECT_LINE
    if (end - start < 10) return 0
    if (bytes[start + 9] !== LF) return REJECT_LINE_BREAK
    if (major !== 1 || minor > 1) return REJECT_VERSION
    this.minor = minor as 0 | 1
    return start + 10
  }

  #targetForm(bytes: Uint8Array, methodStart: number): number {
    const start = this.targetStart
    const end = this.targetEnd
    this.authorityStart = -1
    this.authorityEnd = -1
    const isConnect = equalsExactly(bytes, methodStart, this.methodEnd, 'CONNECT')
    if (isConnect) {
      if (!this.isRoutedByPort) return REJECT_CONNECT
      this.targetForm = FORM_AUTHORITY
      this.pathStart = end
      this.pathEnd = end
      return 1
    }
    const first = bytes[start]
    if (first === SLASH) {
      this.targetForm = FORM_ORIGIN
      return this.#path(bytes, start, end)
    }
    if (first === 42 && end === start + 1 && equalsExactly(bytes, methodStart, this.methodEnd, 'OPTIONS')) {
      this.targetForm = FORM_ASTERISK
      this.pathStart = end
      this.pathEnd = end
      return 1
    }
    return this.#absoluteForm(bytes, start, end)
  }

  #absoluteForm(bytes: Uint8Array, start: number, end: number): number {
    let authority = -1
    if (end - start > 7 && equalsIgnoringCase(bytes, start, start + 7, 'http://')) authority = start + 7
    else if (end - start > 8 && equalsIgnoringCase(bytes, start, start + 8, 'https://')) authority = start + 8
    if (authority === -1) return REJECT_TARGET
    let position = authority
    while (position < end && bytes[position] !== SLASH && bytes[position] !== QUESTION_MARK) {
      if (HOST[bytes[position]!] === 0) return REJECT_TARGET
      position++
    }
    if (position === authority) return REJECT_TARGET
    this.targetForm = FORM_ABSOLUTE
    this.authorityStart = authority
    this.authorityEnd = position
    return this.#path(bytes, position, end)
  }

  #path(bytes: Uint8Array, start: number, end: number): number {
    let position = start
    while (position < end && bytes[position] !== QUESTION_MARK) position++
    this.pathStart = start
    this.pathEnd = position
    const { maxSegmentBytes, maxSegments } = this
    const length = position - start
    // A short path keeps both limits, whatever is in it.
    const isLong = (maxSegmentBytes > 0 && length > maxSegmentBytes) || (maxSegments > 0 && length > maxSegments)
    return isLong && !this.#hasFittingSegments(bytes) ? REJECT_SEGMENTS : 1
  }

  #hasFittingSegments(bytes: Uint8Array): boolean {
    let count = 0
    let segmentStart = this.pathStart + 1
    for (let position = segmentStart; position <= this.pathEnd; position++) {
      if (position < this.pathEnd && bytes[position] !== SLASH) continue
      if (this.maxSegmentBytes > 0 && position - segmentStart > this.maxSegmentBytes) return false
      if (position > segmentStart) count++
      segmentStart = position + 1
    }
    return this.maxSegments === 0 || count <= this.maxSegments
  }

  #fields(bytes: Uint8Array, start: number, end: number): number {
    this.fieldsStart = start
    this.contentLength = -1
    this.isChunked = false
    this.expect = 0
    this.hostStart = -1
    this.hostEnd = -1
    this.#hasTransferEncoding = false
    this.#hasUpgradeField = false
    this.#hasUpgradeOption = false
    this.#hasClose = false
    this.#hasKeepAlive = false
    let position = start
    for (let count = 0; ; count++) {
      if (position === end) return 0
      if (bytes[position] === CR) {
        this.fieldCount = count
        if (position + 1 === end) return 0
        return bytes[position + 1] === LF ? position + 2 : REJECT_LINE_BREAK
      }
      if (count === MAX_FIELDS) return REJECT_HEAD_TOO_LONG
      const name = position
      while (position < end && TOKEN[bytes[position]!] === 1) position++
      if (position === end) return 0
      if (bytes[position] !== COLON || position === name)
        return bytes[position] === LF ? REJECT_LINE_BREAK : REJECT_FIELD
      const nameEnd = position++
      while (position < end && (bytes[position] === SP || bytes[position] === TAB)) position++
      const value = position
      while (position < end && VALUE[bytes[position]!] === 1) position++
      if (position === end) return 0
      if (bytes[position] !== CR) return bytes[position] === LF ? REJECT_LINE_BREAK : REJECT_FIELD
      if (position + 1 === end) return 0
      if (bytes[position + 1] !== LF) return REJECT_BARE_CR
      let valueEnd = position
      while (valueEnd > value && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === TAB)) valueEnd--
      position += 2
      if (valueEnd - name > this.maxFieldBytes && this.maxFieldBytes > 0) return REJECT_FIELD_TOO_LONG
      const verdict = this.#known(bytes, name, nameEnd, value, valueEnd)
      if (verdict < 0) return verdict
    }
  }

  /** Notes the fields that frame or route; lengths differ, so that most names cost one comparison. */
  #known(bytes: Uint8Array, name: number, nameEnd: number, value: number, valueEnd: number): number {
    switch (nameEnd - name) {
      case 4:
        return equalsIgnoringCase(bytes, name, nameEnd, 'host') ? this.#host(bytes, value, valueEnd) : 0
      case 6:
        if (equalsIgnoringCase(bytes, name, nameEnd, 'expect')) {
          this.expect = equalsIgnoringCase(bytes, value, valueEnd, '100-continue') ? 1 : 2
        }
        return 0
      case 7:
        if (equalsIgnoringCase(bytes, name, nameEnd, 'upgrade')) this.#hasUpgradeField = true
        return 0
      case 10:
        if (equalsIgnoringCase(bytes, name, nameEnd, 'connection')) this.#connection(bytes, value, valueEnd)
        return 0
      case 14:
        return equalsIgnoringCase(bytes, name, nameEnd, 'content-length') ? this.#length(bytes, value, valueEnd) : 0
      case 17:
        return equalsIgnoringCase(bytes, name, nameEnd, 'transfer-encoding') ? this.#coding(bytes, value, valueEnd) : 0
      default:
        return 0
    }
  }

  #host(bytes: Uint8Array, start: number, end: number): number {
    if (this.isRoutedByPort) return 0
    if (this.hostStart !== -1 || start === end) return REJECT_HOST
    for (let position = start; position < end; position++) if (HOST[bytes[position]!] === 0) return REJECT_HOST
    this.hostStart = start
    this.hostEnd = end
    return 0
  }

  #length(bytes: Uint8Array, start: number, end: number): number {
    if (this.contentLength !== -1) return REJECT_SECOND_LENGTH
    if (start === end || end - start > 15) return REJECT_CONTENT_LENGTH
    if (hasTabAround(bytes, start, end)) return REJECT_CONTENT_LENGTH
    let length = 0
    for (let position = start; position < end; position++) {
      const digit = bytes[position]! - 48
      if (digit < 0 || digit > 9) return REJECT_CONTENT_LENGTH
      length = length * 10 + digit
    }
    this.contentLength = length
    return 0
  }

  #coding(bytes: Uint8Array, start: number, end: number): number {
    if (this.#hasTransferEncoding || hasTabAround(bytes, start, end)) return REJECT_FRAMING
    this.#hasTransferEncoding = true
    if (equalsIgnoringCase(bytes, start, end, 'chunked')) this.isChunked = true
    return 0
  }

  /** The options of a Connection field, a comma-separated list. */
  #connection(bytes: Uint8Array, start: number, end: number): void {
    let position = start
    while (position < end) {
      while (position < end && TOKEN[bytes[position]!] === 0) position++
      const option = position
      while (position < end && TOKEN[bytes[position]!] === 1) position++
      if (equalsIgnoringCase(bytes, option, position, 'close')) this.#hasClose = true
      else if (equalsIgnoringCase(bytes, option, position, 'keep-alive')) this.#hasKeepAlive = true
      else if (equalsIgnoringCase(bytes, option, position, 'upgrade')) this.#hasUpgradeOption = true
    }
  }

  /** What the fields mean together. */
  #judge(): number {
    if (this.hostStart === -1 && this.minor === 1 && !this.isRoutedByPort) return REJECT_HOST
    if (this.#hasTransferEncoding) {
      if (this.minor === 0 || this.contentLength !== -1) return REJECT_FRAMING
      if (!this.isChunked) return REJECT_CODING
    }
    this.isKeepAlive = !this.#hasClose && (this.minor === 1 || this.#hasKeepAlive)
    const isConnect = this.targetForm === FORM_AUTHORITY
    this.isUpgrade = isConnect || (this.minor === 1 && this.#hasUpgradeOption && this.#hasUpgradeField)
    if (this.minor === 0) this.expect = 0
    return 0
  }
}

/** Parsers differ on tabs around the fields that frame; nobody sends them in good faith. */
function hasTabAround(bytes: Uint8Array, start: number, end: number): boolean {
  let before = start - 1
  while (bytes[before] === SP) before--
  let behind = end
  while (bytes[behind] === SP) behind++
  return bytes[before] === TAB || bytes[behind] === TAB
}
