import { latin1 } from '../../../base/latin1.ts'
import type { EngineConnection } from '../../engine/engine.ts'
import {
  DISCONNECT_RESET,
  FLAG_END,
  FRAME_BODY,
  FRAME_TRAILERS,
  RESPONSE_FLAG_CLOSE,
  RESPONSE_FLAG_OPAQUE,
  RESPONSE_FLAG_RAW,
} from '../../protocol/frames.ts'
import { CREDIT_STEP_BYTES, MAX_BODY_FRAME_BYTES, WINDOW_BYTES } from '../../protocol/limits.ts'
import { clock } from '../coarse-clock.ts'
import type { ExchangeSink } from '../exchange-sink.ts'
import { broken } from '../owner-peer.ts'
import type { OwnerPeer } from '../owner-peer.ts'
import type { OwnerClaim } from '../request-queue-entry.ts'
import type { HeadParser } from './head-parser.ts'
import { BODY_END, BODY_MORE, RequestBody } from './request-body.ts'
import { writeClientError } from './private-port.ts'
import type { PrivatePort } from './private-port.ts'
import { ABANDONED, REJECT_BODY_TOO_LONG } from './reject.ts'
import type { Reject } from './reject.ts'
import { writeRequestFrame } from './request-frame.ts'
import { areSafeFields, isSafeReason } from './response-fields.ts'
import { ResponseFramer } from './response-framer.ts'
import { CLOSE_SERVICE_RESTART, WebSocketFrames } from './websocket-frames.ts'

/** Clients are to come back soon: owners restart within seconds. */
const RETRY_AFTER = 'Retry-After: 1\r\n'

/** What an exchange asks of the connection that carries it. */
export interface ExchangeCarrier {
  /** The broker answers by itself; reasons are HTTPERR's. */
  count(reason: string): void
  /** The client has ended its side and nothing more of it waits to be parsed. */
  readonly isAtEnd: boolean
  /** The connection's port belongs to one claim alone. */
  readonly isOnPrivatePort: boolean
  pauseReading(): void
  resumeReading(): void
  /** Response and entity body are complete. */
  onExchangeEnd(isPersistent: boolean): void
  /** The connection carries raw bytes from now on. */
  onOpaque(): void
  /** The owner has gone before it answered; returns whether another will be given the request. */
  takeBack(): boolean
  /** The response can't be completed: the client must see the connection break. */
  onExchangeBroken(): void
  /** What was sent is the last; what the client still sends is read for a while, so that a reset does not overtake it. */
  closeGently(): void
}

/**
 * One request and its response, between an HTTP/1.1 connection and an owner. A connection has one exchange at a time, so one
 * object serves them all in turn.
 *
 * idle ──begin──▶ open ──response and body complete──▶ idle
 *                  ├──101 with the opaque flag──▶ opaque
 *                  └──client gone, or response broken──▶ broken (the rest of what the owner sends is dropped)
 */
export class Http1Exchange implements ExchangeSink {
  state: 'idle' | 'open' | 'opaque' | 'broken' = 'idle'
  readonly body = new RequestBody()
  readonly #carrier: ExchangeCarrier
  readonly #connection: EngineConnection
  readonly #response: ResponseFramer
  /** null while the broker answers by itself, and once owner and client have nothing left to send. */
  #owner: OwnerPeer | null = null
  #id = 0
  #isOwnerDone = true
  #isResponseDone = true
  /** Seconds. */
  #responseEnd = 0
  #isUpgrade = false
  #minor: 0 | 1 = 1
  /** Bytes that the body may still have. */
  #bodyBytesLeft = Infinity
  /** Bytes of the body that the owner still takes. */
  #bodyCredit = 0
  #isDiscarding = false
  /** The owner answers what could not be read. */
  #isRefusal = false
  /** The client waits for a 100 before it sends the body. */
  #isAwaitingContinue = false
  /** Of the owner's side; null unless the connection has become a WebSocket. */
  #webSocket: WebSocketFrames | null = null
  /** Bytes of the response that the owner may still send, and those that the connection took since it was last told. */
  #responseWindow = 0
  #consumed = 0

