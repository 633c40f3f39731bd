import type { CachedAnswer } from '../cache/cached-answer.ts'

/** How one protocol writes the responses of its exchanges, one after the other; it owns their framing. */
export interface ResponseWriter {
  /** Whether the final head of the current response has been written. */
  hasHead: boolean
  /** Whether the client may send another request on the connection after the current response. */
  isPersistent: boolean
  /** The client takes nothing more at the moment. */
  readonly isFull: boolean
  /**
   * Writes the head and the first piece of the body.
   *
   * @param fields - checked field lines without any framing
   * @param contentLength - bytes of the whole body, or -1 when unknown
   * @param flags - RESPONSE_FLAG_ constants
   * @returns whether the pieces so far fit the announced length
   */
  head(
    status: number,
    reason: string,
    fields: string,
    contentLength: number,
    flags: number,
    bytes: Buffer,
    bodyStart: number,
    bodyEnd: number,
    isLast: boolean,
  ): boolean
  /** Writes a further piece; returns false when it exceeds the announced length. */
  body(bytes: Buffer, start: number, end: number): boolean
  /** As `body`, without a copy: the bytes do not change until `giveBack` is called, in any case. */
  lend?(bytes: Buffer, start: number, end: number, giveBack: () => void): boolean
  /** Ends the body; returns false when bytes are missing from the announced length. */
  end(trailers: string): boolean
  /** Writes a 1xx head, if the client knows what that is. */
  informational(status: number, fields: string): void
  /** Writes the head after which both sides send what they like. */
  switchProtocols(reason: string, fields: string): void
  /** Writes bytes of a connection that has left HTTP. */
  raw(bytes: Buffer, start: number, end: number): void
  /** The last of them have been written. */
  endRaw(): void
  /** Writes a whole response out of the cache, if it can do that better than `head` does; the bytes are not copied. */
  cached?(answer: CachedAnswer): void
  /** Writes a whole response of the broker's own; `fields` may add lines. */
  answer(status: number, fields: string, text: string): void
}
