import { latin1 } from '../../../base/latin1.ts'
import type { EngineConnection, EngineConnectionHandler } from '../../engine/engine.ts'
import {
  DISCONNECT_END,
  DISCONNECT_RESET,
  FLAG_END,
  FRAME_BODY,
  FRAME_TRAILERS,
  RESPONSE_FLAG_CLOSE,
  RESPONSE_FLAG_OPAQUE,
} from '../../protocol/frames.ts'
import { CREDIT_STEP_BYTES, MAX_BODY_FRAME_BYTES, WINDOW_BYTES } from '../../protocol/limits.ts'
import { clock } from '../coarse-clock.ts'
import type { ExchangeSink } from '../exchange-sink.ts'
import { broken } from '../owner-peer.ts'
import type { AnnouncedConnection, OwnerPeer } from '../owner-peer.ts'
import { PendingBytes } from '../pending-bytes.ts'
import { MISS_AMBIGUOUS, MISS_BAD_HOST, MISS_HOST } from '../router.ts'
import type { PortRoutes } from '../router.ts'
import type { RequestQueueEntry } from '../request-queue-entry.ts'
import { CHUNK_DATA, CHUNK_END, CHUNK_MORE, ChunkedDecoder } from './chunked-decoder.ts'
import { FORM_ABSOLUTE, HeadParser } from './head-parser.ts'
import { rejectOf } from './reject.ts'
import { areSafeFields, isSafeReason } from './response-fields.ts'
import { ResponseFramer } from './response-framer.ts'
import { writeRequestFrame } from './request-frame.ts'

/** Timeouts of a connection, in milliseconds. */
export interface Http1Timeouts {
  /** From the first byte of a head to its end (HTTP.SYS: HeaderWait). */
  readonly headerWait: number
  /** Between two pieces of an entity body that somebody waits for (HTTP.SYS: EntityBody). */
  readonly entityBody: number
  /** Between a response and the next request (HTTP.SYS: IdleConnection). */
  readonly idleConnection: number
}

/** What connections need of the broker. */
export interface Http1Host {
  readonly timeouts: Http1Timeouts
  /** Owners whose local socket has more than this queued get no further requests. */
  readonly maxOwnerQueuedBytes: number
  onConnectionClosed(connection: Http1Connection): void
}

/** Bytes of later requests that wait on a connection before it is no longer read. */
const MAX_PENDING_BYTES = 64 * 1024
/** How long a connection is still read after its last response, so that a reset does not overtake the answer. */
const LINGER_MS = 2000

/** Parsing is synchronous, so one parser serves all connections. */
const parser = new HeadParser()

/**
 * The server's side of one HTTP/1.1 connection: takes requests off the wire, one at a time, and hands each to the owner of its
 * prefix. Requests that a client pipelines wait here until the response before them is complete.
 *
 * head ──request──▶ exchange ──response and entity body complete──▶ head
 *                      └──101 with the opaque flag──▶ opaque
 * any ──last response, refusal──▶ closing ──▶ closed
 */
export class Http1Connection implements EngineConnectionHandler, ExchangeSink, AnnouncedConnection {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  #state: 'head' | 'exchange' | 'opaque' | 'closing' | 'closed' = 'head'
  #pending: PendingBytes | null = null
  #hasEnded = false
  #isPaused = false
  /** Bytes are being used further up the stack: it goes on there with the next request. */
  #isTaking = false
  #lastActivity = clock.seconds

  // The exchange; `#owner` is null while the broker answers by itself and after the owner's side has ended.
  #owner: OwnerPeer | null = null
  #exchangeId = 0
  #isOwnerDone = true
  #isUpgrade = false
  #minor: 0 | 1 = 1
  /** 0: complete, -1: chunked, else bytes to come. */
  #bodyRemaining = 0
  #decoder: ChunkedDecoder | null = null
  #bodyCredit = 0
  #isDiscarding = false
  /** The client waits for a 100 before it sends the body. */
  #isAwaitingContinue = false
  #responseWindow = 0
  #consumed = 0
  #isResponseDone = true

