import { constant, offsetOf, sizeOf } from './golden.ts'
import { RESPONSE_HEADERS } from './header-names.ts'
import type { Operation } from './operation.ts'

const RESPONSE = 'HTTP_RESPONSE_V1'
const CHUNK_FROM_MEMORY = 0
const CHUNK_TRAILERS = 4
/** HttpResponseInfoTypeMultipleKnownHeaders; its struct is {u32 HeaderId, u32 Flags, u16 KnownHeaderCount, KnownHeaders*}. */
const INFO_MULTIPLE_KNOWN_HEADERS = 0

/** What a process has handed over for a response. */
export interface ResponseHead {
  readonly status: number
  readonly reason: string
  readonly fields: (readonly [name: string, value: string])[]
  /** Ids of headers that came as known ones. */
  readonly knownIds: ReadonlySet<number>
}

/** Entity chunks, read out. */
export interface EntityChunks {
  readonly body: Buffer
  readonly trailers: (readonly [name: string, value: string])[]
  readonly hasTrailers: boolean
}

/** Reads structs of a process; everything read stays pinned until the operation completes. */
export class StructReader {
  readonly #operation: Operation
  /** A pointer led nowhere: the call is refused. */
  isFaulty = false

  constructor(operation: Operation) {
    this.#operation = operation
  }

  response(address: number): ResponseHead {
    const bytes = this.#read(address, sizeOf('HTTP_RESPONSE_V2'))
    const u16 = (name: string): number => bytes.readUInt16LE(offsetOf(RESPONSE, name))
    const reason = this.#text(pointer(bytes, offsetOf(RESPONSE, 'pReason')), u16('ReasonLength'))
    const headers = bytes.subarray(offsetOf(RESPONSE, 'Headers'))
    const fields: [string, string][] = []
    const knownIds = new Set<number>()
    for (let id = 0; id < constant('HttpHeaderResponseMaximum'); id++) {
      const at = offsetOf('HTTP_RESPONSE_HEADERS', 'KnownHeaders') + id * sizeOf('HTTP_KNOWN_HEADER')
      const value = this.#known(headers.subarray(at))
      if (value === null) continue
      knownIds.add(id)
      fields.push([RESPONSE_HEADERS[id]!, value])
    }
    const count = headers.readUInt16LE(offsetOf('HTTP_RESPONSE_HEADERS', 'UnknownHeaderCount'))
    fields.push(...this.#unknown(pointer(headers, offsetOf('HTTP_RESPONSE_HEADERS', 'pUnknownHeaders')), count))
    const infoCount = bytes.readUInt16LE(offsetOf('HTTP_RESPONSE_V2', 'ResponseInfoCount'))
    fields.push(...this.#infos(pointer(bytes, offsetOf('HTTP_RESPONSE_V2', 'pResponseInfo')), infoCount))
    return { status: u16('StatusCode'), reason, fields, knownIds }
  }

  chunksOf(response: number): EntityChunks {
    const count = this.#read(response + offsetOf(RESPONSE, 'EntityChunkCount'), 2).readUInt16LE()
    const address = pointer(this.#read(response + offsetOf(RESPONSE, 'pEntityChunks'), 8), 0)
    return this.chunks(address, count)
  }

  chunks(address: number, count: number): EntityChunks {
    const pieces: Buffer[] = []
    const trailers: [string, string][] = []
    let hasTrailers = false
    for (let index = 0; index < count; index++) {
      const chunk = this.#read(address + index * sizeOf('HTTP_DATA_CHUNK'), sizeOf('HTTP_DATA_CHUNK'))
      const type = chunk.readUInt32LE(offsetOf('HTTP_DATA_CHUNK', 'DataChunkType'))
      if (type === CHUNK_FROM_MEMORY) {
        const length = chunk.readUInt32LE(offsetOf('HTTP_DATA_CHUNK', 'FromMemory.BufferLength'))
        pieces.push(this.#read(pointer(chunk, offsetOf('HTTP_DATA_CHUNK', 'FromMemory.pBuffer')), length))
      } else if (type === CHUNK_TRAILERS) {
        hasTrailers = true
        const trailerCount = chunk.readUInt16LE(offsetOf('HTTP_DATA_CHUNK', 'Trailers.TrailerCount'))
        trailers.push(...this.#unknown(pointer(chunk, offsetOf('HTTP_DATA_CHUNK', 'Trailers.pTrailers')), trailerCount))
      } else this.isFaulty = true
    }
    return { body: Buffer.concat(pieces), trailers, hasTrailers }
  }

  #known(bytes: Buffer): string | null {
    const length = bytes.readUInt16LE(offsetOf('HTTP_KNOWN_HEADER', 'RawValueLength'))
    const address = pointer(bytes, offsetOf('HTTP_KNOWN_HEADER', 'pRawValue'))
    return address === 0 ? null : this.#text(address, length)
  }

  #unknown(address: number, count: number): [string, string][] {
    return Array.from({ length: count }, (_, index) => {
      // A count that is wrong is told once, not for each of its elements.
      if (this.isFaulty) return ['', '']
      const size = sizeOf('HTTP_UNKNOWN_HEADER')
      const bytes = this.#read(address + index * size, size)
      const text = (pointerField: string, lengthField: string): string =>
        this.#text(
          pointer(bytes, offsetOf('HTTP_UNKNOWN_HEADER', pointerField)),
          bytes.readUInt16LE(offsetOf('HTTP_UNKNOWN_HEADER', lengthField)),
        )
      return [text('pName', 'NameLength'), text('pRawValue', 'RawValueLength')]
    })
  }

  #infos(address: number, count: number): [string, string][] {
    return Array.from({ length: count }, (_, index) => {
      const info = this.#read(address + index * sizeOf('HTTP_REQUEST_INFO'), sizeOf('HTTP_REQUEST_INFO'))
      if (info.readUInt32LE() !== INFO_MULTIPLE_KNOWN_HEADERS) return []
      const several = this.#read(pointer(info, 8), 24)
      const id = several.readUInt32LE()
      const values = this.#read(pointer(several, 16), several.readUInt16LE(8) * sizeOf('HTTP_KNOWN_HEADER'))
      return Array.from({ length: several.readUInt16LE(8) }, (__, at): [string, string] => {
        const value = this.#known(values.subarray(at * sizeOf('HTTP_KNOWN_HEADER')))
        return [RESPONSE_HEADERS[id]!, value ?? '']
      })
    }).flat()
  }

  #text(address: number, length: number): string {
    return length === 0 ? '' : this.#read(address, length).toString('latin1')
  }

  #read(address: number, length: number): Buffer {
    const bytes = length === 0 ? Buffer.alloc(0) : this.#operation.pin(address, length, 'reads')
    if (bytes !== null) return bytes
    this.isFaulty = true
    return Buffer.alloc(length)
  }
}

function pointer(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at))
}
