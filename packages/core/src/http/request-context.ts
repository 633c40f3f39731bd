import type { IncomingMessage, ServerResponse } from 'node:http'
import type { UrlPrefix } from '../base/url-prefix.ts'
import { QueueSocket } from './queue-socket.ts'

/** How a request came here: what {@link middleware} puts on it. */
export interface RequestContext {
  /** The prefix that its server listens on, with the real port. */
  readonly prefix: UrlPrefix
  /** Unique in this process. */
  readonly requestId: number
  /** Unique in this process; the same for all requests of a connection to one server. */
  readonly connectionId: number
  /** When the middleware saw the request, in milliseconds of `performance.now()`. */
  readonly receivedAt: number
  /** What is known of TLS; null when the client did not use it. */
  readonly tls: { readonly encrypted: true } | null
  /** null: none was asked for. */
  readonly clientCertificate: null
}

declare module 'node:http' {
  interface IncomingMessage {
    /** Set by `httpsys.middleware()`; null for requests that did not come over a prefix. */
    httpsys?: RequestContext | null
  }
}

/** Connect-style middleware that puts `req.httpsys` on requests. */
export function middleware(): (request: IncomingMessage, response: ServerResponse, next: () => void) => void {
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
    receivedAt: performance.now(),
    tls: socket.connection.encrypted ? { encrypted: true as const } : null,
    clientCertificate: null,
  })
}
