import { DISCONNECT_RESET, REQUEST_HTTP_2 } from '../../protocol/frames.ts'
import { ClientExchange } from '../exchange/client-exchange.ts'
import type { ExchangeCarrier } from '../exchange/exchange-carrier.ts'
import type { Reject } from '../exchange/reject.ts'
import { writeRequestFrame } from '../exchange/request-frame.ts'
import type { HeadParser } from '../http1/head-parser.ts'
import type { OwnerClaim } from '../request-queue-entry.ts'
import type { StreamWriter } from './stream-writer.ts'

const NO_BYTES = Buffer.alloc(0)

/** The exchange of an HTTP/2 stream; when it has ended cleanly, that of another one. */
export class Http2Exchange extends ClientExchange {
  isBodyComplete = true
  declare protected readonly response: StreamWriter

  constructor(response: StreamWriter, carrier: ExchangeCarrier) {
    super(response, carrier)
  }

  /** A stream ends by itself: nobody waits behind the rest of its body. */
  protected get isRestAwaited(): boolean {
    return !this.isDiscarding
  }

  protected abandonBody(): void {
    this.isBodyComplete = true
  }

  /** Whether a refusal would still be the first thing the client reads of this response. */
  get canRefuse(): boolean {
    return !this.response.hasHead
  }

  /**
   * Begins with a request.
   *
   * @param maxBodySize - bytes of the entity body, 0 for no limit
   */
  begin(isUpgrade: boolean, expectsContinue: boolean, isHead: boolean, hasBody: boolean, maxBodySize: number): void {
    this.isBodyComplete = !hasBody
    this.response.reset(isHead)
    this.open(isUpgrade, expectsContinue, maxBodySize)
  }

  /** Hands the request to an owner; returns false when that has no free id. */
  handOver(
    { peer, id: claimId }: OwnerClaim,
    connectionId: number,
    head: HeadParser,
    bytes: Buffer,
    end: number,
  ): boolean {
    if (!this.join(peer)) return false
    writeRequestFrame(peer.writer, head, this.id, connectionId, claimId, bytes, end, end, REQUEST_HTTP_2)
    return true
  }

  /** Takes a piece of the body; returns false when that is longer than it may be. */
  takeBody(bytes: Buffer, length: number): boolean {
    if (this.isBodyComplete) return true
    this.isAwaitingContinue = false
    this.bodyBytesLeft -= length
    if (this.bodyBytesLeft < 0) return false
    this.forward(bytes, 0, length, false, '')
    return true
  }

  /** The body is complete. */
  endBody(trailers: string): void {
    if (this.isBodyComplete) return
    this.#completeBody(trailers)
    this.endIfDone()
  }

  /** Answers in place of the owner, whose exchange ends as if the client had gone. */
  refuse({ status, reason, detail }: Reject): void {
    this.carrier.count(reason)
    this.onClientGone(DISCONNECT_RESET)
    this.response.reset(false)
    this.response.answer(status, '', `${reason}: ${detail}\n`)
  }

  override onDiscardBody(): void {
    super.onDiscardBody()
    this.endIfDone()
  }

  protected override endIfDone(): void {
    // The owner has answered without the rest of the body: for it this is the end.
    if (this.drainingSince !== -1) this.#completeBody('')
    super.endIfDone()
  }

  #completeBody(trailers: string): void {
    if (this.isBodyComplete) return
    this.isBodyComplete = true
    this.forward(NO_BYTES, 0, 0, true, trailers)
    this.releaseIfDone()
  }
}
