import type { TlsInfo } from '../../../base/tls-info.ts'
import { libc } from '../../../sockets/libc.ts'
import { resetOnClose } from '../../../sockets/reset-on-close.ts'
import { unsentBytes } from '../../../sockets/unsent-bytes.ts'
import type { EngineConnection, EngineConnectionHandler } from '../../engine/engine.ts'
import { DISCONNECT_END, DISCONNECT_RESET } from '../../protocol/frames.ts'
import type { CacheRequest } from '../cache/cache-request.ts'
import { clock } from '../coarse-clock.ts'
import type { ClientConnection, ClientHost } from '../exchange/client-host.ts'
import type { ExchangeCarrier } from '../exchange/exchange-carrier.ts'
import { ConnectionIds } from '../exchange/connection-ids.ts'
import { limitHeads } from '../exchange/head-limits.ts'
import { OwnerSearch, cachedAnswer } from '../exchange/owner-search.ts'
import {
  APP_OFFLINE,
  APP_SHUTDOWN,
  QUEUE_FULL,
  REJECT_EOF,
  REJECT_TIMEOUT,
  parserCodeOf,
  rejectOf,
} from '../exchange/reject.ts'
import type { Reject } from '../exchange/reject.ts'
import { isHeadRequest, isIdempotent } from '../exchange/request-method.ts'
import { RetainedRequest } from '../exchange/retained-request.ts'
import { SendRate } from '../exchange/send-rate.ts'
import { hasPassed, isBodyLate } from '../exchange/timers.ts'
import type { AnnouncedConnection, OwnerPeer } from '../owner-peer.ts'
import { PendingBytes } from '../pending-bytes.ts'
import type { HeldRequest, RequestQueueEntry } from '../request-queue-entry.ts'
import type { PortRoutes } from '../router.ts'
import { HeadParser } from './head-parser.ts'
import { Http1Exchange } from './http1-exchange.ts'
import { announceAccepted, isTooSlow } from './private-port.ts'
import type { PrivateMember, PrivatePort } from './private-port.ts'
import { Pipeline } from './pipeline.ts'
import type { Reason } from '../exchange/reasons.ts'

/** What HTTP/1.1 connections need of the broker besides. */
export interface Http1Host extends ClientHost {
  /** What a port's only claim wants of its connections; undefined for ports that claims share. */
  privatePort(port: number, localAddress: string): PrivatePort | undefined
}

/** Bytes of later requests that wait on a connection before it is no longer read. */
const MAX_PENDING_BYTES = 64 * 1024
/** A head that has come this far is parsed whatever came last: it is too long. */
const LONG_HEAD_BYTES = 16 * 1024
/** A connection of a broker that leaves is closed when it has not been used for so long; its client may be about to use it. */
const LEAVING_IDLE_MS = 2000
/** How long a connection is still read after its last response, so that a reset does not overtake the answer. */
const LINGER_MS = 2000

const NO_BYTES = Buffer.alloc(0)

/** Parsing is synchronous, so one parser serves all connections. */
const parser = new HeadParser()

/**
 * The server's side of one HTTP/1.1 connection: takes requests off the wire, one at a time, and finds the owner of each.
 * Requests that a client pipelines wait here until the response before them is complete; on a private port, at their owner.
 *
 * head ──request──▶ exchange ──response and entity body complete──▶ head
 *  │▲                │ └──101 with the opaque flag──▶ opaque
 *  ▼└─owner ready──held ◀┘ owner gone before it answered
 * (no owner can take it, or another request brings the answer)
 * head ──the client takes nothing more──▶ full ──it does again──▶ head
 * any ──last response, refusal──▶ closing ──▶ closed
 */
