import { latin1 } from '../../../base/latin1.ts'
import { broken } from '../../protocol/broken.ts'
import {
  DISCONNECT_RESET,
  FLAG_END,
  RESPONSE_FLAG_CLOSE,
  RESPONSE_FLAG_NO_DATE,
  RESPONSE_FLAG_OPAQUE,
  RESPONSE_FLAG_OWN_CONNECTION,
  RESPONSE_FLAG_RAW,
} from '../../protocol/frames.ts'
import { CREDIT_STEP_BYTES, WINDOW_BYTES } from '../../protocol/limits.ts'
import type { CachedAnswer } from '../cache/cached-answer.ts'
import { CacheTap } from '../cache/cache-tap.ts'
import { clock, dateLine } from '../coarse-clock.ts'
import type { ExchangeCarrier } from './exchange-carrier.ts'
import type { ExchangeSink } from './exchange-sink.ts'
import { ABANDONED } from './reject.ts'
import type { Reject } from './reject.ts'
import { RequestLeg } from './request-leg.ts'
import { areSafeFields, isSafeReason } from './response-fields.ts'
import type { ResponseWriter } from './response-writer.ts'
import { CLOSE_SERVICE_RESTART, WebSocketFrames } from './websocket-frames.ts'
import { ADDED_BYTES, FLOWING_BYTES, WIDE_STEP_BYTES, wideWindows } from './wide-windows.ts'

/** Clients are to come back soon: owners restart within seconds. */
const RETRY_AFTER = 'Retry-After: 1\r\n'

/**
 * One request and its response, between a client and an owner, whatever protocol the client speaks. A connection that has one
 * exchange at a time serves them all with one object.
 *
 * idle ──begin──▶ open ──response and body complete──▶ idle
 *                  ├──101 with the opaque flag──▶ opaque
 *                  └──client gone, or response broken──▶ broken (the rest of what the owner sends is dropped)
 */
export abstract class ClientExchange extends RequestLeg implements ExchangeSink {
  protected readonly response: ResponseWriter
  /** Where responses pass by the cache. */
  readonly tap: CacheTap
  #isResponseDone = true
  /** Seconds. */
  #responseEnd = 0
  #isUpgrade = false
  /** Of the owner's side; null unless the connection has become a WebSocket. */
  #webSocket: WebSocketFrames | null = null
  /** Bytes of the response that the owner may still send, and those that the client took since it was last told. */
  #responseWindow = 0
  #consumed = 0
  #isWide = false
  /** Bytes that the client took within a second, and which one. */
  #flowed = 0
  #flowingSecond = 0

  constructor(response: ResponseWriter, carrier: ExchangeCarrier) {
    super(carrier)
    this.response = response
    this.tap = new CacheTap(carrier)
  }

  /** No other owner answers on this connection. */
  protected isOwnersConnection = false
  /** The responses to earlier requests of the connection are complete. */
  protected isItsTurn = true

  /** Whether the rest of the entity body is still read when the response is done. */
  protected abstract get isRestAwaited(): boolean

  /** Since when only the rest of an entity body is read that nobody wants, seconds; -1 when it is not so. */
  get drainingSince(): number {
    return this.state === 'open' && this.#isResponseDone && this.isDiscarding ? this.#responseEnd : -1
  }

  // The client's side

  /**
   * Begins with a request, whose body is known by now.
   *
   * @param maxBodySize - bytes of the entity body, 0 for no limit
   */
  protected open(isUpgrade: boolean, expectsContinue: boolean, maxBodySize: number): void {
    this.openRequest(expectsContinue, maxBodySize)
    this.#isUpgrade = isUpgrade
    this.#isResponseDone = false
    this.#responseWindow = WINDOW_BYTES
    this.#consumed = 0
  }

