import type { X509Certificate } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TlsInfo } from '../base/tls-info.ts'
import type { ClaimMode, UrlPrefix } from '../base/url-prefix.ts'
import type { Exchange, RequestQueue } from '../queue/exchange.ts'
import { arrivalOf, wantArrivals } from './arrival.ts'
import { exchangeOf } from './queue-request.ts'
import { noteTimings } from './queue-response.ts'
import { QueueSocket } from './queue-socket.ts'
import type { RequestTimings, ResponseTimings } from './request-timings.ts'
import { peerX509CertificateOf } from './tls-members.ts'

/** How a request came here: what {@link middleware} puts on it. */
export interface RequestContext {
  /** The prefix that its server listens on, with the real port. */
  readonly prefix: UrlPrefix
  /** Unique in this process. */
  readonly requestId: number
  /** Unique in this process; the same for all requests of a connection to one server. */
  readonly connectionId: number
  /** The request queue that it came through. */
  readonly queue: RequestQueueFacts
  /** When what happened to it; goes on as the response does. */
  readonly timings: RequestTimings
  /** `timings.received`. */
  readonly receivedAt: number
  /** What is known of TLS; null when the client did not use it. */
  readonly tls: RequestTls | null
  /** null when none was asked for, or the client showed none. Look at `isTrusted` before you believe it. */
  readonly clientCertificate: ClientCertificate | null
}

/** What is known of the request queue of a prefix; `prefix` says what requests it gets. */
export interface RequestQueueFacts {
  /** What carries the requests: `native` is HTTP.SYS, `broker` the broker. */
  readonly backend: 'native' | 'broker' | (string & {})
  /**
   * HTTP.SYS's name of the queue, as `netsh http show servicestate` and the performance counters have it. null with the broker, where a
   * queue is known by its prefix (`httpsys status`).
   */
  readonly name: string | null
  /** How the server has claimed the prefix. */
  readonly mode: ClaimMode
}

/** What is known of TLS; what the backend does not tell is empty. */
export interface RequestTls {
  readonly encrypted: true
  /** `TLSv1.3` */
  readonly protocol: string
  readonly cipher: string
  /** The name that the client asked for; false when it said none. */
  readonly servername: string | false
  /** `h2`, `http/1.1`, or false. */
  readonly alpnProtocol: string | false
}

/** The certificate that a client has shown. */
export interface ClientCertificate {
  readonly certificate: X509Certificate
  /** Whether somebody vouches for it whom the port trusts. */
  readonly isTrusted: boolean
  /** Why not, as a code of OpenSSL's; null when it is trusted. */
  readonly error: string | null
}

declare module 'node:http' {
  interface IncomingMessage {
    /** Set by `httpsys.middleware()`; null for requests that did not come over a prefix. */
    httpsys?: RequestContext | null
  }
}

/** Connect-style middleware that puts `req.httpsys` on requests. */
export function middleware(): (request: IncomingMessage, response: ServerResponse, next: () => void) => void {
  wantArrivals()
  return (request, response, next) => {
    request.httpsys = contextOf(request, response)
    next()
  }
}

let lastRequestId = 0

function contextOf(request: IncomingMessage, response: ServerResponse): RequestContext | null {
  const socket: unknown = request.socket
  const exchange = exchangeOf(request)
  if (!(socket instanceof QueueSocket) || exchange === undefined) return null
  // An app within the app may have it put once more: of TLS more may be known by now, the rest is the same request's.
  const timings = request.httpsys?.timings ?? beginTimings(request, response, exchange)
  return Object.freeze({
    prefix: exchange.queue.prefix,
    requestId: request.httpsys?.requestId ?? ++lastRequestId,
    connectionId: socket.id,
    queue: factsOf(exchange.queue),
    timings,
    receivedAt: timings.received,
    tls: socket.connection.encrypted ? tlsOf(socket.connection.tls) : null,
    clientCertificate: clientCertificateOf(socket.connection.tls),
  })
}

function factsOf({ backend, name, prefix }: RequestQueue): RequestQueueFacts {
  return Object.freeze({ backend, name, mode: prefix.mode })
}

function beginTimings(request: IncomingMessage, response: ServerResponse, { receivedAt }: Exchange): RequestTimings {
  const delivered = arrivalOf(request)
  // Two readings of one clock, of which one was converted.
  const received = Math.min(receivedAt ?? delivered, delivered)
  const timings: RequestTimings & ResponseTimings = Object.seal({
    received,
    delivered,
    responseStart: null,
    responseEnd: null,
  })
  noteTimings(response, timings)
  return timings
}

function tlsOf(info: TlsInfo | undefined): RequestTls {
  const { protocol = '', cipher, servername = false, alpnProtocol = false } = info ?? {}
  return Object.freeze({ encrypted: true, protocol, cipher: cipher?.name ?? '', servername, alpnProtocol })
}

function clientCertificateOf(info: TlsInfo | undefined): ClientCertificate | null {
  const certificate = info === undefined ? undefined : peerX509CertificateOf(info)
  if (info === undefined || certificate === undefined) return null
  return Object.freeze({ certificate, isTrusted: info.authorized, error: info.authorizationError })
}
