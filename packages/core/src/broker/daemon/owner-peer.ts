import { peerCredentials } from '../../sockets/peer-credentials.ts'
import type { PeerCredentials } from '../../sockets/peer-credentials.ts'
import type { EngineConnection, EngineConnectionHandler } from '../engine/engine.ts'
import { broken } from '../protocol/broken.ts'
import { encodeConnectionFacts } from '../protocol/connection-facts.ts'
import type { ConnectionFacts } from '../protocol/connection-facts.ts'
import { FrameReader } from '../protocol/frame-reader.ts'
import type { OnFrame } from '../protocol/frame-reader.ts'
import { FrameWriter, encodeText } from '../protocol/frame-writer.ts'
import type { Transmit } from '../protocol/frame-writer.ts'
import {
  CACHE_DELETE,
  CACHE_POLICY_BYTES,
  CONNECTION_ENCRYPTED,
  CREDIT_BYTES,
  FLAG_END,
  FOREVER_SECONDS,
  FRAME_BLOCK_FREE,
  FRAME_BODY,
  FRAME_BODY_BLOCK,
  CANCEL_RESET,
  CLOSE_IDLE_END,
  FRAME_CANCEL,
  FRAME_CACHE,
  FRAME_CLAIM,
  FRAME_CLOSE_IDLE,
  FRAME_CONNECTION,
  FRAME_CONNECTION_CLOSED,
  FRAME_CREDIT,
  FRAME_DISCARD,
  FRAME_DISCONNECT,
  FRAME_FLUSH,
  FRAME_HAND_OVER,
  FRAME_HAND_OVER_READY,
  FRAME_HELLO,
  FRAME_INFORMATIONAL,
  FRAME_RELEASE,
  FRAME_RESPONSE,
  FRAME_STATUS,
  FRAME_TRAILERS,
  FRAME_UPGRADE,
  HEADER_BYTES,
  RELEASE_HOLD,
  RESPONSE_FIXED_BYTES,
  RESPONSE_FLAG_CACHE,
  RESPONSE_FLAG_HAS_LENGTH,
  RESPONSE_FLAG_OWN_CONNECTION,
} from '../protocol/frames.ts'
import { decodeHello, encodeHello } from '../protocol/hello.ts'
import type { Hello, ThreadTicket } from '../protocol/hello.ts'
import { MAX_FIELDS_BYTES } from '../protocol/limits.ts'
import type { Delivery } from '../rings/delivery.ts'
import type { ExchangeSink } from './exchange/exchange-sink.ts'
import type { Departure } from './request-queue-entry.ts'
import { PeerBodies } from './peer-bodies.ts'
import { PeerChannel } from './peer-channel.ts'
import type { DeliveryOptions } from './peer-channel.ts'
import { SlotTable } from './slot-table.ts'

/** What a peer asks of the broker; the rest goes straight between the peer and its exchanges. */
export interface PeerHost {
  /** It has said HELLO, and may claim, unless it is cut; returns what it needs to connect to the other threads. */
  onOpen(peer: OwnerPeer): ThreadTicket | undefined
  /** The connection is for another thread; all that came over it is HELLO, with these flags. */
  onTicket(peer: OwnerPeer, ticket: ThreadTicket, flags: number, connection: EngineConnection): void
  onClaim(peer: OwnerPeer, claimId: number, payload: string): void
  onRelease(peer: OwnerPeer, claimId: number, departure: Departure): void
  /** The peer wants what was cached for its claim at a path forgotten. */
  onFlush(peer: OwnerPeer, claimId: number, path: string): void
  onStatus(peer: OwnerPeer): void
  onUpgrade(peer: OwnerPeer, payload: string): void
  /** The peer wants to know what is cached for a URL, or wants it forgotten. */
  onCache(peer: OwnerPeer, url: string, isDeleted: boolean): void
  /** The connection is no owner's: descriptors will come over it, and it has been paused for them. */
  onHandOver(peer: OwnerPeer, name: string, connection: EngineConnection): void
  onPeerClosed(peer: OwnerPeer): void
  /** The peer had been full and can take requests again. */
  onPeerDrained(peer: OwnerPeer): void
  /** A peer broke the protocol and has been cut off. */
  onViolation(peer: OwnerPeer, error: unknown): void
}

