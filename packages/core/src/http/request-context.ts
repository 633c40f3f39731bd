import type { X509Certificate } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TlsInfo } from '../base/tls-info.ts'
import type { UrlPrefix } from '../base/url-prefix.ts'
import { arrivalOf, wantArrivals } from './arrival.ts'
import { QueueSocket } from './queue-socket.ts'
import { peerX509CertificateOf } from './tls-members.ts'

/** How a request came here: what {@link middleware} puts on it. */
export interface RequestContext {
  /** The prefix that its server listens on, with the real port. */
  readonly prefix: UrlPrefix
  /** Unique in this process. */
  readonly requestId: number
  /** Unique in this process; the same for all requests of a connection to one server. */
  readonly connectionId: number
  /**
   * When the request came, before any handler ran, in milliseconds of `performance.now()`: to its server, or with newer releases of
   * Windows to HTTP.SYS, so that the time in the queue counts.
   */
  readonly receivedAt: number
  /** What is known of TLS; null when the client did not use it. */
  readonly tls: RequestTls | null
  /** null when none was asked for, or the client showed none. Look at `isTrusted` before you believe it. */
  readonly clientCertificate: ClientCertificate | null
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
  return (request, _response, next) => {
    request.httpsys = contextOf(request)
    next()
  }
}

let lastRequestId = 0

function contextOf(request: IncomingMessage): RequestContext | null {
  const socket: unknown = request.socket
  if (!(socket instanceof QueueSocket)) return null
  return Object.freeze({
    prefix: socket.prefix,
    requestId: ++lastRequestId,
    connectionId: socket.id,
    receivedAt: arrivalOf(request),
    tls: socket.connection.encrypted ? tlsOf(socket.connection.tls) : null,
    clientCertificate: clientCertificateOf(socket.connection.tls),
  })
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