  readonly #connection: EngineConnection
  readonly #routes: PortRoutes<RequestQueueEntry>
  readonly #host: Http1Host
  readonly #isLoopback: boolean
  readonly #response: ResponseFramer
  readonly #announced = new Map<OwnerPeer, number>()

  constructor(connection: EngineConnection, routes: PortRoutes<RequestQueueEntry>, host: Http1Host) {
    this.#connection = connection
    this.#routes = routes
    this.#host = host
    this.remoteAddress = connection.remoteAddress
    this.remotePort = connection.remotePort
    this.localAddress = connection.localAddress
    this.localPort = connection.localPort
    this.#isLoopback = isLoopbackAddress(connection.localAddress)
    this.#response = new ResponseFramer(connection, host.timeouts.idleConnection)
  }

  onData(bytes: Buffer, start: number, end: number): void {
    this.#lastActivity = clock.seconds
    const pending = this.#pending
    if (pending === null) return this.#take(bytes, start, end)
    pending.append(bytes, start, end)
    if (this.#state === 'head') {
      // Only a line feed can complete a head; without one there is nothing new to parse but its length.
      const hasNews = bytes.subarray(start, end).includes(10) || pending.length > MAX_PENDING_BYTES / 4
      if (hasNews) this.#takePending()
    } else if (pending.length > MAX_PENDING_BYTES) this.#pause()
  }

