import { constants } from 'node:http2'
import type { ServerHttp2Stream } from 'node:http2'
import type { Member } from '../../../base/member-list.ts'
import type { TlsInfo } from '../../../base/tls-info.ts'
import { DISCONNECT_END, DISCONNECT_RESET } from '../../protocol/frames.ts'
import type { CacheRequest } from '../cache/cache-request.ts'
import { clock } from '../coarse-clock.ts'
import type { ClientHost } from '../exchange/client-host.ts'
import { ConnectionIds } from '../exchange/connection-ids.ts'
import type { ExchangeCarrier } from '../exchange/exchange-carrier.ts'
import { limitHeads } from '../exchange/head-limits.ts'
import { cachedAnswer } from '../exchange/owner-search.ts'
import {
  APP_OFFLINE,
  QUEUE_FULL,
  REJECT_BODY_TOO_LONG,
  REJECT_LINE,
  REJECT_TRAILER,
  rejectOf,
} from '../exchange/reject.ts'
import type { Reject } from '../exchange/reject.ts'
import type { Reason } from '../exchange/reasons.ts'
import { isHeadRequest, isIdempotent } from '../exchange/request-method.ts'
import { RetainedRequest } from '../exchange/retained-request.ts'
import { SendRate } from '../exchange/send-rate.ts'
import { isBodyLate } from '../exchange/timers.ts'
import { MAX_TRAILER_BYTES, hasForbiddenTrailer } from '../exchange/trailers.ts'
import { HeadParser } from '../http1/head-parser.ts'
import type { AnnouncedConnection, OwnerPeer } from '../owner-peer.ts'
import type { PendingBytes } from '../pending-bytes.ts'
import type { HeldRequest } from '../request-queue-entry.ts'
import { Http2Exchange } from './http2-exchange.ts'
import { RequestHead, headBytes } from './request-head.ts'
import type { StreamSearch } from './stream-search.ts'
import { StreamWriter } from './stream-writer.ts'

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants

/** What a stream needs of its connection. */
export interface StreamHome {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly tls: TlsInfo | undefined
  readonly host: ClientHost
  /** A head or a piece of a body has come. */
  onPayload(bytes: number): void
  /** The client has given a stream up. */
  onReset(): void
  /** The stream has closed; a clean carrier can carry another one. */
  onStreamClosed(carrier: StreamCarrier, isClean: boolean): void
  /** An owner wants the connection closed if nothing is under way. */
  closeIfIdle(): void
}

const NO_BYTES = Buffer.alloc(0)

/** A request is read while nothing else is, so one of each serves all streams. */
const parser = new HeadParser()
const head = new RequestHead()

/**
 * Carries the exchanges of HTTP/2 streams, one stream after the other. To owners each carrier is a connection with one exchange at a
 * time, as connections of HTTP/1.1 are: streams that are open at once have different ones.
 *
 * idle ──stream──▶ held ◀──▶ exchange ──response and entity body complete──▶ ended ──stream closed──▶ idle
 *                               ├──101 with the opaque flag──▶ opaque
 *                               └──reset by either side──▶ broken ──stream closed──▶ (given up)
 */
export class StreamCarrier implements ExchangeCarrier, AnnouncedConnection, HeldRequest, Member {
  place = -1
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly tls: TlsInfo | undefined
  #state: 'idle' | 'held' | 'exchange' | 'opaque' | 'ended' | 'broken' = 'idle'
  #stream: ServerHttp2Stream | null = null
  /** The request as text. */
  #text = ''
  /** What an owner that has died had got of the body; the next one gets it first. */
  #repeated: PendingBytes | null = null
  #hasBody = false
  /** The client has ended its side. */
  #hasEnded = false
  #trailers = ''
  #isPaused = false
  #wasTakenBack = false
  #lastOwner: OwnerPeer | null = null
  #lastActivity = 0
  readonly #retained = new RetainedRequest()
  readonly #sendRate = new SendRate()
  readonly #writer = new StreamWriter()
  readonly #exchange = new Http2Exchange(this.#writer, this)
  readonly #ids = new ConnectionIds(this)
  readonly #search: StreamSearch
  readonly #home: StreamHome

  constructor(home: StreamHome, search: StreamSearch) {
    this.#home = home
    this.#search = search
    this.remoteAddress = home.remoteAddress
    this.remotePort = home.remotePort
    this.localAddress = home.localAddress
    this.localPort = home.localPort
    this.tls = home.tls
  }

  /** Bytes of the body that have come and wait to be read. */
  get bufferedBytes(): number {
    return this.#stream?.readableLength ?? 0
  }

  /** What the prefix of the last request says of idle connections. */
  get idleTimeout(): number | undefined {
    return this.#search.settings.idleConnectionTimeout
  }

  /** The owner that had the last request. */
  get lastOwner(): OwnerPeer | null {
    return this.#lastOwner
  }

