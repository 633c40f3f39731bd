import type { CompleteQueueSettings } from '../../../base/queue-settings.ts'
import { DEFAULT_QUEUE_SETTINGS } from '../../../base/queue-settings.ts'
import type { EngineConnection } from '../../engine/engine.ts'
import { DISCONNECT_RESET, FRAME_BODY } from '../../protocol/frames.ts'
import { MAX_BODY_FRAME_BYTES } from '../../protocol/limits.ts'
import { ClientExchange } from '../exchange/client-exchange.ts'
import type { ExchangeCarrier } from '../exchange/exchange-carrier.ts'
import { REJECT_BODY_TOO_LONG } from '../exchange/reject.ts'
import type { Reject } from '../exchange/reject.ts'
import { isHeadRequest } from '../exchange/request-method.ts'
import { writeRequestFrame } from '../exchange/request-frame.ts'
import type { OwnerClaim } from '../request-queue-entry.ts'
import type { HeadParser } from './head-parser.ts'
import { writeClientError } from './private-port.ts'
import type { PrivatePort } from './private-port.ts'
import { BODY_END, BODY_MORE, RequestBody } from './request-body.ts'
import { ResponseFramer } from './response-framer.ts'

/** An exchange of an HTTP/1.1 connection. Where it has one at a time, one object serves them all in turn. */
export class Http1Exchange extends ClientExchange {
  readonly body = new RequestBody()
  declare protected readonly response: ResponseFramer
  /** The owner answers what could not be read. */
  #isRefusal = false
  /** What follows may be no request: the client wants to leave HTTP. */
  #mayLeaveHttp = false
  readonly #idleTimeout: number

  /** @param idleTimeout - how long the connection may stay idle where a prefix does not say; milliseconds, 0 for no limit */
  constructor(connection: EngineConnection, carrier: ExchangeCarrier, idleTimeout: number) {
    super(new ResponseFramer(connection), carrier)
    this.#idleTimeout = idleTimeout
  }

  get isBodyComplete(): boolean {
    return this.body.isComplete
  }

  /** Where the next request begins is known only when the body has been read. */
  protected get isRestAwaited(): boolean {
    return this.response.isPersistent
  }

  protected abandonBody(): void {
    this.body.abandon()
  }

  /**
   * Begins with the request that the parser has just read.
   *
   * @param settings - of its prefix
   */
  begin(head: HeadParser, isHead: boolean, settings: CompleteQueueSettings, isOnPrivatePort: boolean): void {
    this.isOwnersConnection = isOnPrivatePort
    this.#mayLeaveHttp = head.isUpgrade
    this.body.reset(head)
    this.response.idleTimeout = settings.idleConnectionTimeout ?? this.#idleTimeout
    this.response.reset(isHead, head.minor, head.isKeepAlive)
    this.#isRefusal = false
    this.open(head.isUpgrade, head.expect === 1, settings.maxBodySize)
  }

  /** Begins with a request that has come behind others of its connection, on a private port. */
  beginBehind(head: HeadParser, bytes: Buffer): void {
    this.begin(head, isHeadRequest(head, bytes), DEFAULT_QUEUE_SETTINGS, true)
    this.isItsTurn = false
  }

  /** The responses before its own are complete. */
  takeTurn(): void {
    this.isItsTurn = true
  }

  /** What the client sends now is its next request, and will be answered. */
  get isFollowed(): boolean {
    return this.state === 'open' && this.body.isComplete && this.response.isPersistent && !this.#mayLeaveHttp
  }

  /**
   * Hands the request to an owner, with as much of a small body as has arrived.
   *
   * @returns the position behind what was used, or -1 when the owner has no free id
   */
  handOver(
    { peer, id: claimId }: OwnerClaim,
    connectionId: number,
    head: HeadParser,
    bytes: Buffer,
    bodyStart: number,
    end: number,
  ): number {
    if (!this.join(peer)) return -1
    const bodyEnd = this.body.isComplete ? bodyStart : this.body.takeWhole(bodyStart, end, MAX_BODY_FRAME_BYTES)
    if (bodyEnd > bodyStart) this.isAwaitingContinue = false
    this.bodyCredit -= bodyEnd - bodyStart
    writeRequestFrame(peer.writer, head, this.id, connectionId, claimId, bytes, bodyStart, bodyEnd)
    return bodyEnd
  }

  /**
   * Takes `bytes[start, end)` as far as the body reaches.
   *
   * @returns the position behind it, or a negative code of `reject.ts`
   */
  takeBody(bytes: Buffer, start: number, end: number): number {
    this.isAwaitingContinue = false
    const { body } = this
    let position = start
    for (;;) {
      const event = body.step(bytes, position, end)
      if (event < 0) return event
      position = body.position
      if (event === BODY_MORE) return position
      this.bodyBytesLeft -= body.end - body.start
      if (this.bodyBytesLeft < 0) return REJECT_BODY_TOO_LONG
      const isLast = event === BODY_END
      this.forward(bytes, body.start, body.end, isLast, isLast ? body.trailers : '')
      if (!isLast) continue
      this.releaseIfDone()
      this.endIfDone()
      return position
    }
  }

  /** Refuses what the client sends, which can't be told from the next request: the connection ends with this answer. */
  refuse({ status, reason, detail }: Reject): void {
    this.carrier.count(reason)
    if (this.state === 'open') this.onClientGone(DISCONNECT_RESET)
    this.response.reset(false, 1, false)
    this.response.answer(status, '', `${reason}: ${detail}\n`)
  }

  /** Whether a refusal would still be the first thing the client reads of this response. */
  get canRefuse(): boolean {
    return this.state !== 'open' || !this.response.hasHead
  }

  /**
   * Leaves the answer to a request that can't be read to the owner of the port.
   *
   * @returns whether the owner could be told
   */
  delegate(port: PrivatePort, connectionId: number, code: string, bytes: Buffer, start: number, end: number): boolean {
    if (this.owner === null) {
      if (!this.join(port.claim.peer)) return false
      this.response.reset(false, 1, false)
      this.open(false, false, 0)
      this.isOwnersConnection = true
      this.isOwnerDone = false
    }
    this.body.abandon()
    this.isDiscarding = true
    this.#isRefusal = true
    this.endAfterResponse()
    writeClientError(port, this.id, connectionId, code, bytes, start, end)
    return true
  }

  protected override breakOff(): void {
    if (this.#isRefusal) this.carrier.closeGently()
    else this.carrier.onExchangeBroken()
  }

  protected override goRaw(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    if (!this.isOwnersConnection) return super.goRaw(bytes, start, end, isLast)
    this.response.hasHead = true
    this.becomeOpaque()
    // node:http hands over what came with the head together with it; the owner waits to learn how much that was.
    this.owner?.writer.signal(FRAME_BODY, 0, 0, this.id)
    this.onOpaqueBytes(bytes, start, end, isLast)
  }
}