/** Owners whose local socket has more than this queued get no further requests; a stopped process costs no more memory. */
const FULL_BYTES = 1024 * 1024
/** What a process asks that was blocked or stopped, before it reads again, is far less. */
const MAX_UNREAD_ANSWERS = 256
/** In which a process that is let go closes its side; one that lives does so at once. */
const LET_GO_MS = 10_000

/** A client connection whose facts have been announced to an owner under an id. */
export interface AnnouncedConnection extends ConnectionFacts {
  onPeerForgotten(peer: OwnerPeer): void
  /**
   * Closes the connection if it is idle and the peer was the last to answer on it.
   *
   * @param isEnd - of a private port: nor is it to stay when it is not idle
   */
  closeIfIdle(peer: OwnerPeer, isEnd: boolean): void
}

/**
 * One owner process, on its local socket.
 *
 * connected ──HELLO──▶ open ──socket closed or protocol broken──▶ closed
 *           ──HAND_OVER──▶ closed (the socket is no longer this object's)
 */
export class OwnerPeer implements EngineConnectionHandler {
  /** As it says itself; for messages only. */
  pid = 0
  /** As the kernel says; undefined where it does not. */
  readonly credentials: PeerCredentials | undefined
  state: 'connected' | 'open' | 'closed' = 'connected'
  readonly writer: FrameWriter
  readonly exchanges = new SlotTable<ExchangeSink>()
  readonly bodies: PeerBodies
  readonly #connections = new SlotTable<AnnouncedConnection>()
  readonly #reader: FrameReader
  readonly #connection: EngineConnection
  readonly #channel: PeerChannel
  readonly #host: PeerHost
  /** Given while it was full. */
  #unreadAnswers = 0

