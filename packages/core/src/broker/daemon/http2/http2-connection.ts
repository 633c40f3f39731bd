import { constants, performServerHandshake } from 'node:http2'
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { MemberList } from '../../../base/member-list.ts'
import type { TlsInfo } from '../../../base/tls-info.ts'
import type { ConnectionFacts } from '../../protocol/connection-facts.ts'
import { WINDOW_BYTES } from '../../protocol/limits.ts'
import { clock } from '../coarse-clock.ts'
import type { ClientConnection, ClientHost } from '../exchange/client-host.ts'
import type { Reason } from '../exchange/reasons.ts'
import { APP_SHUTDOWN } from '../exchange/reject.ts'
import { hasPassed } from '../exchange/timers.ts'
import type { PortRoutes } from '../router.ts'
import type { RequestQueueEntry } from '../request-queue-entry.ts'
import { FloodGuard } from './flood-guard.ts'
import type { Traffic } from './flood-guard.ts'
import { StreamCarrier } from './stream-carrier.ts'
import type { StreamHome } from './stream-carrier.ts'
import { EntryVisits, StreamSearch } from './stream-search.ts'

/** As HTTP.SYS, and as RFC 9113 section 6.5.2 recommends at least. */
const MAX_STREAMS = 100
/** Of one connection, for all its streams together: enough that no path across the world is held up by it. */
const CONNECTION_WINDOW_BYTES = 1024 * 1024
/** Twice what all streams of a connection may have waiting for a client that reads none of them. */
const MAX_SESSION_MEGABYTES = 32
/** Longer ones are refused without an answer; up to here the answer says what is too long. */
const MAX_HEADER_LIST_BYTES = 64 * 1024
/** More than the most fields that the parser takes, so that it is the parser that refuses. */
const MAX_HEADER_PAIRS = 512
/** How long a connection that has ended may take to close. */
const LINGER_MS = 2000

/** Over what a session runs. */
export type SessionSocket = Duplex & Traffic

/**
 * The server's side of one HTTP/2 connection: node:http2 does the framing, each stream gets a carrier of its own, and these find
 * owners for their requests.
 *
 * open ──port closed, idle──▶ closing (GOAWAY sent, open streams go on) ──last stream closed──▶ closed
 */
export class Http2Connection implements ClientConnection, StreamHome {
  place = -1
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  /** An owner has single requests of it. */
  readonly isOwners = false
  readonly tls: TlsInfo | undefined
  readonly host: ClientHost
  readonly #routes: PortRoutes<RequestQueueEntry>
  readonly #isMisdirected: ((host: string | undefined) => boolean) | undefined
  readonly #socket: SessionSocket
  readonly #session: ServerHttp2Session
  readonly #carriers = new MemberList<StreamCarrier>()
  /** Between two streams. */
  readonly #idle: StreamCarrier[] = []
  readonly #visits = new EntryVisits()
  /** When the last stream ended, seconds. */
  #idleSince = clock.seconds
  /** How long it may be idle; milliseconds, 0 for no limit. */
  #idleTimeout: number
  #isClosing = false
  /** When something was last sent or received, and when the client was asked whether it is there, -1 while it is not; seconds. */
  #lastTraffic = clock.seconds
  #askedAt = -1
  #trafficBytes = 0
  readonly #guard = new FloodGuard()

