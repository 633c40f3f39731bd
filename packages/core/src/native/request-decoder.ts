import { latin1 } from '../base/latin1.ts'
import {
  HTTP_REQUEST_FLAG_HTTP2,
  HTTP_REQUEST_FLAG_HTTP3,
  HTTP_REQUEST_FLAG_MORE_ENTITY_BODY_EXISTS,
  HttpDataChunkFromMemory,
  HttpHeaderRequestMaximum,
} from './constants.ts'
import {
  HttpHeaderConnection,
  HttpHeaderExpect,
  HttpHeaderTransferEncoding,
  HttpHeaderUpgrade,
  REQUEST_HEADER_NAMES,
  VERBS,
} from './known-headers.ts'
import { parseStartOf } from './request-info.ts'
import { HTTP_DATA_CHUNK, HTTP_HEADERS, HTTP_REQUEST, HTTP_UNKNOWN_HEADER } from './layout.ts'
import type { MemoryBlock } from './memory-block.ts'

/** What an HTTP_REQUEST_V2 says; texts are copies, nothing of it points into the block. */
export interface DecodedRequest {
  /** A bigint, since koffi takes 64 bits in no other way: one for each request. */
  readonly id: bigint
  readonly connectionLow: number
  readonly connectionHigh: number
  readonly method: string
  readonly target: string
  readonly majorVersion: 1 | 2 | 3
  /** Of HTTP/1; 1 for later versions. */
  readonly minorVersion: 0 | 1
  /** HTTP/2 or HTTP/3: no chunked framing, HTTP.SYS does its own. */
  readonly isMultiplexed: boolean
  readonly rawHeaders: string[]
  /** More of the entity body has to be received. */
  readonly hasMoreBody: boolean
  readonly hasBody: boolean
  readonly isUpgrade: boolean
  readonly expectation: 0 | 1 | 2
  readonly isKeepAlive: boolean
  /** The performance counter when HTTP.SYS began to parse it; 0 where it does not tell. */
  readonly parseStart: number
}

// Of 2-byte and 4-byte elements.
const FLAGS_32 = HTTP_REQUEST.Flags >>> 2
const CONNECTION_ID_32 = HTTP_REQUEST.ConnectionId >>> 2
const VERSION_16 = HTTP_REQUEST.Version >>> 1
const VERB_32 = HTTP_REQUEST.Verb >>> 2
const UNKNOWN_VERB_LENGTH_16 = HTTP_REQUEST.UnknownVerbLength >>> 1
const UNKNOWN_VERB_32 = HTTP_REQUEST.pUnknownVerb >>> 2
const RAW_URL_LENGTH_16 = HTTP_REQUEST.RawUrlLength >>> 1
const RAW_URL_32 = HTTP_REQUEST.pRawUrl >>> 2
const UNKNOWN_COUNT_16 = (HTTP_REQUEST.Headers + HTTP_HEADERS.UnknownHeaderCount) >>> 1
const UNKNOWN_HEADERS = HTTP_REQUEST.Headers + HTTP_HEADERS.pUnknownHeaders
const KNOWN_LENGTH_16 = (HTTP_REQUEST.Headers + HTTP_HEADERS.KnownHeaders) >>> 1
const KNOWN_VALUE_32 = (HTTP_REQUEST.Headers + HTTP_HEADERS.KnownHeaders + 8) >>> 2
const CHUNK_COUNT_16 = HTTP_REQUEST.EntityChunkCount >>> 1
const CHUNKS = HTTP_REQUEST.pEntityChunks

/** Where the texts of the request being decoded lie: start and length in turn. One array for all, since decoding is not interrupted. */
let spans = new Int32Array(256)
let spanCount = 0
let lowest = 0
let highest = 0
/** Of the two headers that say something of the request itself; -1 when they are missing. */
let connectionSpan = -1
let expectSpan = -1