  /**
   * Takes a new stream.
   *
   * @param raw - names and values of the request's fields in turn
   * @param endsHere - the request has no body
   */
  carry(stream: ServerHttp2Stream, raw: readonly string[], endsHere: boolean): void {
    this.#stream = stream
    this.#lastActivity = clock.seconds
    this.#hasBody = !endsHere
    this.#hasEnded = endsHere
    this.#trailers = ''
    this.#isPaused = false
    this.#wasTakenBack = false
    this.#writer.begin(stream)
    stream.on('error', ignore)
    stream.on('aborted', this.#onAborted)
    stream.on('close', this.#onClose)
    stream.on('drain', this.#onDrain)
    if (endsHere) stream.resume()
    else {
      stream.on('data', this.#onData)
      stream.on('trailers', this.#onTrailers)
      stream.on('end', this.#onEnd)
    }
    this.#state = 'exchange'
    const verdict = head.write(raw, endsHere)
    this.#text = head.text
    this.#home.onPayload(head.text.length)
    if (verdict < 0) this.#refuse(verdict)
    else this.#begin(true)
  }

  // Events of the stream

  readonly #onData = (bytes: Buffer): void => {
    this.#lastActivity = clock.seconds
    this.#home.onPayload(bytes.length)
    if (this.#state === 'opaque') return this.#exchange.takeOpaque(bytes, 0, bytes.length)
    if (this.#state !== 'exchange') return
    this.#retained.append(bytes, 0, bytes.length)
    if (!this.#exchange.takeBody(bytes, bytes.length)) this.#refuse(REJECT_BODY_TOO_LONG)
  }

  readonly #onTrailers = (_headers: unknown, _flags: number, raw: readonly string[]): void => {
    for (let index = 0; index < raw.length; index += 2) this.#trailers += `${raw[index]!}: ${raw[index + 1]!}\r\n`
  }

  readonly #onEnd = (): void => {
    this.#hasEnded = true
    if (this.#state === 'opaque') this.#exchange.onClientGone(DISCONNECT_END)
    else if (this.#state === 'exchange') this.#endBody()
  }

  readonly #onDrain = (): void => this.#exchange.grant()

  /** The client has reset the stream, or its connection is gone. */
  readonly #onAborted = (): void => {
    if (this.#state === 'ended' || this.#state === 'broken') return
    if (this.#state !== 'opaque') this.#home.onReset()
    this.#search.release(this, this.#state === 'held')
    this.#state = 'broken'
    this.#exchange.onClientGone(DISCONNECT_RESET)
  }

  readonly #onClose = (): void => {
    const stream = this.#stream!
    const isClean = this.#state === 'ended'
    if (!isClean) this.#onAborted()
    else if (stream.rstCode !== NGHTTP2_NO_ERROR) this.#home.onReset()
    this.#home.onPayload(stream.readableLength)
    this.#stream = null
    this.#text = ''
    this.#repeated = null
    this.#retained.clear()
    if (isClean) this.#state = 'idle'
    this.#home.onStreamClosed(this, isClean)
  }

  // Requests of the connection

  /** Ends the stream when it has waited too long; called every second. */
  checkTimeouts(): void {
    if (this.#state === 'held' && this.#search.isOverdue(this)) return this.onOwnerReady()
    const { settings } = this.#search
    let reason: Reason | null = null
    if (this.#sendRate.isBelow(settings.minSendRate, this.#writer)) reason = 'Timer_MinBytesPerSecond'
    else if (this.#state === 'exchange' && isBodyLate(this.#exchange, settings, this.#lastActivity, this.#isPaused)) {
      reason = 'Timer_EntityBody'
    }
    if (reason === null) return
    this.count(reason)
    this.#reset(NGHTTP2_CANCEL)
  }

  /** Nothing waits for an owner any more. */
  turnAway(reject: Reject): void {
    if (this.#state !== 'held') return
    this.#search.turnAway(this, reject)
    this.onOwnerReady()
  }

  /** The connection has ended. */
  close(): void {
    this.#search.close(this, false)
    this.#ids.close()
  }

  onOwnerReady(): void {
    this.#state = 'exchange'
    this.resumeReading()
    this.#begin(false)
  }

  onQueueGone(): void {
    this.turnAway(APP_OFFLINE)
  }

  onPeerForgotten(peer: OwnerPeer): void {
    this.#ids.forget(peer)
    if (this.#lastOwner === peer) this.#lastOwner = null
  }

  closeIfIdle(peer: OwnerPeer): void {
    if (peer === this.#lastOwner) this.#home.closeIfIdle()
  }

  // Requests of the exchange

  count(reason: Reason): void {
    this.#home.host.count(reason)
  }

  get isAtEnd(): boolean {
    return this.#state === 'opaque' && this.#hasEnded
  }

  takeBack(): boolean {
    const { entry } = this.#search
    if (this.#wasTakenBack || !this.#retained.isWhole || entry === null || entry.isGone) return false
    this.#wasTakenBack = true
    this.#repeated = this.#retained.detach()
    this.onOwnerReady()
    return true
  }

  rereadRequest(request: CacheRequest): boolean {
    return this.#read() > 0 && request.read(parser, headBytes)
  }

  onExchangeEnd(): void {
    if (this.#state !== 'exchange') return
    this.#state = 'ended'
    this.#retained.clear()
    // What the client still sends of its body nobody wants (RFC 9113 section 8.1).
    if (!this.#hasEnded) this.#stream?.close(NGHTTP2_NO_ERROR)
  }

  onOpaque(): void {
    this.#state = 'opaque'
    this.#retained.clear()
    this.resumeReading()
    if (this.#hasEnded) this.#exchange.onClientGone(DISCONNECT_END)
  }

  onExchangeBroken(): void {
    this.#reset(NGHTTP2_INTERNAL_ERROR)
  }

  closeGently(): void {
    if (this.#stream?.closed === false) this.#stream.end()
  }

  pauseReading(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#stream?.pause()
  }

  resumeReading(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#lastActivity = clock.seconds
    this.#stream?.resume()
  }

  /**
   * Reads the request and finds its owner.
   *
   * @param isNew - it has just been written, and nothing has read it
   */
  #begin(isNew: boolean): void {
    this.#home.host.refresh()
    const end = this.#read()
    if (end <= 0) return this.#refuse(end === 0 ? REJECT_LINE : end)
    if (isNew && !head.isReadBy(parser, end)) return this.#refuse(REJECT_LINE)
    const claim = this.#search.find(parser, headBytes, this)
    if (claim === 'hold') {
      this.#state = 'held'
      return this.pauseReading()
    }
    const { isUpgrade, expect } = parser
    const hasBody = parser.isChunked || parser.contentLength > 0
    const { maxBodySize } = this.#search.settings
    this.#exchange.begin(isUpgrade, expect === 1, isHeadRequest(parser, headBytes), hasBody, maxBodySize)
    if (claim === 'cached') return this.#exchange.answerFromCache(cachedAnswer)
    if ('status' in claim) return this.#answer(claim)
    claim.entry.requests++
    this.#search.startTap(this.#exchange.tap, claim)
    this.#lastOwner = claim.peer
    const connectionId = this.#ids.announce(claim.peer)
    if (connectionId === -1 || !this.#exchange.handOver(claim, connectionId, parser, headBytes, end)) {
      return this.#answer(QUEUE_FULL)
    }
    if (isIdempotent(parser, headBytes)) this.#retained.begin(NO_BYTES, 0, 0)
    // Until the owner has agreed, what comes is neither a body nor the other protocol's.
    if (isUpgrade) this.pauseReading()
    else this.#repeatBody()
  }

  #repeatBody(): void {
    const body = this.#repeated
    this.#repeated = null
    if (body !== null && body.length > 0) {
      this.#retained.append(body.bytes, 0, body.length)
      this.#exchange.takeBody(body.bytes, body.length)
    }
    if (this.#hasEnded) this.#endBody()
  }

  /** Parses the request; returns the end of its head, or what the parser says of it. */
  #read(): number {
    limitHeads(parser, this.#home.host.limits)
    return parser.parse(headBytes, 0, headBytes.write(this.#text, 'latin1'))
  }

  #endBody(): void {
    const trailers = this.#trailers
    if (trailers.length > MAX_TRAILER_BYTES || hasForbiddenTrailer(trailers)) this.#refuse(REJECT_TRAILER)
    else this.#exchange.endBody(trailers)
  }

  /** Answers the request that has just begun without an owner. */
  #answer(reject: Reject): void {
    const verbosity = reject.status === 503 ? this.#search.settings.verbosity503 : 'full'
    if (verbosity === 'basic') {
      this.count(reject.reason)
      this.#reset(NGHTTP2_REFUSED_STREAM)
    } else this.#exchange.answer(reject, verbosity !== 'limited')
  }

  /** Refuses what the client sends: its request, or the body of one that an owner has. */
  #refuse(code: number): void {
    const reject = rejectOf(code)
    if (this.#exchange.state === 'idle') {
      this.#exchange.begin(false, false, false, this.#hasBody, 0)
      return this.#exchange.answer(reject)
    }
    if (!this.#exchange.canRefuse) return this.#reset(NGHTTP2_CANCEL)
    this.#state = 'broken'
    this.#exchange.refuse(reject)
    this.#stream?.close(NGHTTP2_NO_ERROR)
  }

  /** Ends the stream for both sides at once. */
  #reset(code: number): void {
    if (this.#state === 'broken') return
    this.#search.release(this, this.#state === 'held')
    this.#state = 'broken'
    this.#exchange.onClientGone(DISCONNECT_RESET)
    this.#stream?.close(code)
  }
}

/** What went wrong with a stream is of no use to anyone: `close` follows. */
function ignore(): void {}