  constructor(socket: SessionSocket, facts: ConnectionFacts, routes: PortRoutes<RequestQueueEntry>, host: ClientHost) {
    this.remoteAddress = facts.remoteAddress
    this.remotePort = facts.remotePort
    this.localAddress = facts.localAddress
    this.localPort = facts.localPort
    this.tls = facts.tls
    this.host = host
    this.#idleTimeout = host.limits.idleConnectionTimeout
    this.#routes = routes
    this.#socket = socket
    this.#isMisdirected = host.misdirection(this)
    const session = performServerHandshake(socket, {
      maxHeaderListPairs: MAX_HEADER_PAIRS,
      maxSessionMemory: MAX_SESSION_MEGABYTES,
      settings: {
        enableConnectProtocol: true,
        enablePush: false,
        initialWindowSize: WINDOW_BYTES,
        maxConcurrentStreams: MAX_STREAMS,
        maxHeaderListSize: MAX_HEADER_LIST_BYTES,
      },
    })
    this.#session = session
    const destroy = session.destroy.bind(session)
    session.destroy = (error, code) => destroy(error, code ?? connectionErrorOf(error))
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES)
    session.on('stream', (stream: ServerHttp2Stream, _headers: unknown, flags: number, raw: unknown) =>
      this.#onStream(stream, flags, raw as readonly string[]),
    )
    session.on('ping', this.#onAnsweredFrame)
    session.on('remoteSettings', this.#onAnsweredFrame)
    session.on('error', () => {
      if (!this.#isClosing) host.count('HTTP2_Connection')
    })
    session.on('close', () => this.#onClose())
    // A client that ends its side of the connection has gone: HTTP/2 has its own way to say that no more will come.
    socket.on('end', () => this.#session.destroy())
  }

  checkTimeouts(): void {
    let buffered = 0
    for (const carrier of this.#carriers) {
      buffered += carrier.bufferedBytes
      carrier.checkTimeouts()
    }
    if (this.#guard.isFlooded(this.#socket, buffered)) return this.#calm('HTTP2_Flood')
    if (this.#carriers.size > 0) return this.#checkSilence()
    if (this.#isClosing) {
      if (hasPassed(LINGER_MS, this.#idleSince)) this.#socket.destroy()
    } else if (hasPassed(this.#idleTimeout, this.#idleSince)) {
      this.host.count('Timer_ConnectionIdle')
      this.#close()
    }
  }

  shutdown(): void {
    this.#close()
    for (const carrier of this.#carriers) carrier.turnAway(APP_SHUTDOWN)
  }

  leave(): void {
    // GOAWAY tells which requests were taken: the client sends the others again, to the successor.
    this.#close()
  }

  onPayload(bytes: number): void {
    this.#guard.onPayload(bytes)
  }

  onReset(): void {
    if (this.#guard.onReset()) this.#calm('HTTP2_Resets')
  }

  onStreamClosed(carrier: StreamCarrier, isClean: boolean): void {
    this.#carriers.delete(carrier)
    if (this.#carriers.size === 0) {
      this.#idleSince = clock.seconds
      this.#idleTimeout = carrier.idleTimeout ?? this.host.limits.idleConnectionTimeout
    }
    if (isClean && !this.#session.destroyed) this.#idle.push(carrier)
    else carrier.close()
  }

  closeIfIdle(): void {
    if (this.#carriers.size === 0) this.#close()
  }

  /**
   * Ends a connection with open streams on which nothing has happened for long, and whose client does not say that it is there.
   * After an error of the client's node:http2 20 may stop to read without a word: then this is what notices.
   */
  #checkSilence(): void {
    const { idleConnectionTimeout } = this.host.limits
    const { bytesRead, bytesWritten } = this.#socket
    if (bytesRead + bytesWritten !== this.#trafficBytes && this.#askedAt === -1) {
      this.#trafficBytes = bytesRead + bytesWritten
      this.#lastTraffic = clock.seconds
    } else if (this.#askedAt !== -1) {
      if (hasPassed(idleConnectionTimeout, this.#askedAt)) this.#end('Timer_ConnectionIdle', constants.NGHTTP2_NO_ERROR)
    } else if (hasPassed(idleConnectionTimeout, this.#lastTraffic)) {
      this.#askedAt = clock.seconds
      this.#session.ping(() => {
        this.#askedAt = -1
        this.#lastTraffic = clock.seconds
      })
    }
  }

  #onStream(stream: ServerHttp2Stream, flags: number, raw: readonly string[]): void {
    const carrier = this.#idle.pop() ?? this.#newCarrier()
    this.#carriers.add(carrier)
    carrier.carry(stream, raw, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0)
  }

  #newCarrier(): StreamCarrier {
    return new StreamCarrier(
      this,
      new StreamSearch(this.#routes, this.localAddress, this.#isMisdirected, this.tls, this.#visits),
    )
  }

  /** Takes no further streams; closes when the last one has ended. */
  #close(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    this.#idleSince = clock.seconds
    this.#session.close()
  }

  readonly #onAnsweredFrame = (): void => {
    if (this.#guard.onAnsweredFrame()) this.#calm('HTTP2_Flood')
  }

  /** Ends the connection of a client that asks for too much. */
  #calm(reason: Reason): void {
    this.#end(reason, constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }

  /** Ends the connection with all its streams. */
  #end(reason: Reason, code: number): void {
    if (this.#session.destroyed) return
    this.host.count(reason)
    this.#isClosing = true
    this.#idleSince = clock.seconds
    // Without an error node:http2 would not say the code.
    this.#session.destroy(new Error(reason), code)
  }

  #onClose(): void {
    for (const carrier of this.#idle) carrier.close()
    this.#idle.length = 0
    this.host.onConnectionClosed(this)
  }
}

/** What a client is told about an error of nghttp2's; node:http2 says INTERNAL_ERROR of each. */
function connectionErrorOf(error: Error | undefined): number | undefined {
  switch ((error as { errno?: number } | undefined)?.errno) {
    case -505: // NGHTTP2_ERR_PROTO
      return constants.NGHTTP2_PROTOCOL_ERROR
    case -510: // NGHTTP2_ERR_STREAM_CLOSED
      return constants.NGHTTP2_STREAM_CLOSED
    case -522: // NGHTTP2_ERR_FRAME_SIZE_ERROR
      return constants.NGHTTP2_FRAME_SIZE_ERROR
    case -523: // NGHTTP2_ERR_HEADER_COMP
      return constants.NGHTTP2_COMPRESSION_ERROR
    case -524: // NGHTTP2_ERR_FLOW_CONTROL
      return constants.NGHTTP2_FLOW_CONTROL_ERROR
    default:
      return undefined
  }
}
