import { STATUS_CODES } from 'node:http'
import { NO_REASON } from '../base/no-reason.ts'
import { UNTIL_INVALIDATED } from '../queue/exchange.ts'
import type { BlockPool } from './block-pool.ts'
import {
  HttpCachePolicyTimeToLive,
  HttpCachePolicyUserInvalidates,
  HttpDataChunkFromMemory,
  HttpHeaderResponseMaximum,
} from './constants.ts'
import {
  HttpHeaderConnection,
  HttpHeaderContentLength,
  HttpHeaderTransferEncoding,
  KERNEL_HEADERS,
  RESPONSE_HEADER_IDS,
} from './known-headers.ts'
import {
  HTTP_CACHE_POLICY,
  HTTP_DATA_CHUNK,
  HTTP_HEADERS,
  HTTP_KNOWN_HEADER,
  HTTP_RESPONSE,
  HTTP_UNKNOWN_HEADER,
} from './layout.ts'
import type { MemoryBlock } from './memory-block.ts'

/** What ends the head of a response, besides the app's own fields. */
export interface Framing {
  /** Bytes, or -1 for no Content-Length. */
  readonly contentLength: number
  readonly isChunked: boolean
  readonly connection: 'close' | 'upgrade' | null
}

/** Where in the block what stands; behind the text come the unknown headers, and then the body. */
const CHUNK_START = HTTP_RESPONSE.$size
export const POLICY_START = CHUNK_START + HTTP_DATA_CHUNK.$size
const TEXT_START = POLICY_START + HTTP_CACHE_POLICY.$size
const STRUCT_32 = TEXT_START >>> 2
const KNOWN_START = HTTP_RESPONSE.Headers + HTTP_HEADERS.KnownHeaders
const CHUNKED = 'chunked'
const CLOSE = 'close'
const CONNECTION_UPGRADE = 'ConnectionUpgrade'
const CONNECTION_LENGTH = 'Connection'.length

/** A number that no header has: it goes out as an unknown one. */
const UNKNOWN = -1
/** Lengths of texts are USHORTs. */
const MAX_TEXT_BYTES = 0xffff

/** Of each field line: known id or UNKNOWN, name's and value's start and length, in the text. */
const LINE_SLOTS = 5
let lines = new Int32Array(LINE_SLOTS * 32)

/**
 * Writes HTTP_RESPONSE_V2 structs.
 *
 * A field in its usual spelling becomes a known header, which HTTP.SYS looks at; in any other it becomes an unknown one, so that it
 * goes out as the app wrote it; so does every further line of the same name.
 */
export class ResponseEncoder {
  readonly #pool: BlockPool
  /** Where the body begins in the block that {@link encode} returned. */
  bodyStart = 0

  constructor(pool: BlockPool) {
    this.#pool = pool
  }

  /**
   * Writes a head; null when a text of it is longer than HTTP.SYS can be told.
   *
   * @param fields - complete lines, one byte a character
   * @param bodyBytes - how much room there must be for the body, at `bodyStart`
   */
  encode(status: number, reason: string, fields: string, framing: Framing, bodyBytes: number): MemoryBlock | null {
    const phrase = reason === '' ? (STATUS_CODES[status] ?? '') : reason === NO_REASON ? '' : reason
    const { count, unknownCount, longest } = readLines(fields)
    if (longest > MAX_TEXT_BYTES || phrase.length > MAX_TEXT_BYTES) return null
    const lengthText = framing.contentLength < 0 ? '' : String(framing.contentLength)
    const added = framing.connection === 'upgrade' ? CONNECTION_UPGRADE : framing.connection === 'close' ? CLOSE : ''
    const chunked = framing.isChunked ? CHUNKED : ''
    const text = fields + phrase + lengthText + added + chunked
    const unknownStart = (TEXT_START + text.length + 7) & ~7
    const unknownTotal = unknownCount + (framing.connection === 'upgrade' ? 1 : 0)
    this.bodyStart = unknownStart + unknownTotal * HTTP_UNKNOWN_HEADER.$size
    const block = this.#pool.take(this.bodyStart + bodyBytes)
    // SAFETY: idle, and long enough for all that follows.
    block.u32.fill(0, 0, STRUCT_32)
    block.bytes.write(text, TEXT_START, text.length, 'latin1')
    block.u16[HTTP_RESPONSE.Version >>> 1] = 1
    block.u16[(HTTP_RESPONSE.Version >>> 1) + 1] = 1
    block.u16[HTTP_RESPONSE.StatusCode >>> 1] = status
    block.u16[HTTP_RESPONSE.ReasonLength >>> 1] = phrase.length
    let at = TEXT_START + fields.length
    block.putPointer(HTTP_RESPONSE.pReason, at)
    at += phrase.length
    if (lengthText !== '') putKnown(block, HttpHeaderContentLength, at, lengthText.length)
    at += lengthText.length
    if (framing.connection === 'close') putKnown(block, HttpHeaderConnection, at, added.length)
    const upgradeAt = at
    at += added.length
    if (chunked !== '') putKnown(block, HttpHeaderTransferEncoding, at, chunked.length)
    let unknownAt = unknownStart
    for (let line = 0; line < count; line++) {
      const slot = line * LINE_SLOTS
      const id = lines[slot]!
      const value = TEXT_START + lines[slot + 3]!
      if (id !== UNKNOWN) {
        putKnown(block, id, value, lines[slot + 4]!)
        continue
      }
      putUnknown(block, unknownAt, TEXT_START + lines[slot + 1]!, lines[slot + 2]!, value, lines[slot + 4]!)
      unknownAt += HTTP_UNKNOWN_HEADER.$size
    }
    if (framing.connection === 'upgrade') {
      // HTTP.SYS refuses it as a known header.
      putUnknown(block, unknownAt, upgradeAt, CONNECTION_LENGTH, upgradeAt + CONNECTION_LENGTH, 'Upgrade'.length)
    }
    if (unknownTotal > 0) {
      block.u16[(HTTP_RESPONSE.Headers + HTTP_HEADERS.UnknownHeaderCount) >>> 1] = unknownTotal
      block.putPointer(HTTP_RESPONSE.Headers + HTTP_HEADERS.pUnknownHeaders, unknownStart)
    }
    return block
  }
}