/**
 * Reads a request with typed reads and one copy of its text, in about a microsecond.
 *
 * Every pointer is checked to lie inside the block, since what is read would otherwise be this process's memory.
 *
 * @param block - what HttpReceiveHttpRequest has filled
 * @throws RangeError when a pointer leads elsewhere
 */
export function decodeRequest(block: MemoryBlock): DecodedRequest {
  const { u16, u32 } = block
  // SAFETY: the receive has completed, so nobody writes to the block; each offset below is a constant of the struct, or was checked.
  const flags = u32[FLAGS_32]!
  spanCount = 0
  lowest = block.byteLength
  highest = 0
  connectionSpan = -1
  expectSpan = -1
  const verb = VERBS[u32[VERB_32]!]
  addSpan(block, u32[RAW_URL_32]!, u16[RAW_URL_LENGTH_16]!)
  if (verb === undefined) addSpan(block, u32[UNKNOWN_VERB_32]!, u16[UNKNOWN_VERB_LENGTH_16]!)
  const fieldsStart = spanCount
  const unknownCount = u16[UNKNOWN_COUNT_16]!
  if (spans.length < spanCount + 2 * (HttpHeaderRequestMaximum + 2 * unknownCount)) growSpans(unknownCount)
  const rawHeaders = collectKnown(block)
  const unknownStart = spanCount
  if (unknownCount > 0) collectUnknown(block, unknownCount)
  const text = spanCount === 0 ? '' : latin1(block.bytes, lowest, highest)
  for (let index = 0, span = fieldsStart; span < unknownStart; index += 2, span += 2) {
    rawHeaders[index + 1] = textOf(text, span)
  }
  for (let span = unknownStart; span < spanCount; span += 2) rawHeaders.push(textOf(text, span))

  const hasMoreBody = (flags & HTTP_REQUEST_FLAG_MORE_ENTITY_BODY_EXISTS) !== 0
  const minorVersion = u16[VERSION_16] === 1 && u16[VERSION_16 + 1] === 0 ? 0 : 1
  const connection = connectionSpan === -1 ? '' : textOf(text, connectionSpan)
  const expect = expectSpan === -1 ? '' : textOf(text, expectSpan)
  const hasUpgrade = u16[KNOWN_LENGTH_16 + HttpHeaderUpgrade * 8] !== 0
  return {
    id: block.readId(HTTP_REQUEST.RequestId),
    connectionLow: u32[CONNECTION_ID_32]!,
    connectionHigh: u32[CONNECTION_ID_32 + 1]!,
    method: verb ?? textOf(text, 2),
    target: textOf(text, 0),
    majorVersion: (flags & HTTP_REQUEST_FLAG_HTTP3) !== 0 ? 3 : (flags & HTTP_REQUEST_FLAG_HTTP2) !== 0 ? 2 : 1,
    minorVersion,
    isMultiplexed: (flags & (HTTP_REQUEST_FLAG_HTTP2 | HTTP_REQUEST_FLAG_HTTP3)) !== 0,
    rawHeaders,
    hasMoreBody,
    hasBody: hasMoreBody || u16[CHUNK_COUNT_16]! > 0 || u16[KNOWN_LENGTH_16 + HttpHeaderTransferEncoding * 8] !== 0,
    isUpgrade: hasUpgrade && /\bupgrade\b/i.test(connection),
    expectation: expect === '' ? 0 : expect.toLowerCase() === '100-continue' ? 1 : 2,
    isKeepAlive:
      connection === ''
        ? minorVersion === 1
        : minorVersion === 1
          ? !/\bclose\b/i.test(connection)
          : /\bkeep-alive\b/i.test(connection),
    parseStart: parseStartOf(block),
  }
}

