import type { IncomingMessage, Server } from 'node:http'
import type { Exchange } from '../queue/exchange.ts'
import type { IncomingMessageInternals, ServerInternals } from './node-internals.ts'

const kExchange = Symbol('httpsys.exchange')
const kReceived = Symbol('httpsys.received')

/** A `http.IncomingMessage` whose body comes from a queue. */
export interface QueueRequest extends IncomingMessage, IncomingMessageInternals {
  [kExchange]: Exchange
  /** Bytes delivered since credit was last given. */
  [kReceived]: number
  /** The full target, when the prefix has been taken off `url`. */
  originalUrl?: string
  baseUrl?: string
}

/** Fills a fresh `IncomingMessage` with the exchange's head. */
export function bindRequest(
  request: IncomingMessage,
  exchange: Exchange,
  server: Server & ServerInternals,
): QueueRequest {
  const bound = request as QueueRequest
  const rawHeaders = exchange.rawHeaders
  bound[kExchange] = exchange
  bound[kReceived] = 0
  bound._read = exchange.hasBody ? readBody : readNothing
  bound.httpVersionMajor = 1
  const isOld = exchange.majorVersion === 1 && exchange.minorVersion === 0
  bound.httpVersionMinor = isOld ? 0 : 1
  bound.httpVersion = isOld ? '1.0' : '1.1'
  bound.method = exchange.method
  bound.url = exchange.target
  bound.upgrade = false
  if (server.joinDuplicateHeaders) (bound as { joinDuplicateHeaders?: boolean }).joinDuplicateHeaders = true
  const maxHeadersCount = server.maxHeadersCount ?? 0
  const count = maxHeadersCount > 0 ? Math.min(rawHeaders.length, maxHeadersCount * 2) : rawHeaders.length
  bound._addHeaderLines(rawHeaders, count)
  if (!exchange.hasBody) bound.complete = true
  return bound
}

/** What carries a request; undefined for one that did not come from a queue. */
export function exchangeOf(request: IncomingMessage): Exchange | undefined {
  return (request as Partial<QueueRequest>)[kExchange]
}

/**
 * Shows a version above 1 on the request. Not before there is a response: node:http takes every minor version 0 for HTTP/1.0 when it
 * makes one.
 */
export function showVersion(request: IncomingMessage, major: number): void {
  request.httpVersionMajor = major
  request.httpVersionMinor = 0
  request.httpVersion = `${major}.0`
}

/** Takes a piece of the body. */
export function pushBody(request: QueueRequest, chunk: Buffer): void {
  request[kReceived] += chunk.length
  request.push(chunk)
}

/** The body is complete. */
export function endBody(request: QueueRequest, rawTrailers: string[]): void {
  request.complete = true
  if (rawTrailers.length > 0) request._addHeaderLines(rawTrailers, rawTrailers.length)
  request.push(null)
}

/** The response is done: a body that nobody has begun to read is dropped, as node:http does. */
export function dumpUnread(request: QueueRequest): void {
  if (request._consumed) return
  const exchange = request[kExchange]
  if (!request.complete) exchange.discardBody()
  // Nobody can see whether an empty body was read to its end unless he listens for it.
  else if (request._eventsCount === 0 || request.listenerCount('end') + request.listenerCount('close') === 0) return
  request._dump()
}

function readBody(this: QueueRequest): void {
  if (!this._consumed) beginReading(this)
  const received = this[kReceived]
  if (received === 0) return
  // Before the call, within which more may come.
  this[kReceived] = 0
  this[kExchange].grantBody(received)
}

function readNothing(this: QueueRequest): void {
  if (!this._consumed) beginReading(this)
  this.push(null)
}

/** IncomingMessage holds its stream back from reading ahead until somebody reads. */
function beginReading(request: QueueRequest): void {
  request._consumed = true
  request._readableState.readingMore = false
}