export class Http1Connection
  implements EngineConnectionHandler, ClientConnection, ExchangeCarrier, AnnouncedConnection, HeldRequest
{
  place = -1
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly tls: TlsInfo | undefined
  #state: 'head' | 'full' | 'held' | 'exchange' | 'opaque' | 'closing' | 'closed' = 'head'
  /** What has arrived and can't be used yet: an incomplete head, or requests behind the one under way. */
  #pending: PendingBytes | null = null
  #hasEnded = false
  #isPaused = false
  /** Bytes are being used further up the stack: it goes on there with the next request. */
  #isTaking = false
  #lastActivity = clock.seconds
  readonly #openedAt = clock.seconds
  /** When the first byte of the head under way came; seconds. */
  #headStart = clock.seconds
  #hasServed = false
  readonly #sendRate = new SendRate()
  #lastOwner: OwnerPeer | null = null
  readonly #search: OwnerSearch
  /** What was handed over of the request under way, while another owner could still take it. */
  readonly #retained = new RetainedRequest()
  #wasTakenBack = false
  #isLeaving = false
  /** To be shut down as soon as what has come is taken. */
  #isShutDown = false
  readonly #connection: EngineConnection
  readonly #host: Http1Host
  /** The request whose turn it is to be answered. */
  #exchange: Http1Exchange
  /** What came behind it on a private port; made when something does. */
  #pipeline: Pipeline | null = null
  readonly #ids = new ConnectionIds(this)
  /** The private port that it came to, and its place there. */
  #port: PrivatePort | undefined
  #membership: PrivateMember | undefined

  constructor(connection: EngineConnection, routes: PortRoutes<RequestQueueEntry>, host: Http1Host) {
    this.#connection = connection
    this.#host = host
    this.remoteAddress = connection.remoteAddress
    this.remotePort = connection.remotePort
    this.localAddress = connection.localAddress
    this.localPort = connection.localPort
    this.tls = connection.tls
    this.#search = new OwnerSearch(routes, connection.localAddress, host.misdirection(this), connection.tls)
    this.#exchange = this.#newExchange()
  }

  /** Begins: on a private port the owner hears of it. */
  start(): void {
    const port = this.#findPort()
    if (port !== undefined) announceAccepted(port, this.#ids.announce(port.claim.peer))
  }

  // Events of the engine

  onData(bytes: Buffer, start: number, end: number): void {
    this.#lastActivity = clock.seconds
    if (this.#state === 'head' && this.#pending === null) this.#headStart = clock.seconds
    const pending = this.#pending
    if (pending === null) return this.#take(bytes, start, end)
    pending.append(bytes, start, end)
    const isNext = this.#state === 'head' || (this.#state === 'exchange' && this.#pipeline?.isBlocked === false)
    // Only a line feed can complete a head; without one there is nothing new to parse but its length.
    if (isNext && (bytes.subarray(start, end).includes(10) || pending.length > LONG_HEAD_BYTES)) this.#takePending()
    if (this.#state !== 'head' && (this.#pending?.length ?? 0) > MAX_PENDING_BYTES) this.pauseReading()
  }

  onEnd(): void {
    this.#hasEnded = true
    if (this.#state === 'head') return this.#onEndBetweenRequests()
    // It may want the answer all the same.
    if (this.#state === 'held' || this.#state === 'full') return
    if (this.#state === 'closing') return this.#connection.end()
    this.#exchange.onClientGone(DISCONNECT_END)
    this.#pipeline?.onClientGone(DISCONNECT_END)
  }

  onDrain(): void {
    if (this.#state !== 'full') return this.#exchange.grant()
    this.#headStart = clock.seconds
    this.onOwnerReady()
  }

  onClose(): void {
    this.#search.close(this, this.#state === 'held')
    this.#state = 'closed'
    this.#exchange.onClientGone(DISCONNECT_RESET)
    this.#pipeline?.onClientGone(DISCONNECT_RESET)
    this.#ids.close()
    this.#leavePort()
    this.#host.onConnectionClosed(this)
  }

  // Requests of the broker

  /** Ends the connection when it has waited too long; called every second. */
  checkTimeouts(): void {
    const port = this.#state === 'head' ? this.#findPort() : this.#port
    if (port !== undefined && this.#isTooSlowFor(port)) return this.#refuse(REJECT_TIMEOUT, NO_BYTES, 0, 0)
    if (this.#state === 'held' && this.#search.isOverdue(this)) return this.onOwnerReady()
    const reason = this.#sendRate.isBelow(this.#search.settings.minSendRate, this.#connection)
      ? 'Timer_MinBytesPerSecond'
      : this.#timer()
    if (reason === null) return
    if (reason !== '') this.#host.count(reason)
    this.#connection.destroy()
  }

  /** Nobody is left behind the port: closes now when idle, else after the response under way. */
  shutdown(): void {
    // Said in the middle of a head: that request is under way.
    if (this.#isTaking) this.#isShutDown = true
    else if (this.#state === 'head' || this.#state === 'full') this.#close()
    else if (this.#state === 'exchange') this.#last.endAfterResponse()
    else if (this.#state === 'held') {
      this.#turnAway(APP_SHUTDOWN)
      this.shutdown()
    }
  }

  /** Another broker has the port: closes when the requests that are on their way have been answered, or when none comes soon. */
  leave(): void {
    this.#isLeaving = true
  }

  onOwnerReady(): void {
    this.#state = 'head'
    this.#takePending()
    this.resumeReading()
  }

  onQueueGone(): void {
    this.#turnAway(APP_OFFLINE)
  }

  onPeerForgotten(peer: OwnerPeer): void {
    this.#ids.forget(peer)
    if (this.#lastOwner === peer) this.#lastOwner = null
  }

  closeIfIdle(peer: OwnerPeer, isEnd: boolean): void {
    const isOnTheirPort = this.#port?.claim.peer === peer
    if (isOnTheirPort && isEnd) return this.shutdown()
    const isTheirs = peer === this.#lastOwner || isOnTheirPort
    if (!isTheirs || this.#state !== 'head' || this.#pending !== null) return
    // The owner learns that it is closed, whenever the client closes its side.
    if (isOnTheirPort) this.#ids.close()
    this.#close()
  }

  // Requests of the exchange

  count(reason: Reason): void {
    this.#host.count(reason)
  }

  get isOwners(): boolean {
    return this.#port !== undefined
  }

  get isAtEnd(): boolean {
    return this.#hasEnded && this.#pending === null && !this.#isTaking && this.#pipeline?.isEmpty !== false
  }

  takeBack(): boolean {
    const retained = this.#retained
    const { entry } = this.#search
    if (this.#wasTakenBack || !retained.isWhole || entry === null || entry.isGone) return false
    this.#wasTakenBack = true
    const bytes = retained.detach()
    if (this.#pending !== null) bytes.append(this.#pending.bytes, 0, this.#pending.length)
    this.#pending = bytes
    this.onOwnerReady()
    return true
  }

  rereadRequest(request: CacheRequest): boolean {
    const { bytes, isWhole } = this.#retained
    if (!isWhole || bytes === null) return false
    this.#setLimits(undefined)
    return parser.parse(bytes.bytes, 0, bytes.length) > 0 && request.read(parser, bytes.bytes)
  }

  onExchangeEnd(isPersistent: boolean): void {
    if (this.#state !== 'exchange') return
    this.#wasTakenBack = false
    this.#retained.clear()
    if (!isPersistent) return this.#close()
    this.#hasServed = true
    const next = this.#pipeline?.next()
    if (next !== undefined) return this.#goOnWith(next)
    this.#state = 'head'
    this.#headStart = clock.seconds
    // What had come already when the body's window was used up may have been all of it.
    if (this.#isTaking) return this.resumeReading()
    if (this.#pending !== null) this.#takePending()
    else if (this.#hasEnded) return this.#close()
    this.resumeReading()
  }

  /** Another request of the connection has been handed over already, and is to be answered now. */
  #goOnWith(next: Http1Exchange): void {
    this.#exchange = next
    // Its owner has gone meanwhile.
    if (next.state !== 'open') return this.#close()
    if (!this.#isTaking) this.#takePending()
    this.resumeReading()
  }

  onOpaque(): void {
    this.#state = 'opaque'
    this.#pipeline?.abandon()
    this.#retained.clear()
    this.#takePending()
    this.resumeReading()
    if (this.#hasEnded) this.#exchange.onClientGone(DISCONNECT_END)
  }

  onExchangeBroken(isReset = false): void {
    if (this.#state === 'closed') return
    this.#state = 'closing'
    const library = isReset && this.#canReset ? libc() : null
    if (library !== null) {
      resetOnClose(library, this.#connection.descriptor)
      return this.#connection.destroy()
    }
    // A client that has ended its side still gets what was sent before; any other sees the connection break.
    if (this.#hasEnded) this.#connection.end()
    else this.#connection.destroy()
  }

  /** A reset discards what the kernel has not got rid of: on a shared port that may be the response of another owner. */
  get #canReset(): boolean {
    if (this.isOwners) return true
    return !this.#connection.hasQueued && unsentBytes(this.#connection.descriptor) === 0
  }

  closeGently(): void {
    if (this.#state !== 'closed') this.#close()
  }

  pauseReading(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#connection.pause()
  }

  resumeReading(): void {
    if (!this.#isPaused || (this.#pending !== null && this.#pending.length > MAX_PENDING_BYTES)) return
    const last = this.#pipeline?.last
    if (last !== undefined && !last.body.isComplete && !last.takesBody) return
    this.#isPaused = false
    this.#lastActivity = clock.seconds
    this.#connection.resume()
  }

  // Bytes

  /** Uses `bytes[start, end)` as far as the state of the connection lets it, and keeps the rest. */
  #take(bytes: Buffer, start: number, end: number): void {
    let position = start
    this.#isTaking = true
    while (position < end) {
      const next = this.#takeOne(bytes, position, end)
      if (next === position) break
      position = next
    }
    this.#isTaking = false
    if (position < end) {
      this.#pending = new PendingBytes()
      this.#pending.append(bytes, position, end)
    }
    if (this.#hasEnded && this.#state === 'head') this.#close()
    if (!this.#isShutDown) return
    this.#isShutDown = false
    this.shutdown()
  }

  #takePending(): void {
    const pending = this.#pending
    if (pending === null) return
    this.#pending = null
    this.#take(pending.bytes, 0, pending.length)
  }

  /** Uses one head, or the body behind it; returns the new position, `start` when nothing can be used yet. */
  #takeOne(bytes: Buffer, start: number, end: number): number {
    switch (this.#state) {
      case 'head':
        if (!this.#connection.isFull) return this.#takeHead(bytes, start, end)
        // Responses to requests that are pipelined would pile up here.
        this.#state = 'full'
        return start
      case 'exchange': {
        const exchange = this.#last
        if (exchange.body.isComplete) return this.#takeBehind(bytes, start, end)
        const next = exchange.takeBody(bytes, start, end)
        if (next >= 0) {
          this.#retained.append(bytes, start, next)
          return next
        }
        this.#refuse(next, bytes, start, end)
        return end
      }
      case 'opaque':
        this.#exchange.takeOpaque(bytes, start, end)
        return end
      case 'full':
      case 'held':
        return start
      case 'closing':
      case 'closed':
        return end
    }
  }

  #takeHead(bytes: Buffer, start: number, end: number): number {
    this.#host.refresh()
    const port = this.#findPort()
    this.#setLimits(port)
    const bodyStart = parser.parse(bytes, start, end)
    if (bodyStart === 0) return start
    if (bodyStart < 0) {
      this.#refuse(bodyStart, bytes, start, end)
      return end
    }
    const claim = port === undefined ? this.#search.find(parser, bytes, this) : port.claim
    if (claim === 'hold') {
      this.#state = 'held'
      return start
    }
    this.#state = 'exchange'
    this.#exchange.begin(parser, isHeadRequest(parser, bytes), this.#search.settings, port !== undefined)
    if (claim === 'cached') {
      this.#exchange.answerFromCache(cachedAnswer)
      return bodyStart
    }
    if ('status' in claim) {
      this.#answer(claim)
      return bodyStart
    }
    claim.entry.requests++
    this.#search.startTap(this.#exchange.tap, claim)
    this.#lastOwner = claim.peer
    const connectionId = this.#ids.announce(claim.peer)
    const next = connectionId === -1 ? -1 : this.#exchange.handOver(claim, connectionId, parser, bytes, bodyStart, end)
    if (next === -1) {
      this.#answer(QUEUE_FULL)
      return bodyStart
    }
    if (port === undefined && isIdempotent(parser, bytes)) this.#retained.begin(bytes, start, next)
    if (this.#hasEnded) this.#exchange.onClientGone(DISCONNECT_END)
    // Requests behind this one would be lost.
    if (this.#isLeaving && next === end) this.#exchange.endAfterResponse()
    return next
  }

  /** Hands over a request behind one that is being answered; returns `start` when it has to wait here for its turn. */
  #takeBehind(bytes: Buffer, start: number, end: number): number {
    this.#host.refresh()
    const port = this.#port
    if (port === undefined) return start
    const pipeline = (this.#pipeline ??= new Pipeline(() => this.#newExchange()))
    const { claim } = port
    pipeline.isBlocked = !this.#last.isFollowed || this.#isShutDown || this.#hasEnded || claim.peer !== this.#lastOwner
    if (pipeline.isBlocked || this.#connection.isFull) return start
    this.#setLimits(port)
    const bodyStart = parser.parse(bytes, start, end)
    if (bodyStart === 0) return start
    const connectionId = bodyStart < 0 ? -1 : this.#ids.announce(claim.peer)
    const next = connectionId === -1 ? -1 : pipeline.add(claim, connectionId, parser, bytes, bodyStart, end)
    pipeline.isBlocked = next === -1
    if (pipeline.isBlocked) return start
    claim.entry.requests++
    if (this.#isLeaving && next === end) this.#last.endAfterResponse()
    return next
  }

  /**
   * The private port at which it has arrived, if it is one. A client may be faster than the claim; from then on the port is looked up no
   * more, which may become another's.
   */
  #findPort(): PrivatePort | undefined {
    if (this.#port !== undefined) return this.#port
    this.#port = this.#host.privatePort(this.localPort, this.localAddress)
    this.#membership = this.#port?.join(this)
    return this.#port
  }

  /** The request that came last, of those under way. */
  get #last(): Http1Exchange {
    return this.#pipeline?.last ?? this.#exchange
  }

  #newExchange(): Http1Exchange {
    return new Http1Exchange(this.#connection, this, this.#host.limits.idleConnectionTimeout)
  }

  #setLimits(port: PrivatePort | undefined): void {
    const { limits } = this.#host
    parser.isRoutedByPort = port !== undefined
    if (port === undefined) return limitHeads(parser, limits)
    const maxRequestBytes = port.limits.maxHeaderBytes || limits.maxRequestBytes
    limitHeads(parser, { maxRequestBytes, maxFieldLength: 0, urlSegmentMaxLength: 0, urlSegmentMaxCount: 0 })
  }

  /** What waits here is not going to be served. */
  #turnAway(reject: Reject): void {
    this.#search.turnAway(this, reject)
    this.onOwnerReady()
  }

  /** Answers the request that has just begun without an owner. */
  #answer(reject: Reject): void {
    // Reading what nobody may send would help nobody.
    if (reject.status === 413) this.#exchange.endAfterResponse()
    const verbosity = reject.status === 503 ? this.#search.settings.verbosity503 : 'full'
    if (verbosity === 'basic') {
      this.#host.count(reject.reason)
      this.#connection.destroy()
    } else this.#exchange.answer(reject, verbosity !== 'limited')
  }

  #refuse(code: number, bytes: Buffer, start: number, end: number): void {
    const port = this.#port
    // Before earlier requests have been answered there is nothing that the client could take for the answer.
    const isBehind = this.#pipeline?.isEmpty === false
    if (!isBehind && port !== undefined && this.#delegate(port, code, bytes, start, end)) return
    if (isBehind || !this.#exchange.canRefuse) {
      this.count(rejectOf(code).reason)
      this.#exchange.onClientGone(DISCONNECT_RESET)
      return this.onExchangeBroken()
    }
    this.#exchange.refuse(rejectOf(code))
    this.#close()
  }

  #onEndBetweenRequests(): void {
    const pending = this.#pending
    const port = this.#port
    const isAnswered =
      pending !== null &&
      port !== undefined &&
      !isBlank(pending) &&
      this.#delegate(port, REJECT_EOF, pending.bytes, 0, pending.length)
    if (!isAnswered) this.#close()
  }

  /** On a private port the answer is the owner's: `'clientError'`. */
  #delegate(port: PrivatePort, code: number, bytes: Buffer, start: number, end: number): boolean {
    const connectionId = this.#ids.announce(port.claim.peer)
    if (connectionId === -1) return false
    this.#state = 'exchange'
    this.#pending = null
    return this.#exchange.delegate(port, connectionId, parserCodeOf(code), bytes, start, end)
  }

  #isTooSlowFor({ limits }: PrivatePort): boolean {
    const isHeadAwaited = this.#state === 'head' && (this.#pending !== null || !this.#hasServed)
    const isBodyAwaited = this.#state === 'exchange' && this.#last.isAwaitingBody
    // Of a connection's first request the connection's own first moment counts.
    return isTooSlow(limits, this.#hasServed ? this.#headStart : this.#openedAt, isHeadAwaited, isBodyAwaited)
  }

  /** Sends what is queued and ends this side; what the client still sends is read and dropped for a while. */
  #close(): void {
    this.#state = 'closing'
    this.#pending = null
    this.#pipeline?.abandon()
    this.#connection.end()
    this.resumeReading()
    this.#leavePort()
  }

  #leavePort(): void {
    if (this.#membership !== undefined) this.#port!.leave(this.#membership)
  }

  /** The timer that has run out, '' for one that is of no interest to anyone, null for none. */
  #timer(): Reason | '' | null {
    const { limits } = this.#host
    const { settings } = this.#search
    const since = this.#lastActivity
    switch (this.#state) {
      case 'head':
        if (this.#pending === null) {
          if (this.#isLeaving && hasPassed(LEAVING_IDLE_MS, since)) return ''
          const idleTimeout = settings.idleConnectionTimeout ?? limits.idleConnectionTimeout
          return hasPassed(idleTimeout, since) ? 'Timer_ConnectionIdle' : null
        }
        return hasPassed(settings.headerWaitTimeout ?? limits.headerWaitTimeout, this.#headStart)
          ? 'Timer_HeaderWait'
          : null
      case 'exchange':
        return isBodyLate(this.#last, settings, since, this.#isPaused) ? 'Timer_EntityBody' : null
      case 'closing':
        return hasPassed(LINGER_MS, since) ? '' : null
      default:
        return null
    }
  }
}

/** Empty lines before a request belong to none. */
function isBlank({ bytes, length }: PendingBytes): boolean {
  for (let index = 0; index < length; index++) if (bytes[index] !== 13 && bytes[index] !== 10) return false
  return true
}
