/** How many streams a client may reset at once, and how many a second from then on: as many as a page has, twice. */
const RESET_BURST = 200
const RESETS_PER_SECOND = 20
/** PING and SETTINGS frames a second, each of which is answered. */
const ANSWERED_FRAMES_PER_SECOND = 200
/** Bytes a second of frames that carry nothing: seven thousand of the smallest. */
const OVERHEAD_BYTES_PER_SECOND = 64 * 1024
/** Clients acknowledge with some 26 bytes what they read, 16 KiB or more at a time. */
const SENT_BYTES_PER_BYTE_OF_UPDATES = 128

/** Byte counts of a connection since it began. */
export interface Traffic {
  readonly bytesRead: number
  readonly bytesWritten: number
}

/**
 * Notices clients that keep a connection busy without asking for anything: that reset streams as fast as they open them, or send
 * frames that are cheap for them and not for us. node:http2 shows few of these frames, but what is neither head nor body shows in the
 * number of bytes.
 */
export class FloodGuard {
  #resets = RESET_BURST
  #answeredFrames = 0
  #payload = 0
  #lastPayload = 0
  #lastRead = 0
  #lastWritten = 0

  /** A head, or a piece of a body, of so many bytes has come. */
  onPayload(bytes: number): void {
    this.#payload += bytes
  }

  /** The client has reset a stream; returns whether that is one too many. */
  onReset(): boolean {
    return --this.#resets < 0
  }

  /** A PING or SETTINGS frame has come; returns whether that is one too many. */
  onAnsweredFrame(): boolean {
    return ++this.#answeredFrames > ANSWERED_FRAMES_PER_SECOND
  }

  /**
   * Called every second; returns whether most of what has come since was of no use.
   *
   * @param buffered - bytes of bodies that have come and wait to be read
   */
  isFlooded({ bytesRead, bytesWritten }: Traffic, buffered: number): boolean {
    this.#resets = Math.min(RESET_BURST, this.#resets + RESETS_PER_SECOND)
    this.#answeredFrames = 0
    const payload = this.#payload + buffered
    const received = bytesRead - this.#lastRead
    const updates = (bytesWritten - this.#lastWritten) / SENT_BYTES_PER_BYTE_OF_UPDATES
    const overhead = received - (payload - this.#lastPayload) - updates
    this.#lastRead = bytesRead
    this.#lastWritten = bytesWritten
    this.#lastPayload = payload
    return overhead > OVERHEAD_BYTES_PER_SECOND && overhead > received / 2
  }
}
