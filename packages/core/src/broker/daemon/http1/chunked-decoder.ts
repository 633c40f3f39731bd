import { MAX_TRAILER_BYTES, hasForbiddenTrailer } from '../exchange/trailers.ts'
import { HEX, TOKEN, VALUE } from './characters.ts'
import { REJECT_CHUNK, REJECT_EXTENSIONS, REJECT_TRAILER } from '../exchange/reject.ts'

/** `dataStart` to `dataEnd` are bytes of the body. */
export const CHUNK_DATA = 1
/** Everything given has been used. */
export const CHUNK_MORE = 2
/** The body and its trailers are complete. */
export const CHUNK_END = 3

/** 13 hexadecimal digits stay below 2^53. */
const MAX_SIZE_DIGITS = 13
/** Chunk extensions mean nothing to anyone here; a body full of them is an attack. */
const MAX_EXTENSION_BYTES = 16_384

const CR = 13
const LF = 10
const SEMICOLON = 59
const EQUALS = 61
const QUOTE = 34
const BACKSLASH = 92

/** ```
 * size ──;──▶ extension ──CR──▶ sizeEnd ──LF──▶ data ──▶ dataCr ──▶ dataLf ──▶ size
 *   └──────────────CR──────────────▲   └──size 0──▶ trailers ──empty line──▶ done
 * ``` */
type State = 'size' | 'extension' | 'sizeEnd' | 'data' | 'dataCr' | 'dataLf' | 'trailers' | 'done'

/**
 * Takes the chunked coding off one entity body, strictly, in pieces of any size.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1
 */
export class ChunkedDecoder {
  /** Where to go on after a step. */
  position = 0
  dataStart = 0
  dataEnd = 0
  /** Complete trailer lines, `Name: value\r\n`, one byte a character; valid at {@link CHUNK_END}. */
  trailers = ''
  #state: State = 'size'
  #remaining = 0
  #digits = 0
  #extensionBytes = 0
  #extensionPart: 'nameStart' | 'name' | 'valueStart' | 'value' | 'quoted' | 'quotedPair' | 'quotedEnd' = 'nameStart'

  /**
   * Takes `bytes[position, end)` up to the next event.
   *
   * @returns a CHUNK_ constant, or a negative code of `reject.ts`
   */
  step(bytes: Uint8Array, position: number, end: number): number {
    let at = position
    while (at < end) {
      if (this.#state === 'data') return this.#data(at, end)
      const byte = bytes[at++]!
      const verdict = this.#framing(byte)
      if (verdict < 0) return verdict
      if (verdict === CHUNK_END) {
        this.position = at
        return CHUNK_END
      }
    }
    this.position = end
    return CHUNK_MORE
  }

  #data(start: number, end: number): number {
    const length = Math.min(end - start, this.#remaining)
    this.#remaining -= length
    this.dataStart = start
    this.dataEnd = start + length
    this.position = start + length
    if (this.#remaining === 0) this.#state = 'dataCr'
    return CHUNK_DATA
  }

  #framing(byte: number): number {
    switch (this.#state) {
      case 'size':
        return this.#size(byte)
      case 'extension':
        return this.#extension(byte)
      case 'sizeEnd':
        if (byte !== LF) return REJECT_CHUNK
        this.#state = this.#remaining === 0 ? 'trailers' : 'data'
        this.#digits = 0
        return 0
      case 'dataCr':
        if (byte !== CR) return REJECT_CHUNK
        this.#state = 'dataLf'
        return 0
      case 'dataLf':
        if (byte !== LF) return REJECT_CHUNK
        this.#state = 'size'
        return 0
      case 'trailers':
        return this.#trailer(byte)
      default:
        return REJECT_CHUNK
    }
  }

  #size(byte: number): number {
    const digit = HEX[byte]!
    if (digit !== 255) {
      if (++this.#digits > MAX_SIZE_DIGITS) return REJECT_CHUNK
      this.#remaining = this.#remaining * 16 + digit
      return 0
    }
    if (this.#digits === 0) return REJECT_CHUNK
    if (byte === CR) this.#state = 'sizeEnd'
    else if (byte === SEMICOLON) {
      this.#state = 'extension'
      this.#extensionPart = 'nameStart'
    } else return REJECT_CHUNK
    return 0
  }

  /** `;name`, `;name=value` or `;name="quoted"`: they are dropped, but one that is malformed may hide a line's end. */
  #extension(byte: number): number {
    if (++this.#extensionBytes > MAX_EXTENSION_BYTES) return REJECT_EXTENSIONS
    const isToken = TOKEN[byte] === 1
    switch (this.#extensionPart) {
      case 'nameStart':
        if (!isToken) return REJECT_CHUNK
        this.#extensionPart = 'name'
        return 0
      case 'name':
        if (isToken) return 0
        if (byte !== EQUALS) return this.#extensionEnd(byte)
        this.#extensionPart = 'valueStart'
        return 0
      case 'valueStart':
        if (!isToken && byte !== QUOTE) return REJECT_CHUNK
        this.#extensionPart = isToken ? 'value' : 'quoted'
        return 0
      case 'value':
        return isToken ? 0 : this.#extensionEnd(byte)
      case 'quoted':
        if (VALUE[byte] === 0) return REJECT_CHUNK
        if (byte === QUOTE) this.#extensionPart = 'quotedEnd'
        else if (byte === BACKSLASH) this.#extensionPart = 'quotedPair'
        return 0
      case 'quotedPair':
        if (VALUE[byte] === 0) return REJECT_CHUNK
        this.#extensionPart = 'quoted'
        return 0
      case 'quotedEnd':
        return this.#extensionEnd(byte)
    }
  }

  #extensionEnd(byte: number): number {
    if (byte === SEMICOLON) this.#extensionPart = 'nameStart'
    else if (byte === CR) this.#state = 'sizeEnd'
    else return REJECT_CHUNK
    return 0
  }

  #trailer(byte: number): number {
    this.trailers += String.fromCharCode(byte)
    if (this.trailers.length > MAX_TRAILER_BYTES) return REJECT_TRAILER
    if (byte !== LF) return 0
    if (!this.trailers.endsWith('\r\n')) return REJECT_TRAILER
    const lineStart = this.trailers.lastIndexOf('\n', this.trailers.length - 2) + 1
    const line = this.trailers.slice(lineStart, -2)
    if (line !== '') return isTrailerLine(line) ? 0 : REJECT_TRAILER
    this.trailers = this.trailers.slice(0, lineStart)
    this.#state = 'done'
    return hasForbiddenTrailer(this.trailers) ? REJECT_TRAILER : CHUNK_END
  }
}

function isTrailerLine(line: string): boolean {
  const colon = line.indexOf(':')
  if (colon < 1) return false
  for (let index = 0; index < line.length; index++) {
    const code = line.charCodeAt(index)
    if (index < colon ? TOKEN[code] === 0 : VALUE[code] === 0) return false
  }
  return true
}