/** Copies of the pieces of the entity body that came with the request (COPY_BODY). */
export function copyEntityChunks(block: MemoryBlock): Buffer[] {
  const count = block.u16[CHUNK_COUNT_16]!
  if (count === 0) return []
  const chunks = block.offsetOf(CHUNKS, count * HTTP_DATA_CHUNK.$size)
  if (chunks === -1) throw outside('pEntityChunks')
  const { bytes } = block
  const pieces: Buffer[] = []
  for (let at = chunks; at < chunks + count * HTTP_DATA_CHUNK.$size; at += HTTP_DATA_CHUNK.$size) {
    // SAFETY: inside the block, as checked above and here. Wine does not align the array.
    if (bytes.readUInt32LE(at + HTTP_DATA_CHUNK.DataChunkType) !== HttpDataChunkFromMemory) continue
    const length = bytes.readUInt32LE(at + HTTP_DATA_CHUNK['FromMemory.BufferLength'])
    const start = (bytes.readUInt32LE(at + HTTP_DATA_CHUNK['FromMemory.pBuffer']) - block.low) >>> 0
    if (start + length > block.byteLength) throw outside('pBuffer')
    if (length > 0) pieces.push(Buffer.from(bytes.subarray(start, start + length)))
  }
  return pieces
}

/** Notes the known headers that are there; returns their names, each with room for its value behind it. */
function collectKnown(block: MemoryBlock): string[] {
  const { u16, u32 } = block
  const names: string[] = []
  for (let id = 0; id < HttpHeaderRequestMaximum; id++) {
    const length = u16[KNOWN_LENGTH_16 + id * 8]!
    // A field without a value has a pointer nevertheless.
    if (length === 0 && u32[KNOWN_VALUE_32 + id * 4] === 0) continue
    if (id === HttpHeaderConnection) connectionSpan = spanCount
    else if (id === HttpHeaderExpect) expectSpan = spanCount
    addSpan(block, u32[KNOWN_VALUE_32 + id * 4]!, length)
    names.push(REQUEST_HEADER_NAMES[id]!, '')
  }
  return names
}

function collectUnknown(block: MemoryBlock, count: number): void {
  const { bytes } = block
  const start = block.offsetOf(UNKNOWN_HEADERS, count * HTTP_UNKNOWN_HEADER.$size)
  if (start === -1) throw outside('pUnknownHeaders')
  // Wine does not align the array, so no typed array can be used for it.
  for (let at = start; at < start + count * HTTP_UNKNOWN_HEADER.$size; at += HTTP_UNKNOWN_HEADER.$size) {
    const nameLength = bytes.readUInt16LE(at + HTTP_UNKNOWN_HEADER.NameLength)
    const valueLength = bytes.readUInt16LE(at + HTTP_UNKNOWN_HEADER.RawValueLength)
    addSpan(block, bytes.readUInt32LE(at + HTTP_UNKNOWN_HEADER.pName), nameLength)
    addSpan(block, bytes.readUInt32LE(at + HTTP_UNKNOWN_HEADER.pRawValue), valueLength)
  }
}

/** Notes a text of `length` bytes at an address, of which the lower half suffices. */
function addSpan(block: MemoryBlock, addressLow: number, length: number): void {
  if (length === 0) {
    // Its pointer means nothing.
    spans[spanCount] = lowest
    spans[spanCount + 1] = 0
    spanCount += 2
    return
  }
  const start = (addressLow - block.low) >>> 0
  const end = start + length
  if (end > block.byteLength) throw outside('a text')
  if (start < lowest) lowest = start
  if (end > highest) highest = end
  spans[spanCount] = start
  spans[spanCount + 1] = length
  spanCount += 2
}

function textOf(text: string, span: number): string {
  const length = spans[span + 1]!
  if (length === 0) return ''
  const start = spans[span]! - lowest
  return text.slice(start, start + length)
}

function growSpans(unknownCount: number): void {
  const larger = new Int32Array(2 * (2 + HttpHeaderRequestMaximum + 2 * unknownCount))
  larger.set(spans)
  spans = larger
}

function outside(name: string): RangeError {
  return new RangeError(`HTTP_REQUEST: ${name} points outside of the receive buffer`)
}
