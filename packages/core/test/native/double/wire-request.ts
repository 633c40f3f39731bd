/** A request head as it came. */
export interface WireHead {
  readonly method: string
  readonly target: string
  readonly minorVersion: number
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly byteLength: number
}

/** Reads a head; undefined when it is not complete, a status and reason when it can't be read. */
export function readHead(bytes: Buffer): WireHead | { status: number; reason: string } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return bytes.length > 65_536 ? { status: 400, reason: 'Request Header Too Long' } : undefined
  const [line, ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const match = /^([!#$%&'*+\-.^_`|~\w]+) (\S+) HTTP\/1\.([01])$/.exec(line!)
  if (match === null) return { status: 400, reason: 'Invalid URL' }
  const fields = lines.map((text) => /^([!#$%&'*+\-.^_`|~\w]+):[ \t]*(.*?)[ \t]*$/.exec(text))
  if (fields.some((field) => field === null)) return { status: 400, reason: 'Invalid Header' }
  return {
    method: match[1]!,
    target: match[2]!,
    minorVersion: Number(match[3]),
    fields: fields.map((field) => [field![1]!, field![2]!] as const),
    byteLength: end + 4,
  }
}

/** The values of a field, joined; undefined when it is not there. */
export function valueOf(head: WireHead, name: string): string | undefined {
  const values = head.fields.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value)
  return values.length === 0 ? undefined : values.join(', ')
}

/** Takes an entity body out of the bytes of a connection. */
export class BodyDecoder {
  /** Decoded, and not taken yet. */
  readonly pieces: Buffer[] = []
  isEnded = false
  isBroken = false
  readonly #isChunked: boolean
  /** Of the body, or of the chunk. */
  #left: number
  #isInChunk = false

  constructor(length: number | 'chunked') {
    this.#isChunked = length === 'chunked'
    this.#left = length === 'chunked' ? 0 : length
    this.isEnded = length === 0
  }

  get decodedBytes(): number {
    return this.pieces.reduce((total, piece) => total + piece.length, 0)
  }

  /** Returns what it has not used. */
  push(bytes: Buffer): Buffer {
    let rest = bytes
    while (!this.isEnded && !this.isBroken && rest.length > 0) {
      if (this.#left > 0) {
        const piece = rest.subarray(0, this.#left)
        this.pieces.push(piece)
        this.#left -= piece.length
        rest = rest.subarray(piece.length)
        if (this.#left === 0 && !this.#isChunked) this.isEnded = true
        continue
      }
      const lineEnd = rest.indexOf('\r\n')
      if (lineEnd === -1) break
      const line = rest.toString('latin1', 0, lineEnd)
      if (this.#isInChunk) {
        this.#isInChunk = false
        this.isBroken = line !== ''
      } else {
        const size = /^[\da-fA-F]{1,8}$/.exec(line)
        this.isBroken = size === null
        if (line === '0') {
          // Trailers of requests are dropped, as HTTP.SYS does by default.
          const end = rest.indexOf('\r\n\r\n')
          if (end === -1) break
          rest = rest.subarray(end + 4)
          this.isEnded = true
          break
        }
        this.#left = parseInt(line, 16)
        this.#isInChunk = true
      }
      rest = rest.subarray(lineEnd + 2)
    }
    return rest
  }

  /** At most so many bytes of what has been decoded. */
  take(limit: number): Buffer {
    const taken: Buffer[] = []
    let room = limit
    while (room > 0 && this.pieces.length > 0) {
      const piece = this.pieces.shift()!
      taken.push(piece.subarray(0, room))
      if (piece.length > room) this.pieces.unshift(piece.subarray(room))
      room -= Math.min(room, piece.length)
    }
    return Buffer.concat(taken)
  }
}
