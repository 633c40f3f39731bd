/** RFC 6455 section 5.2: `FIN, opcode 8`, no mask, two bytes of payload: 1012, "service restart". */
export const CLOSE_SERVICE_RESTART = Buffer.from([0x88, 2, 1012 >> 8, 1012 & 255])

const OPCODE_CLOSE = 8

/** Follows the frames of one direction of a WebSocket connection, to know where one ends (RFC 6455 section 5.2). */
export class WebSocketFrames {
  /** A Close frame has begun: no other frame may follow. */
  isClosed = false
  /** Bytes of the current frame's header, of which it has at least two. */
  #headerLength = 0
  #headerNeeded = 2
  /** How many bytes of the header hold the length behind the first two, and their value so far. */
  #lengthBytes = 0
  #length = 0
  #payloadLeft = 0

  /** Whether everything up to here is whole frames. */
  get isAtBoundary(): boolean {
    return this.#headerLength === 0 && this.#payloadLeft === 0
  }

  push(bytes: Buffer, start: number, end: number): void {
    let position = start
    while (position < end) {
      if (this.#payloadLeft > 0) {
        const skipped = Math.min(this.#payloadLeft, end - position)
        this.#payloadLeft -= skipped
        position += skipped
      } else this.#onHeaderByte(bytes[position++]!)
    }
  }

  #onHeaderByte(byte: number): void {
    this.#headerLength++
    if (this.#headerLength === 1) {
      if ((byte & 15) === OPCODE_CLOSE) this.isClosed = true
    } else if (this.#headerLength === 2) {
      const short = byte & 127
      this.#lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0
      this.#length = this.#lengthBytes === 0 ? short : 0
      this.#headerNeeded = 2 + this.#lengthBytes + ((byte & 128) === 0 ? 0 : 4)
    } else if (this.#headerLength <= 2 + this.#lengthBytes) this.#length = this.#length * 256 + byte
    if (this.#headerLength < this.#headerNeeded) return
    this.#payloadLeft = this.#length
    this.#headerLength = 0
    this.#headerNeeded = 2
  }
}