  onEnd(): void {
    this.#hasEnded = true
    if (this.#state === 'head' || this.#state === 'closing') return this.#connection.end()
    if (this.#state === 'opaque') {
      if (this.#owner !== null) this.#owner.writer.signal(FRAME_BODY, FLAG_END, 0, this.#exchangeId)
      this.#bodyRemaining = 0
      return this.#releaseIfDone()
    }
    this.#abandonBody(DISCONNECT_END)
    if (this.#isResponseDone) this.#finish()
  }

  onDrain(): void {
    this.#grant()
  }

  onClose(): void {
    const wasOpen = this.#state === 'exchange' || this.#state === 'opaque'
    this.#state = 'closed'
    if (wasOpen) this.#abandonBody(DISCONNECT_RESET)
    for (const [peer, id] of this.#announced) peer.forget(id)
    this.#announced.clear()
    this.#host.onConnectionClosed(this)
  }

  /** Ends the connection when it has waited too long; called every second. */
  checkTimeouts(): void {
    const waited = (clock.seconds - this.#lastActivity) * 1000
    const timeouts = this.#host.timeouts
    if (this.#state === 'closing') {
      if (waited > LINGER_MS) this.#connection.destroy()
    } else if (this.#state === 'head') {
      const limit = this.#pending === null ? timeouts.idleConnection : timeouts.headerWait
      if (waited > limit) this.#connection.destroy()
    } else if (this.#state === 'exchange' && this.#bodyRemaining !== 0 && !this.#isPaused && !this.#isAwaitingContinue) {
      if (waited > timeouts.entityBody) this.#connection.destroy()
    }
  }

  /** The port is no longer listened on: closes now when idle, else after the response under way. */
  shutdown(): void {
    if (this.#state === 'head') this.#close()
    else if (this.#state === 'exchange') this.#response.isPersistent = false
  }

  onPeerForgotten(peer: OwnerPeer): void {
    this.#announced.delete(peer)
  }

  // Requests

  /** Uses `bytes[start, end)` as far as the state of the connection lets it, and keeps the rest. */
  #take(bytes: Buffer, start: number, end: number): void {
    let position = start
    this.#isTaking = true
    while (position < end) {
      if (this.#state === 'head') {
        const next = this.#takeHead(bytes, position, end)
        if (next === position) break
        position = next
      } else if (this.#state === 'exchange' && this.#bodyRemaining !== 0) {
        position = this.#takeBody(bytes, position, end)
      } else if (this.#state === 'exchange') {
        break
      } else {
        if (this.#state === 'opaque') this.#forward(bytes, position, end, false)
        position = end
      }
    }
    this.#isTaking = false
    if (position < end) {
      this.#pending = new PendingBytes()
      this.#pending.append(bytes, position, end)
    }
    if (this.#hasEnded && this.#state === 'head') this.#close()
  }

  #takePending(): void {
    const pending = this.#pending
    if (pending === null) return
    this.#pending = null
    this.#take(pending.bytes, 0, pending.length)
  }

  /** Begins the next request; returns the position behind what was used, `start` when the head is not complete yet. */
  #takeHead(bytes: Buffer, start: number, end: number): number {
    const bodyStart = parser.parse(bytes, start, end)
    if (bodyStart === 0) return start
    if (bodyStart < 0) {
      this.#refuse(bodyStart)
      return end
    }
    const isHead = parser.methodEnd - parser.headStart === 4 && latin1(bytes, parser.headStart, parser.methodEnd) === 'HEAD'
    this.#state = 'exchange'
    this.#minor = parser.minor
    this.#isUpgrade = parser.isUpgrade
    this.#isAwaitingContinue = parser.expect === 1
    this.#isResponseDone = false
    this.#isDiscarding = false
    this.#bodyRemaining = parser.isChunked ? -1 : Math.max(parser.contentLength, 0)
    this.#decoder = parser.isChunked ? new ChunkedDecoder() : null
    this.#bodyCredit = WINDOW_BYTES
    this.#responseWindow = WINDOW_BYTES
    this.#consumed = 0
    this.#response.reset(isHead, parser.minor, parser.isKeepAlive)
    return this.#dispatch(bytes, bodyStart, end)
  }

  /** Finds the owner and hands the request over, with as much of its body as has arrived; returns the new position. */
  #dispatch(bytes: Buffer, bodyStart: number, end: number): number {
    const isAbsolute = parser.targetForm === FORM_ABSOLUTE
    const host = isAbsolute
      ? latin1(bytes, parser.authorityStart, parser.authorityEnd)
      : parser.hostStart === -1
        ? undefined
        : latin1(bytes, parser.hostStart, parser.hostEnd)
    const path = latin1(bytes, parser.pathStart, parser.pathEnd)
    const entry = this.#routes.find(host, path === '' ? '/' : path, this.localAddress, this.#isLoopback)
    if (typeof entry === 'number') {
      this.#answerMiss(entry)
      return bodyStart
    }
    const owner = entry.pick()
    const peer = owner.peer
    let connectionId = this.#announced.get(peer) ?? -1
    if (connectionId === -1) {
      connectionId = peer.announce(this)
      if (connectionId !== -1) this.#announced.set(peer, connectionId)
    }
    const exchangeId = connectionId === -1 ? -1 : peer.exchanges.add(this)
    if (exchangeId === -1 || peer.writer.queuedBytes > this.#host.maxOwnerQueuedBytes) {
      if (exchangeId !== -1) peer.exchanges.delete(exchangeId)
      this.#answer(503, 'Retry-After: 1\r\n', 'The process that owns this prefix has too many requests waiting.')
      return bodyStart
    }
    this.#owner = peer
    this.#exchangeId = exchangeId
    this.#isOwnerDone = false
    // A small body travels with its head.
    let bodyEnd = bodyStart
    if (this.#bodyRemaining > 0) {
      bodyEnd = Math.min(end, bodyStart + Math.min(this.#bodyRemaining, MAX_BODY_FRAME_BYTES))
      this.#bodyRemaining -= bodyEnd - bodyStart
      this.#bodyCredit -= bodyEnd - bodyStart
    }
    if (bodyEnd > bodyStart) this.#isAwaitingContinue = false
    writeRequestFrame(peer.writer, parser, exchangeId, connectionId, owner.id, bytes, bodyStart, bodyEnd)
    if (this.#hasEnded) this.#abandonBody(DISCONNECT_END)
    return bodyEnd
  }

  #takeBody(bytes: Buffer, start: number, end: number): number {
    this.#isAwaitingContinue = false
    if (this.#bodyRemaining > 0) {
      const next = Math.min(end, start + this.#bodyRemaining)
      this.#bodyRemaining -= next - start
      this.#forward(bytes, start, next, this.#bodyRemaining === 0)
      if (this.#bodyRemaining === 0) this.#onBodyComplete()
      return next
    }
    const decoder = this.#decoder!
    let position = start
    for (;;) {
      const event = decoder.step(bytes, position, end)
      if (event < 0) {
        this.#failBody(event)
        return end
      }
      position = decoder.position
      if (event === CHUNK_DATA) this.#forward(bytes, decoder.dataStart, decoder.dataEnd, false)
      else if (event === CHUNK_MORE) return end
      else if (event === CHUNK_END) {
        this.#bodyRemaining = 0
        this.#endBody(decoder.trailers)
        this.#onBodyComplete()
        return position
      }
    }
  }

  /** Passes a piece of the entity body, or raw bytes, to the owner. */
  #forward(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    const owner = this.#owner
    if (owner === null || this.#isDiscarding) {
      if (isLast) this.#endBody('')
      return
    }
    this.#bodyCredit -= end - start
    owner.writer.copy(FRAME_BODY, isLast ? FLAG_END : 0, 0, this.#exchangeId, bytes, start, end)
    if (this.#bodyCredit <= 0) this.#pause()
  }

  #endBody(trailers: string): void {
    const owner = this.#owner
    if (owner === null) return
    if (trailers === '') owner.writer.signal(FRAME_BODY, FLAG_END, 0, this.#exchangeId)
    else owner.writer.text(FRAME_TRAILERS, FLAG_END, 0, this.#exchangeId, trailers, 'latin1')
  }

  #onBodyComplete(): void {
    this.#decoder = null
    this.#releaseIfDone()
    if (this.#isResponseDone) this.#finish()
  }

  /** The client breaks its own chunked framing: nothing behind it can be trusted. */
  #failBody(code: number): void {
    this.#abandonBody(DISCONNECT_RESET)
    if (this.#response.hasHead) {
      this.#isResponseDone = true
      this.#state = 'closing'
      return this.#connection.destroy()
    }
    this.#refuse(code)
  }

  /** No more of the entity body will come: tells the owner that the client is gone, unless both sides were done. */
  #abandonBody(kind: number): void {
    this.#bodyRemaining = 0
    this.#decoder = null
    const owner = this.#owner
    if (owner === null) return
    owner.disconnectExchange(this.#exchangeId, kind)
    this.#releaseIfDone()
  }

  // Answers of the broker's own

  #refuse(code: number): void {
    const reject = rejectOf(code)
    this.#response.reset(false, 1, false)
    this.#response.answer(reject.status, '', `${reject.reason}: ${reject.detail}\n`)
    this.#isResponseDone = true
    this.#close()
  }

  #answerMiss(miss: number): void {
    if (miss === MISS_HOST) return this.#answer(400, '', 'Hostname: no prefix on this port is registered for this host.')
    if (miss === MISS_BAD_HOST) return this.#answer(400, '', 'Hostname: the Host field is not a host name.')
    if (miss === MISS_AMBIGUOUS) {
      return this.#answer(400, '', 'URL: the path can be read in two ways that belong to different prefixes.')
    }
    this.#answer(404, '', 'No process has claimed a prefix for this path.')
  }

  /** Answers a well-formed request without an owner; the connection goes on, once the entity body has been read and dropped. */
  #answer(status: number, fields: string, text: string): void {
    if (this.#isAwaitingContinue) this.#response.isPersistent = false
    this.#response.answer(status, fields, `${text}\n`)
    this.#isResponseDone = true
    this.#isDiscarding = true
    this.#owner = null
    if (this.#bodyRemaining === 0 || !this.#response.isPersistent) this.#finish()
  }

  // The owner's side

  onInformational(status: number, bytes: Buffer, fieldsStart: number, fieldsEnd: number): void {
    if (status < 100 || status > 199 || status === 101) throw broken(`status ${status} is not informational`)
    if (!areSafeFields(bytes, fieldsStart, fieldsEnd)) throw broken('an informational response has unsafe fields')
    if (status === 100) this.#isAwaitingContinue = false
    if (this.#state !== 'exchange' || this.#response.hasHead || this.#minor === 0) return
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
    this.#account(end - bodyStart)
    if (this.#state !== 'exchange') return this.#onDropped(isLast)
    if (this.#isOwnerDone || this.#response.hasHead) throw broken('a second RESPONSE for one exchange')
    const reason = reasonStart === fieldsStart ? '' : latin1(bytes, reasonStart, fieldsStart)
    const fields = latin1(bytes, fieldsStart, bodyStart)
    if ((flags & RESPONSE_FLAG_OPAQUE) !== 0) return this.#goOpaque(status, reason, fields, bytes, bodyStart, end)
    if (status < 200) throw broken(`status ${status} does not end an exchange`)
    // A body that the client has not begun to send because nobody asked for it may never come, or come late.
    const isAlone = this.#hasEnded && this.#pending === null
    if ((flags & RESPONSE_FLAG_CLOSE) !== 0 || isAlone || this.#isAwaitingContinue) this.#response.isPersistent = false
    const fits = this.#response.head(status, reason, fields, contentLength, flags, bytes, bodyStart, end, isLast)
    if (isLast || !fits) this.#onResponseEnd(fits)
    else this.#grant()
  }

  onResponseBody(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    this.#account(end - start)
    if (this.#state === 'opaque') {
      if (this.#isOwnerDone) throw broken('bytes after the end of an opaque connection')
      this.#connection.write(bytes, start, end)
      if (!isLast) return this.#grant()
      this.#connection.end()
      return this.#onOwnerDone()
    }
    if (this.#state !== 'exchange') return this.#onDropped(isLast)
    if (this.#isOwnerDone || !this.#response.hasHead) throw broken('a BODY frame outside the response')
    let fits = this.#response.body(bytes, start, end)
    if (isLast && fits) fits = this.#response.end('')
    if (isLast || !fits) this.#onResponseEnd(fits)
    else this.#grant()
  }

  onResponseTrailers(bytes: Buffer, start: number, end: number): void {
    if (!areSafeFields(bytes, start, end)) throw broken('trailers have unsafe fields')
    if (this.#state !== 'exchange') return this.#onDropped(true)
    if (this.#isOwnerDone || !this.#response.hasHead) throw broken('a TRAILERS frame outside the response')
    this.#onResponseEnd(this.#response.end(latin1(bytes, start, end)))
  }

  onBodyCredit(bytes: number): void {
    this.#bodyCredit += bytes
    if (this.#bodyCredit > 0 && this.#isPaused && this.#state !== 'closed') this.#resume()
  }

  onDiscardBody(): void {
    if (this.#state !== 'exchange') return
    this.#isDiscarding = true
    this.#resume()
  }

  onCancel(): void {
    this.#onOwnerDone()
    if (this.#state === 'closed' || this.#state === 'closing') return
    this.#isResponseDone = true
    this.#state = 'closing'
    // A client that has ended its side still gets what was sent before; any other sees the connection break.
    if (this.#hasEnded) this.#connection.end()
    else this.#connection.destroy()
  }

  onOwnerGone(): void {
    this.#owner = null
    this.#isOwnerDone = true
    if (this.#state === 'closed' || this.#state === 'closing') return
    if (this.#isResponseDone) {
      // Only the rest of the entity body was still on its way to the owner.
      this.#isDiscarding = true
      return this.#resume()
    }
    if (this.#state === 'opaque' || this.#response.hasHead) {
      this.#state = 'closing'
      return this.#connection.destroy()
    }
    if (this.#hasEnded) this.#response.isPersistent = false
    this.#answer(502, '', 'The process that owns this prefix ended before it answered.')
    this.#resume()
  }

  #goOpaque(status: number, reason: string, fields: string, bytes: Buffer, start: number, end: number): void {
    if (status !== 101 || !this.#isUpgrade) throw broken('an opaque response needs status 101 and an upgrade request')
    this.#response.switchProtocols(reason, fields)
    this.#state = 'opaque'
    this.#bodyRemaining = -1
    if (end > start) this.#connection.write(bytes, start, end)
    this.#grant()
    this.#takePending()
    if (this.#hasEnded) this.onEnd()
    else this.#resume()
  }

  /** Keeps an owner to the window that it was granted. */
  #account(bytes: number): void {
    this.#responseWindow -= bytes
    this.#consumed += bytes
    if (this.#responseWindow < 0) throw broken('more of a response body than was granted')
  }

  /** Returns credit for what the client's connection has taken. */
  #grant(): void {
    if (this.#consumed < CREDIT_STEP_BYTES || this.#connection.isFull || this.#owner === null || this.#isOwnerDone) return
    this.#owner.writer.credit(this.#exchangeId, this.#consumed)
    this.#responseWindow += this.#consumed
    this.#consumed = 0
  }

  /** The client is gone while the owner still answers: what comes is dropped until the owner is done. */
  #onDropped(isLast: boolean): void {
    if (isLast) this.#onOwnerDone()
  }

  #onResponseEnd(fits: boolean): void {
    this.#isResponseDone = true
    if (!fits) this.#owner?.disconnectExchange(this.#exchangeId, DISCONNECT_RESET)
    this.#onOwnerDone()
    if (!fits) {
      // The announced length can't be kept any more; closing is the only way to tell the client.
      this.#state = 'closing'
      this.#connection.destroy()
    } else if (this.#bodyRemaining === 0 || !this.#response.isPersistent) this.#finish()
    else this.#resumeForBody()
  }

  #resumeForBody(): void {
    // An owner that has answered may still read the body; one that does not has said so with DISCARD.
    if (this.#bodyCredit > 0 || this.#isDiscarding) this.#resume()
  }

  #onOwnerDone(): void {
    this.#isOwnerDone = true
    this.#releaseIfDone()
  }

  /** Frees the exchange's id once neither side has anything to send. */
  #releaseIfDone(): void {
    if (!this.#isOwnerDone || this.#owner === null) return
    if (this.#bodyRemaining !== 0 && this.#state !== 'closed' && this.#state !== 'closing') return
    this.#owner.exchanges.delete(this.#exchangeId)
    this.#owner = null
  }

  /** Response and body are done: on to the next request, or out. */
  #finish(): void {
    if (this.#state !== 'exchange') return
    if (this.#bodyRemaining !== 0) this.#abandonBody(DISCONNECT_RESET)
    if (!this.#response.isPersistent) return this.#close()
    this.#state = 'head'
    if (this.#isTaking) return
    if (this.#pending !== null) this.#takePending()
    else if (this.#hasEnded) this.#close()
    this.#resume()
  }

  #close(): void {
    this.#state = 'closing'
    this.#pending = null
    this.#connection.end()
    this.#resume()
  }

  #pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#connection.pause()
  }

  #resume(): void {
    if (!this.#isPaused || (this.#pending !== null && this.#pending.length > MAX_PENDING_BYTES)) return
    this.#isPaused = false
    this.#lastActivity = clock.seconds
    this.#connection.resume()
  }
}

function isLoopbackAddress(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.')
}