/** Makes the body at `start` the response's one data chunk. */
export function putBody(block: MemoryBlock, start: number, length: number): void {
  if (length === 0) return
  // SAFETY: of `encode`'s block, which is idle until the send.
  putChunk(block, CHUNK_START, start, length)
  block.u16[HTTP_RESPONSE.EntityChunkCount >>> 1] = 1
  block.putPointer(HTTP_RESPONSE.pEntityChunks, CHUNK_START)
}

/** Writes how long HTTP.SYS may answer with the response; at {@link POLICY_START}. */
export function putCachePolicy(block: MemoryBlock, secondsToLive: number): void {
  const isTimed = secondsToLive !== UNTIL_INVALIDATED
  // SAFETY: of `encode`'s block, which has room for it between struct and text, and is idle until the send.
  block.u32[(POLICY_START + HTTP_CACHE_POLICY.Policy) >>> 2] = isTimed
    ? HttpCachePolicyTimeToLive
    : HttpCachePolicyUserInvalidates
  block.u32[(POLICY_START + HTTP_CACHE_POLICY.SecondsToLive) >>> 2] = isTimed ? secondsToLive : 0
}

/** Writes a data chunk for bytes of the same block. */
export function putChunk(block: MemoryBlock, at: number, start: number, length: number): void {
  // SAFETY: an idle block; `at` and what lies from `start` on are inside, as callers have laid it out.
  block.u32[(at + HTTP_DATA_CHUNK.DataChunkType) >>> 2] = HttpDataChunkFromMemory
  block.putPointer(at + HTTP_DATA_CHUNK['FromMemory.pBuffer'], start)
  block.u32[(at + HTTP_DATA_CHUNK['FromMemory.BufferLength']) >>> 2] = length
}

function putKnown(block: MemoryBlock, id: number, value: number, length: number): void {
  const at = KNOWN_START + id * HTTP_KNOWN_HEADER.$size
  // SAFETY: an idle block that begins with the struct, and an id that it has.
  block.u16[(at + HTTP_KNOWN_HEADER.RawValueLength) >>> 1] = length
  block.putPointer(at + HTTP_KNOWN_HEADER.pRawValue, value)
}

/** Writes one element of an array of unknown headers, whose texts stand in the same block. */
export function putUnknown(
  block: MemoryBlock,
  at: number,
  name: number,
  nameLength: number,
  value: number,
  valueLength: number,
): void {
  // SAFETY: an idle block; the element and both texts are inside, as callers have laid it out.
  block.u16[(at + HTTP_UNKNOWN_HEADER.NameLength) >>> 1] = nameLength
  block.u16[(at + HTTP_UNKNOWN_HEADER.RawValueLength) >>> 1] = valueLength
  block.putPointer(at + HTTP_UNKNOWN_HEADER.pName, name)
  block.putPointer(at + HTTP_UNKNOWN_HEADER.pRawValue, value)
}

/** Finds the parts of field lines; the answer's numbers are of the global table. */
const found = { count: 0, unknownCount: 0, longest: 0 }
/** The known headers of the response being encoded, one bit each. */
let seen = 0

function readLines(fields: string): typeof found {
  found.count = 0
  found.unknownCount = 0
  found.longest = 0
  seen = 0
  for (let at = 0; at < fields.length;) {
    const colon = fields.indexOf(':', at)
    const end = fields.indexOf('\r\n', colon)
    if (colon === -1 || end === -1) break
    let valueStart = colon + 1
    while (valueStart < end && fields.charCodeAt(valueStart) === 32) valueStart++
    const id = idOf(fields.slice(at, colon))
    const slot = found.count * LINE_SLOTS
    if (slot === lines.length) growLines()
    lines[slot] = id
    lines[slot + 1] = at
    lines[slot + 2] = colon - at
    lines[slot + 3] = valueStart
    lines[slot + 4] = end - valueStart
    if (id === UNKNOWN) found.unknownCount++
    if (end - at > found.longest) found.longest = end - at
    found.count++
    at = end + 2
  }
  return found
}

function idOf(name: string): number {
  const id = RESPONSE_HEADER_IDS.get(name) ?? (name.length < 7 ? KERNEL_HEADERS.get(name.toLowerCase()) : undefined)
  if (id === undefined || id >= HttpHeaderResponseMaximum) return UNKNOWN
  const bit = 1 << id
  if ((seen & bit) !== 0) return UNKNOWN
  seen |= bit
  return id
}

function growLines(): void {
  const larger = new Int32Array(lines.length * 2)
  larger.set(lines)
  lines = larger
}
