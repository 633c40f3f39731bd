/** How the body of the response under way ends. */
type Framing = 'length' | 'chunk' | 'close'

/** head ──▶ length ──▶ head; head ──▶ line ──▶ chunk ──▶ line … ──▶ trailers ──▶ head; head ──▶ close */
type State = 'head' | 'line' | 'trailers' | Framing

const NOTHING = Buffer.alloc(0)
const LF = 10

/**
 * Reads HTTP/1.1 responses of one connection as far as a load generator needs it: where each ends, its status, and whether the
 * connection stays. It trusts the server, and throws when there is something that is no response.
 */
export class ResponseReader {
  /** The body of the response under way goes on to the end of the connection. */
  get endsWithConnection(): boolean {
    return this.#state === 'close'
  }

  /** Of the response under way, or the last one. */
  get status(): number {
    return this.#status
  }

  #state: State = 'head'
  /** Bytes of a head or a line that has not ended. */
  #rest: Buffer = NOTHING
  #left = 0
  #status = 0
  #closes = false
  readonly #isHead: boolean
  readonly #onResponse: (status: number, closes: boolean) => void

  /**
   * @param isHead - the requests are HEAD: responses have no body whatever they say
   * @param onResponse - called at the end of each, with its status and whether the server closes the connection after it
   */
  constructor(isHead: boolean, onResponse: (status: number, closes: boolean) => void) {
    this.#isHead = isHead
    this.#onResponse = onResponse
  }

  /** Takes the next bytes. */
  push(data: Buffer): void {
    let bytes = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data])
    this.#rest = NOTHING
    while (bytes.length > 0) {
      const used = this.#step(bytes)
      if (used === 0) {
        this.#rest = bytes
        return
      }
      bytes = bytes.subarray(used)
    }
  }

  /** Takes what has arrived into account; returns how many bytes that were, 0 when more are needed first. */
  #step(bytes: Buffer): number {
    switch (this.#state) {
      case 'head':
        return this.#readHead(bytes)
      case 'line':
        return this.#readChunkSize(bytes)
      case 'trailers': {
        const end = bytes.indexOf(LF)
        // An empty line ends them; the one of a chunk's size has been taken already.
        if (end !== -1 && end <= 1) this.#finish()
        return end + 1
      }
      case 'close':
        return bytes.length
      case 'length':
      case 'chunk': {
        const used = Math.min(this.#left, bytes.length)
        this.#left -= used
        if (this.#left === 0 && this.#state === 'length') this.#finish()
        else if (this.#left === 0) this.#state = 'line'
        return used
      }
    }
  }

  #readHead(bytes: Buffer): number {
    const end = bytes.indexOf('\r\n\r\n')
    if (end === -1) return 0
    const head = bytes.toString('latin1', 0, end + 2)
    this.#status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? Number.NaN)
    if (Number.isNaN(this.#status)) throw new Error(`No HTTP response: ${head.slice(0, 60)}`)
    // 100 Continue and its kin come before the response.
    if (this.#status < 200) return end + 4
    this.#closes = /\r\nconnection: *close\r\n/i.test(head) || head.startsWith('HTTP/1.0')
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    if (this.#isHead || this.#status === 204 || this.#status === 304) this.#finish()
    else if (/\r\ntransfer-encoding: *chunked\r\n/i.test(head)) this.#state = 'line'
    else if (length === undefined) this.#state = 'close'
    else if (Number(length) === 0) this.#finish()
    else {
      this.#state = 'length'
      this.#left = Number(length)
    }
    return end + 4
  }

  #readChunkSize(bytes: Buffer): number {
    const end = bytes.indexOf(LF)
    if (end === -1) return 0
    const size = Number.parseInt(bytes.toString('latin1', 0, end), 16)
    if (Number.isNaN(size)) throw new Error('A chunk without a size')
    this.#state = size === 0 ? 'trailers' : 'chunk'
    this.#left = size + 2 // with the line end behind the data
    return end + 1
  }

  #finish(): void {
    this.#state = 'head'
    this.#onResponse(this.#status, this.#closes)
  }
}