  /** Answers without an owner, with the reason or without; the connection goes on, once the entity body has been read and dropped. */
  answer({ status, reason, detail }: Reject, isExplained = true): void {
    this.carrier.count(reason)
    this.tap.fail()
    if (this.isAwaitingContinue || this.carrier.isAtEnd) this.response.isPersistent = false
    const fields = status === 503 ? RETRY_AFTER : ''
    this.response.answer(status, fields, isExplained ? `${reason}: ${detail}\n` : '')
    this.#isResponseDone = true
    this.#responseEnd = clock.seconds
    this.isDiscarding = true
    this.owner = null
    this.endIfDone()
  }

  /** Answers out of the cache. */
  answerFromCache(answer: CachedAnswer): void {
    const { response } = this
    if (this.carrier.isAtEnd) this.endAfterResponse()
    if (response.cached !== undefined) response.cached(answer)
    else {
      const { status, reason, age, contentLength, start, end } = answer
      const fields = `${answer.fields}Age: ${age}\r\n`
      const { body } = answer.response
      response.head(status, reason, fields, contentLength, RESPONSE_FLAG_NO_DATE, body, start, end, true)
    }
    this.#isResponseDone = true
    this.endIfDone()
  }

  /** The connection is to end after this response. */
  endAfterResponse(): void {
    this.response.isPersistent = false
  }

