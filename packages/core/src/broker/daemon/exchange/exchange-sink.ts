/**
 * The client's side of one exchange, as an owner's frames reach it: an HTTP/1.1 connection, or one stream of an HTTP/2 connection.
 *
 * `isLast` and `onCancel` end the owner's side: after them the owner may send nothing more for the exchange but
 * credit for the entity body.
 */
export interface ExchangeSink {
  onInformational(status: number, bytes: Buffer, fieldsStart: number, fieldsEnd: number): void
  /** The response that follows, whole, may be cached for so many seconds; Infinity: until it is flushed. */
  onCachePolicy(secondsToLive: number): void
  /**
   * The head of the response and the first piece of its body.
   *
   * @param flags - RESPONSE_FLAG_ constants and FLAG_END
   * @param contentLength - bytes, or -1 when unknown
   */
  onResponse(
    status: number,
    flags: number,
    contentLength: number,
    bytes: Buffer,
    reasonStart: number,
    fieldsStart: number,
    bodyStart: number,
    end: number,
  ): void
  onResponseBody(bytes: Buffer, start: number, end: number, isLast: boolean): void
  /** The same with bytes that do not change, and stay, until `giveBack` is called. */
  onResponseBlock(bytes: Buffer, start: number, end: number, isLast: boolean, giveBack: () => void): void
  onResponseTrailers(bytes: Buffer, start: number, end: number): void
  onBodyCredit(bytes: number): void
  onDiscardBody(): void
  onCancel(isReset: boolean): void
  /** The owner had been full and takes more again. */
  onOwnerDrained(): void
  /** The owner's process is gone. */
  onOwnerGone(): void
}