  constructor(connection: EngineConnection, carrier: ExchangeCarrier, idleTimeoutMs: number) {
    this.#connection = connection
    this.#carrier = carrier
    this.#response = new ResponseFramer(connection, idleTimeoutMs)
  }

  /** Whether the client is to send more of the body now. */
  get isAwaitingBody(): boolean {
    return this.state === 'open' && !this.body.isComplete && !this.#isAwaitingContinue
  }

  /** Since when only the rest of an entity body is read that nobody wants, seconds; -1 when it is not so. */
  get drainingSince(): number {
    return this.state === 'open' && this.#isResponseDone && this.#isDiscarding ? this.#responseEnd : -1
  }

  // The client's side

  /**
   * Begins with the request that the parser has just read.
   *
   * @param maxBodySize - bytes of the entity body, 0 for no limit
   */
  begin(head: HeadParser, isHead: boolean, maxBodySize: number): void {
    this.state = 'open'
    this.#bodyBytesLeft = maxBodySize === 0 ? Infinity : maxBodySize
    this.body.reset(head)
    this.#response.reset(isHead, head.minor, head.isKeepAlive)
    this.#minor = head.minor
    this.#isUpgrade = head.isUpgrade
    this.#isAwaitingContinue = head.expect === 1 && !this.body.isComplete
    this.#isOwnerDone = true
    this.#isResponseDone = false
    this.#isDiscarding = false
    this.#isRefusal = false
    this.#bodyCredit = WINDOW_BYTES
    this.#responseWindow = WINDOW_BYTES
    this.#consumed = 0
  }

  /**
   * Hands the request to an owner, with as much of a small body as has arrived.
   *
   * @returns the position behind what was used, or -1 when the owner has no free id
   */
  handOver(
    claim: OwnerClaim,
    connectionId: number,
    head: HeadParser,
    bytes: Buffer,
    bodyStart: number,
    end: number,
  ): number {
    const { peer } = claim
    const id = peer.exchanges.add(this)
    if (id === -1) return -1
    this.#owner = peer
    this.#id = id
    this.#isOwnerDone = false
    const bodyEnd = this.body.isComplete ? bodyStart : this.body.takeWhole(bodyStart, end, MAX_BODY_FRAME_BYTES)
    if (bodyEnd > bodyStart) this.#isAwaitingContinue = false
    this.#bodyCredit -= bodyEnd - bodyStart
    writeRequestFrame(peer.writer, head, id, connectionId, claim.id, bytes, bodyStart, bodyEnd)
    return bodyEnd
  }