  /** Returns credit for what the client has taken. */
  grant(): void {
    if (this.#consumed < (this.#isWide ? WIDE_STEP_BYTES : CREDIT_STEP_BYTES)) return
    if (this.response.isFull || this.owner === null || this.isOwnerDone) return
    const credit = this.#consumed + this.#widen(this.#consumed)
    this.owner.grant(this.id, credit)
    this.#responseWindow += credit
    this.#consumed = 0
  }

  /** What a response gets besides, once, when its client takes it fast. What has left HTTP stays for long, and gets nothing. */
  #widen(taken: number): number {
    if (this.#isWide || this.state !== 'open') return 0
    if (this.#flowingSecond !== clock.seconds) {
      this.#flowingSecond = clock.seconds
      this.#flowed = 0
    }
    this.#flowed += taken
    if (this.#flowed < FLOWING_BYTES || !wideWindows.take()) return 0
    this.#isWide = true
    return ADDED_BYTES
  }

  #narrow(): void {
    if (!this.#isWide) return
    this.#isWide = false
    wideWindows.giveBack()
  }

  protected override release(): void {
    this.#narrow()
    super.release()
  }

  // The owner's side

  onInformational(status: number, bytes: Buffer, fieldsStart: number, fieldsEnd: number): void {
    if (status < 100 || status > 199 || status === 101) throw broken(`status ${status} is not informational`)
    if (!this.isItsTurn) throw outOfTurn()
    if (!areSafeFields(bytes, fieldsStart, fieldsEnd)) throw broken('an informational response has unsafe fields')
    if (status === 100) this.isAwaitingContinue = false
    // A client that does not read gets no more of what no window bounds.
    if (this.state !== 'open' || this.response.hasHead || this.response.isFull) return
    this.response.informational(status, latin1(bytes, fieldsStart, fieldsEnd))
  }

  onCachePolicy(secondsToLive: number): void {
    this.tap.allow(secondsToLive)
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
    const saysConnection = (flags & RESPONSE_FLAG_OWN_CONNECTION) !== 0
    if (saysConnection && !this.isOwnersConnection) throw broken('a Connection field on a port that others share')
    if (!areSafeFields(bytes, fieldsStart, bodyStart, saysConnection)) throw broken('a response has unsafe fields')
    if (!isSafeReason(bytes, reasonStart, fieldsStart)) throw broken('a response has an unsafe reason phrase')
    const isLast = (flags & FLAG_END) !== 0
    if (this.state === 'broken') return this.#drop(isLast)
    if (!this.isItsTurn) throw outOfTurn()
    if (this.isOwnerDone || this.response.hasHead) throw broken('a second RESPONSE for one exchange')
    if ((flags & RESPONSE_FLAG_RAW) !== 0) return this.goRaw(bytes, bodyStart, end, isLast)
    const reason = reasonStart === fieldsStart ? '' : latin1(bytes, reasonStart, fieldsStart)
    let fields = latin1(bytes, fieldsStart, bodyStart)
    if ((flags & RESPONSE_FLAG_OPAQUE) !== 0) {
      this.#goOpaque(status, reason, fields)
      return this.onOpaqueBytes(bytes, bodyStart, end, isLast)
    }
    this.#account(end - bodyStart)
    if (status < 200) throw broken(`status ${status} does not end an exchange`)
    // A body that the client holds back because nobody asked for it may never come, or come late.
    if ((flags & RESPONSE_FLAG_CLOSE) !== 0 || this.carrier.isAtEnd || this.isAwaitingContinue) this.endAfterResponse()
    let headFlags = flags
    if (!this.tap.isIdle) {
      // What is stored says the same moment as what this client gets.
      if ((flags & RESPONSE_FLAG_NO_DATE) === 0) fields += dateLine()
      headFlags |= RESPONSE_FLAG_NO_DATE
      this.#grantMore(this.tap.onHead(status, reason, fields, contentLength, bytes, bodyStart, end, isLast))
    }
    const fits = this.response.head(status, reason, fields, contentLength, headFlags, bytes, bodyStart, end, isLast)
    this.#afterPiece(fits, isLast)
  }

  onResponseBody(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    if (this.state === 'opaque') return this.onOpaqueBytes(bytes, start, end, isLast)
    if (this.state === 'broken') return this.#drop(isLast)
    this.#account(end - start)
    if (this.isOwnerDone || !this.response.hasHead) throw broken('a BODY frame outside the response')
    if (!this.tap.isIdle) this.tap.onBody(bytes, start, end, isLast)
    const fits = this.response.body(bytes, start, end) && (!isLast || this.response.end(''))
    this.#afterPiece(fits, isLast)
  }

  onResponseBlock(bytes: Buffer, start: number, end: number, isLast: boolean, giveBack: () => void): void {
    const { response } = this
    const canLend = this.state === 'open' && !this.isOwnerDone && response.hasHead && response.lend !== undefined
    if (!canLend) {
      this.onResponseBody(bytes, start, end, isLast)
      return giveBack()
    }
    this.#account(end - start)
    if (!this.tap.isIdle) this.tap.onBody(bytes, start, end, isLast)
    const fits = response.lend!(bytes, start, end, giveBack) && (!isLast || response.end(''))
    this.#afterPiece(fits, isLast)
  }

  onResponseTrailers(bytes: Buffer, start: number, end: number): void {
    if (!areSafeFields(bytes, start, end)) throw broken('trailers have unsafe fields')
    if (this.state === 'broken') return this.#drop(true)
    // What has trailers is not kept.
    this.tap.fail()
    if (this.state !== 'open' || this.isOwnerDone || !this.response.hasHead) {
      throw broken('a TRAILERS frame outside the response')
    }
    this.#afterPiece(this.response.end(latin1(bytes, start, end)), true)
  }

  override onClientGone(kind: number): void {
    if (kind === DISCONNECT_RESET) this.tap.fail()
    super.onClientGone(kind)
  }

  onCancel(isReset: boolean): void {
    this.tap.fail()
    const wasLive = this.state === 'open' || this.state === 'opaque'
    const hasEnded = this.isOwnerDone
    this.state = 'broken'
    this.onOwnerDone()
    if (!wasLive) return
    if (isReset) this.carrier.onExchangeBroken(true)
    // All of it still reaches the client, whose own end is not waited for.
    else if (hasEnded) this.carrier.closeGently()
    else this.breakOff()
  }

  onOwnerGone(): void {
    this.tap.fail()
    this.#narrow()
    this.owner = null
    this.isOwnerDone = true
    if (this.state === 'broken' || this.state === 'idle') return
    if (!this.isItsTurn) this.state = 'broken'
    else if (this.#isResponseDone) {
      // Only the rest of the entity body was still on its way to the owner.
      this.isDiscarding = true
    } else if (this.state === 'opaque' || this.response.hasHead) {
      this.state = 'broken'
      this.carrier.count(ABANDONED.reason)
      if (this.#webSocket?.isAtBoundary !== true || this.#webSocket.isClosed) return this.carrier.onExchangeBroken()
      this.response.raw(CLOSE_SERVICE_RESTART, 0, CLOSE_SERVICE_RESTART.length)
      return this.carrier.closeGently()
    } else if (this.carrier.takeBack()) return
    else this.answer(ABANDONED)
    this.carrier.resumeReading()
  }

  /** The owner gives the exchange up. */
  protected breakOff(): void {
    this.carrier.onExchangeBroken()
  }

  /** The owner wants to write the head itself: on its own port there is nobody whom that could deceive. */
  protected goRaw(_bytes: Buffer, _start: number, _end: number, _isLast: boolean): void {
    throw broken('a raw response on a port that is not private')
  }

  #goOpaque(status: number, reason: string, fields: string): void {
    if (status !== 101 || !this.#isUpgrade) throw broken('an opaque response needs status 101 and an upgrade request')
    this.response.switchProtocols(reason, fields)
    if (/^upgrade: *websocket *\r$/im.test(fields)) this.#webSocket = new WebSocketFrames()
    this.becomeOpaque()
  }

  protected becomeOpaque(): void {
    this.state = 'opaque'
    this.bodyCredit = WINDOW_BYTES
    this.carrier.onOpaque()
  }

  protected onOpaqueBytes(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    if (this.isOwnerDone) throw broken('bytes after the end of an opaque connection')
    this.#account(end - start)
    this.#webSocket?.push(bytes, start, end)
    if (end > start) this.response.raw(bytes, start, end)
    if (!isLast) return this.grant()
    this.response.endRaw()
    this.isOwnerDone = true
    // The client may go on sending until it ends its own side.
    if (this.carrier.isAtEnd) this.release()
  }

  #afterPiece(fits: boolean, isLast: boolean): void {
    if (!fits) {
      this.tap.fail()
      this.carrier.count(ABANDONED.reason)
      // The announced length can't be kept any more; a broken connection is the only way to tell the client.
      this.state = 'broken'
      this.owner?.disconnectExchange(this.id, DISCONNECT_RESET)
      this.isOwnerDone = true
      this.release()
      return this.carrier.onExchangeBroken()
    }
    if (!isLast) return this.grant()
    this.#isResponseDone = true
    this.#responseEnd = clock.seconds
    this.onOwnerDone()
    this.endIfDone()
    // An owner that has answered may still read the body; one that does not has said so with DISCARD.
    if (this.state === 'open' && (this.bodyCredit > 0 || this.isDiscarding)) this.carrier.resumeReading()
  }

  /** The client is gone while the owner still answers. */
  #drop(isLast: boolean): void {
    if (isLast) this.onOwnerDone()
  }

  /** Ends the exchange when the response is done, and the body as well or its rest is not waited for. */
  protected endIfDone(): void {
    if (this.state !== 'open' || !this.#isResponseDone) return
    const { isPersistent } = this.response
    if (!this.isBodyComplete) {
      if (this.isRestAwaited) return
      this.onClientGone(DISCONNECT_RESET)
    }
    this.state = 'idle'
    this.carrier.onExchangeEnd(isPersistent)
  }

  /** Lets the owner send so much more at once. */
  #grantMore(bytes: number): void {
    if (bytes === 0) return
    this.#responseWindow += bytes
    this.owner?.writer.credit(this.id, bytes)
  }

  /** Keeps an owner to the window that it was granted. */
  #account(bytes: number): void {
    this.#responseWindow -= bytes
    this.#consumed += bytes
    if (this.#responseWindow < 0) throw broken('more of a response body than was granted')
  }
}

function outOfTurn(): Error {
  return broken('a response before that to an earlier request of the connection is complete')
}