  constructor(connection: EngineConnection, host: PeerHost, delivery: DeliveryOptions) {
    this.#connection = connection
    this.#host = host
    this.credentials = peerCredentials(connection.descriptor)
    this.#channel = new PeerChannel(connection, delivery, {
      onFrames: (bytes, start, end) => this.#onFrames(bytes, start, end),
      onBroken: (reason) => this.violate(broken(reason)),
    })
    const transmit: Transmit = (chunks, done) => {
      this.#channel.send(chunks, (isSent) => {
        const wasFull = this.isFull
        done(isSent)
        // What could not be sent makes room, too, when the process has died.
        if (isSent && wasFull && !this.isFull) this.#onDrained()
      })
    }
    this.writer = new FrameWriter(transmit, (flush) => connection.defer(flush))
    this.bodies = new PeerBodies(this.#channel, this.writer)
    this.#reader = new FrameReader(this.#onFrame)
  }

  get #isGone(): boolean {
    return this.state === 'closed'
  }

  /** It reads too slowly, or not at all. */
  get isFull(): boolean {
    return this.writer.queuedBytes > FULL_BYTES
  }

  #onDrained(): void {
    this.#unreadAnswers = 0
    this.#host.onPeerDrained(this)
    for (const exchange of this.exchanges.values()) exchange.onOwnerDrained()
  }

  /** It asks something; who asks on without reading the answers is cut off. */
  #onQuestion(): void {
    if (this.isFull && ++this.#unreadAnswers > MAX_UNREAD_ANSWERS) throw broken('it does not read what it asks for')
  }

  /** Gives the connection an id and tells the owner its facts. */
  announce(connection: AnnouncedConnection): number {
    const id = this.#connections.add(connection)
    const flags = connection.tls === undefined ? 0 : CONNECTION_ENCRYPTED
    this.writer.text(FRAME_CONNECTION, flags, 0, id, encodeConnectionFacts(connection), 'latin1')
    return id
  }

  /** Grants more of a response. */
  grant(exchangeId: number, bytes: number): void {
    this.bodies.giveBack()
    this.writer.credit(exchangeId, bytes)
  }

  /** The client connection has ended. */
  forget(connectionId: number): void {
    if (this.state === 'closed') return
    this.#connections.delete(connectionId)
    this.writer.signal(FRAME_CONNECTION_CLOSED, 0, 0, connectionId)
  }

  disconnectExchange(exchangeId: number, kind: number): void {
    this.writer.signal(FRAME_DISCONNECT, 0, kind, exchangeId)
  }

  /** How frames go to it and come from it. */
  get delivery(): Delivery {
    return this.#channel.delivery
  }

  onData(bytes: Buffer, start: number, end: number): void {
    if (this.state !== 'closed') this.#channel.onData(bytes, start, end)
  }

  #onFrames(bytes: Buffer, start: number, end: number): void {
    if (this.state === 'closed') return
    try {
      this.#reader.push(bytes, start, end)
    } catch (error) {
      this.violate(error)
    }
  }

  onEnd(): void {
    this.#connection.destroy()
  }

  onDrain(): void {}

  onClose(): void {
    if (this.state !== 'closed') {
      // A process that has died may have answered just before.
      this.#channel.drain()
    }
    this.#close()
  }

  #close(): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.writer.close()
    this.#channel.close()
    // First the claims: an exchange that ends may start the next request of its connection, which must not come here.
    this.#host.onPeerClosed(this)
    for (const connection of this.#connections.values()) connection.onPeerForgotten(this)
    for (const exchange of this.exchanges.values()) exchange.onOwnerGone()
  }

  /** Cuts the peer off: nothing that it sends can be trusted any more. */
  violate(error: unknown): void {
    if (this.state === 'closed') return
    this.#host.onViolation(this, error)
    this.cut()
  }

  /** Ends the connection at once. */
  cut(): void {
    if (this.state === 'closed') return
    this.#connection.destroy()
    this.#close()
  }

  /** Ends this side when everything has been sent. */
  close(): void {
    this.writer.flush()
    this.#channel.end()
  }

  /** Ends this side, and takes what the process has sent before it ends its own. */
  letGo(): void {
    if (this.state === 'closed') return
    this.close()
    setTimeout(() => this.cut(), LET_GO_MS).unref()
  }

  readonly #onFrame: OnFrame = (type, flags, aux, id, bytes, view, start, end) => {
    if (this.state !== 'open') {
      if (this.state !== 'connected') return
      if (type === FRAME_HAND_OVER) this.#onHandOver(bytes.toString('latin1', start + HEADER_BYTES, end))
      else this.#onHello(type, flags, bytes, start, end)
      return
    }
    if (type === FRAME_CLAIM || type === FRAME_RELEASE || type === FRAME_FLUSH || type === FRAME_STATUS)
      this.#onQuestion()
    if (type === FRAME_CLAIM) return this.#host.onClaim(this, id, bytes.toString('utf8', start + HEADER_BYTES, end))
    if (type === FRAME_RELEASE) {
      return this.#host.onRelease(this, id, (flags & RELEASE_HOLD) === 0 ? 'released' : 'left')
    }
    if (type === FRAME_FLUSH) return this.#host.onFlush(this, id, bytes.toString('utf8', start + HEADER_BYTES, end))
    if (type === FRAME_STATUS) return this.#host.onStatus(this)
    if (type === FRAME_UPGRADE) return this.#host.onUpgrade(this, bytes.toString('utf8', start + HEADER_BYTES, end))
    if (type === FRAME_CACHE) {
      const url = bytes.toString('utf8', start + HEADER_BYTES, end)
      return this.#host.onCache(this, url, (flags & CACHE_DELETE) !== 0)
    }
    if (type === FRAME_CLOSE_IDLE) return this.#connections.get(id)?.closeIfIdle(this, (flags & CLOSE_IDLE_END) !== 0)
    if (type === FRAME_BODY_BLOCK) {
      return this.bodies.onBlock(this.exchanges.get(id), flags, aux, view, start, end)
    }
    if (type === FRAME_BLOCK_FREE) return this.bodies.onFree(aux)
    const exchange = this.exchanges.get(id)
    // Frames for an exchange that has ended meanwhile were under way when it did.
    if (exchange === undefined) return
    const payload = start + HEADER_BYTES
    switch (type) {
      case FRAME_RESPONSE:
        return onResponseFrame(exchange, flags, aux, bytes, view, start, end)
      case FRAME_BODY:
        return exchange.onResponseBody(bytes, payload, end, (flags & FLAG_END) !== 0)
      case FRAME_TRAILERS:
        return exchange.onResponseTrailers(bytes, payload, end)
      case FRAME_CREDIT:
        if (end - start !== CREDIT_BYTES) throw broken('a CREDIT frame has the wrong length')
        return exchange.onBodyCredit(view.getUint32(payload, true))
      case FRAME_DISCARD:
        return exchange.onDiscardBody()
      case FRAME_INFORMATIONAL:
        return exchange.onInformational(aux, bytes, payload, end)
      case FRAME_CANCEL:
        return exchange.onCancel((flags & CANCEL_RESET) !== 0)
      default:
        throw broken(`frame type ${type} is not one that an owner sends`)
    }
  }

  #onHandOver(name: string): void {
    this.#connection.pause()
    this.writer.signal(FRAME_HAND_OVER_READY, 0, 0, 0)
    this.writer.flush()
    this.state = 'closed'
    this.#host.onHandOver(this, name, this.#connection)
  }

  #onHello(type: number, flags: number, bytes: Buffer, start: number, end: number): void {
    if (type !== FRAME_HELLO) throw broken(`frame type ${type} came before HELLO`)
    const payload = bytes.toString('latin1', start + HEADER_BYTES, end)
    let hello: Hello
    try {
      hello = decodeHello(payload)
    } catch (error) {
      // The other side, too, wants to say clearly that the versions differ.
      this.#answerHello(flags)
      throw error
    }
    const { pid, ticket } = hello
    if (ticket === undefined) {
      this.pid = pid
      const threads = this.#host.onOpen(this)
      if (!this.#isGone) this.greet(pid, flags, threads)
    } else {
      this.state = 'closed'
      this.#host.onTicket(this, ticket, flags, this.#connection)
    }
  }

  /** The process has said HELLO, here or in another thread. */
  greet(pid: number, flags: number, threads?: ThreadTicket): void {
    this.pid = pid
    this.#answerHello(flags, threads)
    this.state = 'open'
  }

  #answerHello(flags: number, threads?: ThreadTicket): void {
    const payload = encodeHello(process.pid, threads)
    const isShared = this.#channel.share(flags, (given) => encodeText(FRAME_HELLO, given, payload))
    if (!isShared) this.writer.text(FRAME_HELLO, 0, 0, 0, payload, 'latin1')
  }
}