  /**
   * Leaves the answer to a request that can't be read to the owner of the port.
   *
   * @returns whether the owner could be told
   */
  delegate(port: PrivatePort, connectionId: number, code: string, bytes: Buffer, start: number, end: number): boolean {
    const { peer } = port.claim
    if (this.#owner === null) {
      const id = peer.exchanges.add(this)
      if (id === -1) return false
      this.state = 'open'
      this.#response.reset(false, 1, false)
      this.#owner = peer
      this.#id = id
      this.#isOwnerDone = false
      this.#isResponseDone = false
      this.#responseWindow = WINDOW_BYTES
      this.#consumed = 0
    }
    this.body.abandon()
    this.#isDiscarding = true
    this.#isRefusal = true
    this.endAfterResponse()
    writeClientError(port, this.#id, connectionId, code, bytes, start, end)
    return true
  }

  /** Answers without an owner, with the reason or without; the connection goes on, once the entity body has been read and dropped. */
  answer({ status, reason, detail }: Reject, isExplained = true): void {
    this.#carrier.count(reason)
    if (this.#isAwaitingContinue || this.#carrier.isAtEnd) this.#response.isPersistent = false
    const fields = status === 503 ? RETRY_AFTER : ''
    this.#response.answer(status, fields, isExplained ? `${reason}: ${detail}\n` : '')
    this.#isResponseDone = true
    this.#responseEnd = clock.seconds
    this.#isDiscarding = true
    this.#owner = null
    this.#endIfDone()
  }

  /** Refuses what the client sends, which can't be told from the next request: the connection ends with this answer. */
  refuse({ status, reason, detail }: Reject): void {
    this.#carrier.count(reason)
    if (this.state === 'open') this.onClientGone(DISCONNECT_RESET)
    this.#response.reset(false, 1, false)
    this.#response.answer(status, '', `${reason}: ${detail}\n`)
  }

  /** Whether a refusal would still be the first thing the client reads of this response. */
  get canRefuse(): boolean {
    return this.state !== 'open' || !this.#response.hasHead
  }

  /**
   * Takes `bytes[start, end)` as far as the body reaches.
   *
   * @returns the position behind it, or a negative code of `reject.ts`
   */
  takeBody(bytes: Buffer, start: number, end: number): number {
    this.#isAwaitingContinue = false
    const { body } = this
    let position = start
    for (;;) {
      const event = body.step(bytes, position, end)
      if (event < 0) return event
      position = body.position
      if (event === BODY_MORE) return position
      this.#bodyBytesLeft -= body.end - body.start
      if (this.#bodyBytesLeft < 0) return REJECT_BODY_TOO_LONG
      const isLast = event === BODY_END
      this.#forward(bytes, body.start, body.end, isLast, isLast ? body.trailers : '')
      if (!isLast) continue
      this.#releaseIfDone()
      this.#endIfDone()
      return position
    }
  }

  /** Passes on raw bytes of an opaque connection. */
  takeOpaque(bytes: Buffer, start: number, end: number): void {
    this.#forward(bytes, start, end, false, '')
  }

  /** The client is gone, or has ended its side before its request was answered. */
  onClientGone(kind: number): void {
    if (this.state === 'idle' || this.state === 'broken') return
    const wasOpaque = this.state === 'opaque'
    this.body.abandon()
    if (kind === DISCONNECT_RESET) this.state = 'broken'
    const owner = this.#owner
    if (owner === null) return
    if (wasOpaque && kind !== DISCONNECT_RESET) owner.writer.signal(FRAME_BODY, FLAG_END, 0, this.#id)
    else owner.disconnectExchange(this.#id, kind)
    this.#releaseIfDone()
    if (kind !== DISCONNECT_RESET) this.#endIfDone()
  }

  /** The connection is to end after this response. */
  endAfterResponse(): void {
    this.#response.isPersistent = false
  }

  /** Returns credit for what the client's connection has taken. */
  grant(): void {
    if (this.#consumed < CREDIT_STEP_BYTES || this.#connection.isFull || this.#owner === null || this.#isOwnerDone)
      return
    this.#owner.writer.credit(this.#id, this.#consumed)
    this.#responseWindow += this.#consumed
    this.#consumed = 0
  }

  // The owner's side

  onInformational(status: number, bytes: Buffer, fieldsStart: number, fieldsEnd: number): void {
    if (status < 100 || status > 199 || status === 101) throw broken(`status ${status} is not informational`)
    if (!areSafeFields(bytes, fieldsStart, fieldsEnd)) throw broken('an informational response has unsafe fields')
    if (status === 100) this.#isAwaitingContinue = false
    if (this.state !== 'open' || this.#response.hasHead || this.#minor === 0) return
    this.#response.informational(status, latin1(bytes, fieldsStart, fieldsEnd))
  }

  onResponse(
    status: number,
    flags: number,
    contentLength: number,
    bytes: Buffer,
    reasonStart: number,
    fieldsStart: number,
    bodyStart: number,
    end: number,
  ): void {
    if (!areSafeFields(bytes, fieldsStart, bodyStart)) throw broken('a response has unsafe fields')
    if (!isSafeReason(bytes, reasonStart, fieldsStart)) throw broken('a response has an unsafe reason phrase')
    const isLast = (flags & FLAG_END) !== 0
    if (this.state === 'broken') return this.#drop(isLast)
    if (this.#isOwnerDone || this.#response.hasHead) throw broken('a second RESPONSE for one exchange')
    if ((flags & RESPONSE_FLAG_RAW) !== 0) return this.#goRaw(bytes, bodyStart, end, isLast)
    const reason = reasonStart === fieldsStart ? '' : latin1(bytes, reasonStart, fieldsStart)
    const fields = latin1(bytes, fieldsStart, bodyStart)
    if ((flags & RESPONSE_FLAG_OPAQUE) !== 0) {
      this.#goOpaque(status, reason, fields)
      return this.#onOpaqueBytes(bytes, bodyStart, end, isLast)
    }
    this.#account(end - bodyStart)
    if (status < 200) throw broken(`status ${status} does not end an exchange`)
    // A body that the client holds back because nobody asked for it may never come, or come late.
    if ((flags & RESPONSE_FLAG_CLOSE) !== 0 || this.#carrier.isAtEnd || this.#isAwaitingContinue)
      this.endAfterResponse()
    const fits = this.#response.head(status, reason, fields, contentLength, flags, bytes, bodyStart, end, isLast)
    this.#afterPiece(fits, isLast)
  }

  onResponseBody(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    if (this.state === 'opaque') return this.#onOpaqueBytes(bytes, start, end, isLast)
    if (this.state === 'broken') return this.#drop(isLast)
    this.#account(end - start)
    if (this.#isOwnerDone || !this.#response.hasHead) throw broken('a BODY frame outside the response')
    const fits = this.#response.body(bytes, start, end) && (!isLast || this.#response.end(''))
    this.#afterPiece(fits, isLast)
  }

  onResponseTrailers(bytes: Buffer, start: number, end: number): void {
    if (!areSafeFields(bytes, start, end)) throw broken('trailers have unsafe fields')
    if (this.state === 'broken') return this.#drop(true)
    if (this.state !== 'open' || this.#isOwnerDone || !this.#response.hasHead) {
      throw broken('a TRAILERS frame outside the response')
    }
    this.#afterPiece(this.#response.end(latin1(bytes, start, end)), true)
  }

  onBodyCredit(bytes: number): void {
    this.#bodyCredit += bytes
    if (this.#bodyCredit > 0) this.#carrier.resumeReading()
  }

  onDiscardBody(): void {
    this.#isDiscarding = true
    this.#carrier.resumeReading()
  }

  onCancel(): void {
    const wasLive = this.state === 'open' || this.state === 'opaque'
    this.state = 'broken'
    this.#onOwnerDone()
    if (!wasLive) return
    if (this.#isRefusal) this.#carrier.closeGently()
    else this.#carrier.onExchangeBroken()
  }

  onOwnerGone(): void {
    this.#owner = null
    this.#isOwnerDone = true
    if (this.state === 'broken' || this.state === 'idle') return
    if (this.#isResponseDone) {
      // Only the rest of the entity body was still on its way to the owner.
      this.#isDiscarding = true
    } else if (this.state === 'opaque' || this.#response.hasHead) {
      this.state = 'broken'
      if (this.#webSocket?.isAtBoundary !== true || this.#webSocket.isClosed) return this.#carrier.onExchangeBroken()
      this.#connection.write(CLOSE_SERVICE_RESTART, 0, CLOSE_SERVICE_RESTART.length)
      return this.#carrier.closeGently()
    } else if (this.#carrier.takeBack()) return
    else this.answer(ABANDONED)
    this.#carrier.resumeReading()
  }

  #goOpaque(status: number, reason: string, fields: string): void {
    if (status !== 101 || !this.#isUpgrade) throw broken('an opaque response needs status 101 and an upgrade request')
    this.#response.switchProtocols(reason, fields)
    if (/^upgrade: *websocket *\r$/im.test(fields)) this.#webSocket = new WebSocketFrames()
    this.state = 'opaque'
    this.#bodyCredit = WINDOW_BYTES
    this.#carrier.onOpaque()
  }

  /** The owner writes the head itself: on its own port there is nobody whom that could deceive. */
  #goRaw(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    if (!this.#carrier.isOnPrivatePort) throw broken('a raw response on a port that is not private')
    this.#response.hasHead = true
    this.state = 'opaque'
    this.#bodyCredit = WINDOW_BYTES
    this.#carrier.onOpaque()
    this.#onOpaqueBytes(bytes, start, end, isLast)
  }

  #onOpaqueBytes(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    if (this.#isOwnerDone) throw broken('bytes after the end of an opaque connection')
    this.#account(end - start)
    this.#webSocket?.push(bytes, start, end)
    if (end > start) this.#connection.write(bytes, start, end)
    if (!isLast) return this.grant()
    this.#connection.end()
    this.#isOwnerDone = true
    // The client may go on sending until it ends its own side.
    if (this.#carrier.isAtEnd) this.#release()
  }

  /** Passes a piece of the entity body, or raw bytes, to the owner. */
  #forward(bytes: Buffer, start: number, end: number, isLast: boolean, trailers: string): void {
    const owner = this.#owner
    if (owner === null || (this.#isDiscarding && !isLast)) return
    const isBodyLast = isLast && trailers === ''
    const pieceEnd = this.#isDiscarding ? start : end
    if (pieceEnd > start || isBodyLast) {
      owner.writer.copy(FRAME_BODY, isBodyLast ? FLAG_END : 0, 0, this.#id, bytes, start, pieceEnd)
    }
    if (trailers !== '') owner.writer.text(FRAME_TRAILERS, FLAG_END, 0, this.#id, trailers, 'latin1')
    this.#bodyCredit -= pieceEnd - start
    if (this.#bodyCredit <= 0) this.#carrier.pauseReading()
  }

  #afterPiece(fits: boolean, isLast: boolean): void {
    if (!fits) {
      // The announced length can't be kept any more; a broken connection is the only way to tell the client.
      this.state = 'broken'
      this.#owner?.disconnectExchange(this.#id, DISCONNECT_RESET)
      this.#isOwnerDone = true
      this.#release()
      return this.#carrier.onExchangeBroken()
    }
    if (!isLast) return this.grant()
    this.#isResponseDone = true
    this.#responseEnd = clock.seconds
    this.#onOwnerDone()
    this.#endIfDone()
    // An owner that has answered may still read the body; one that does not has said so with DISCARD.
    if (this.state === 'open' && (this.#bodyCredit > 0 || this.#isDiscarding)) this.#carrier.resumeReading()
  }

  /** The client is gone while the owner still answers. */
  #drop(isLast: boolean): void {
    if (isLast) this.#onOwnerDone()
  }

  #onOwnerDone(): void {
    this.#isOwnerDone = true
    this.#releaseIfDone()
  }

  /** Frees the exchange's id once neither side has anything to send. */
  #releaseIfDone(): void {
    if (this.#isOwnerDone && (this.body.isComplete || this.state === 'broken')) this.#release()
  }

  #release(): void {
    this.#owner?.exchanges.delete(this.#id)
    this.#owner = null
  }

  /** Ends the exchange when the response is done, and the body as well or its rest is not waited for. */
  #endIfDone(): void {
    if (this.state !== 'open' || !this.#isResponseDone) return
    const isPersistent = this.#response.isPersistent
    if (!this.body.isComplete) {
      if (isPersistent) return
      this.onClientGone(DISCONNECT_RESET)
    }
    this.state = 'idle'
    this.#carrier.onExchangeEnd(isPersistent)
  }

  /** Keeps an owner to the window that it was granted. */
  #account(bytes: number): void {
    this.#responseWindow -= bytes
    this.#consumed += bytes
    if (this.#responseWindow < 0) throw broken('more of a response body than was granted')
  }
}