function onResponseFrame(
  exchange: ExchangeSink,
  flags: number,
  status: number,
  bytes: Buffer,
  view: DataView,
  start: number,
  end: number,
): void {
  if (end - start < RESPONSE_FIXED_BYTES) throw broken('a RESPONSE frame is too short')
  if (status < 100 || status > 999) throw broken(`status ${status} is outside 100 to 999`)
  let contentLength = -1
  if ((flags & RESPONSE_FLAG_HAS_LENGTH) !== 0) {
    contentLength = view.getUint32(start + 12, true) + view.getUint32(start + 16, true) * 0x1_0000_0000
    if (contentLength > Number.MAX_SAFE_INTEGER) throw broken('a content length is too large')
  }
  const fieldsLength = view.getUint32(start + 20, true)
  const reasonLength = view.getUint16(start + 24, true)
  const upperFlags = view.getUint16(start + 26, true)
  if (upperFlags > RESPONSE_FLAG_OWN_CONNECTION >> 8) throw broken(`upper flags ${upperFlags} mean nothing`)
  const isCacheable = (flags & RESPONSE_FLAG_CACHE) !== 0
  const reasonStart = start + RESPONSE_FIXED_BYTES + (isCacheable ? CACHE_POLICY_BYTES : 0)
  const fieldsStart = reasonStart + reasonLength
  const bodyStart = fieldsStart + fieldsLength
  if (fieldsLength > MAX_FIELDS_BYTES || bodyStart > end) throw broken('a RESPONSE frame is shorter than its fields')
  if (isCacheable) {
    const seconds = view.getUint32(reasonStart - CACHE_POLICY_BYTES, true)
    exchange.onCachePolicy(seconds === FOREVER_SECONDS ? Infinity : seconds)
  }
  exchange.onResponse(status, flags | (upperFlags << 8), contentLength, bytes, reasonStart, fieldsStart, bodyStart, end)
}
