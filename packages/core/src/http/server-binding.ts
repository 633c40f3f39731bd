import { channel } from 'node:diagnostics_channel'
import { METHODS } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { UrlPrefix } from '../base/url-prefix.ts'
import type {
  ClientError,
  DisconnectKind,
  Exchange,
  ExchangeListener,
  QueueConnection,
  RequestQueue,
} from '../queue/exchange.ts'
import { noteArrival } from './arrival.ts'
import { clientErrorOf, emitClientError, packetOf } from './client-error.ts'
import { closesWaitingResponses, kUniqueHeaders, messageClassesOf } from './node-internals.ts'
import type { ServerInternals, ServerResponseInternals } from './node-internals.ts'
import { bindRequest, endBody, pushBody, showVersion } from './queue-request.ts'
import type { QueueRequest } from './queue-request.ts'
import { bindResponse, exchangeOf, holdResponse, onResponseWritable } from './queue-response.ts'
import type { QueueResponse } from './queue-response.ts'
import type { QueueSocket } from './queue-socket.ts'
import { ResponseEnds, assignSocket, emitClose } from './response-ends.ts'
import { rethrowLater } from './rethrow-later.ts'
import { ServerSockets } from './server-sockets.ts'
import { stripPrefix } from './strip-prefix.ts'

/** What belongs to an exchange above the queue. */
interface Transaction {
  readonly socket: QueueSocket
  /** null when it could not be read. */
  readonly request: QueueRequest | null
  /** null once the connection has left HTTP. */
  readonly response: QueueResponse | null
  /** What waits for the bytes that came with the head of a request which leaves HTTP. */
  onHeadTaken?: (() => void) | undefined
}

const KNOWN_METHODS = new Set(METHODS)
/** node:http's default of `server.keepAliveTimeout`. */
const DEFAULT_KEEP_ALIVE_MS = 5000

const onRequestStart = channel('http.server.request.start')

/** Serves an `http.Server` from a request queue: what arrives is emitted on that very server, as node:http emits it. */
export class ServerBinding implements ExchangeListener {
  readonly #server: Server & ServerInternals
  readonly #prefix: UrlPrefix
  readonly #sockets: ServerSockets
  readonly #ends: ResponseEnds
  readonly #Request: typeof IncomingMessage
  readonly #Response: typeof ServerResponse
  readonly #uniqueHeaders: unknown
  readonly #responseOptions: { highWaterMark: number | undefined; rejectNonStandardBodyWrites: boolean | undefined }
  /** The port is this server's alone, as with node:http: its own settings decide over connections. */
  readonly #isPrivate: boolean
  #onEmpty = (): void => {}

  constructor(server: Server, prefix: UrlPrefix, isPrivate: boolean) {
    this.#server = server as Server & ServerInternals
    this.#prefix = prefix
    const { Request, Response } = messageClassesOf(server)
    this.#Request = Request
    this.#Response = Response
    this.#uniqueHeaders = (server as unknown as Record<symbol, unknown>)[kUniqueHeaders]
    const { highWaterMark, rejectNonStandardBodyWrites } = this.#server
    this.#responseOptions = { highWaterMark, rejectNonStandardBodyWrites }
    this.#isPrivate = isPrivate
    this.#sockets = new ServerSockets(this.#server, prefix, isPrivate, (socket) => this.#afterClose(socket))
    this.#ends = new ResponseEnds(this.#server, this.#sockets, isPrivate)
  }

  /** Clients' connections that have come here. */
  get connectionCount(): number {
    return this.#sockets.count
  }

  /** No further requests will come; resolves when the last socket has been closed. */
  async release(): Promise<void> {
    this.#sockets.release()
    if (this.#sockets.count > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve))
  }

  closeIdleConnections(): void {
    this.#sockets.closeIdle()
  }

  closeAllConnections(): void {
    this.#sockets.closeAll()
  }

  onBatchBegin(): void {
    this.#ends.onBatchBegin()
  }

  onBatchEnd(): void {
    this.#ends.onBatchEnd()
  }

  onRequest(exchange: Exchange): void {
    const socket = this.#sockets.of(exchange.connection)
    socket.scope.runInAsyncScope(this.#dispatch, null, exchange, socket)
  }

  readonly #dispatch = (exchange: Exchange, socket: QueueSocket): void => {
    // node:http's parser knows no other.
    if (this.#isPrivate && !KNOWN_METHODS.has(exchange.method)) {
      return this.#failClient(exchange, socket, clientErrorOf('HPE_INVALID_METHOD', packetOf(exchange)))
    }
    const server = this.#server
    if (server.timeout || socket.timeout) socket.setTimeout(server.timeout)
    const request = bindRequest(new this.#Request(socket as never), exchange, server)
    noteArrival(request)
    if (this.#prefix.strip === true) stripPrefix(request, this.#prefix)
    // Requests that leave HTTP come alone.
    if (socket._httpMessage === null || exchange.isUpgrade) socket.exchange = exchange
    if (exchange.method === 'CONNECT') return this.#connect(exchange, socket, request)
    if (exchange.isUpgrade && server.listenerCount('upgrade') > 0) return this.#upgrade(exchange, socket, request)
    const native = newResponse(this.#Response, request, this.#responseOptions)
    if (this.#uniqueHeaders) (native as unknown as Record<symbol, unknown>)[kUniqueHeaders] = this.#uniqueHeaders
    native.shouldKeepAlive = exchange.isKeepAlive
    if (exchange.majorVersion > 1) showVersion(request, exchange.majorVersion)
    this.#announceLimits(native as unknown as ServerResponse & ServerResponseInternals, socket)
    const response = bindResponse(native, exchange, this.#ends.onResponseEnded)
    exchange.context = { socket, request, response } satisfies Transaction
    if (socket._httpMessage === null) assignSocket(native, socket)
    else {
      holdResponse(response)
      ;(socket.outgoing ??= []).push(response)
    }
    if (onRequestStart.hasSubscribers) {
      onRequestStart.publish({ request, response: native, socket, server })
    }
    if (this.#lacksHost(request)) native.writeHead(400, ['Connection', 'close']).end()
    else if (this.#isBeyondLimit(socket)) this.#dropRequest(request, native, socket)
    else this.#emitRequest(exchange, request, native)
  }

  onConnection(connection: QueueConnection): void {
    this.#sockets.of(connection)
  }

  onClientError(exchange: Exchange, { code, rawPacket }: ClientError): void {
    this.#failClient(exchange, this.#sockets.of(exchange.connection), clientErrorOf(code, rawPacket))
  }

  /** The client's fault: `'clientError'`, or node:http's answer when nobody listens. */
  #failClient(exchange: Exchange, socket: QueueSocket, error: Error): void {
    const transaction = exchange.context as Transaction | undefined
    exchange.context = { socket, request: transaction?.request ?? null, response: null } satisfies Transaction
    const hasAnswered = transaction?.response?.headersSent === true
    socket.beginErrorAnswer(exchange, hasAnswered)
    try {
      socket.scope.runInAsyncScope(emitClientError, null, this.#server, socket, error, hasAnswered)
    } catch (thrown) {
      rethrowLater(thrown)
    }
  }

  onBody(exchange: Exchange, chunk: Buffer): void {
    const transaction = exchange.context as Transaction
    const { socket, request, response } = transaction
    try {
      if (chunk.length === 0) leaveHttp(transaction)
      else if (response === null) socket.scope.runInAsyncScope(receive, null, socket, chunk)
      else {
        socket.touch()
        socket.scope.runInAsyncScope(pushBody, null, request, chunk)
      }
    } catch (error) {
      rethrowLater(error)
    }
  }

  onBodyEnd(exchange: Exchange, rawTrailers: string[]): void {
    const { socket, request, response } = exchange.context as Transaction
    try {
      if (response === null) socket.onClientEnd()
      else socket.scope.runInAsyncScope(endBody, null, request, rawTrailers)
    } catch (error) {
      rethrowLater(error)
    }
  }

  onWritable(exchange: Exchange): void {
    const { socket, response } = exchange.context as Transaction
    try {
      if (response === null) socket.onWritable()
      else socket.scope.runInAsyncScope(onResponseWritable, null, response)
    } catch (error) {
      rethrowLater(error)
    }
  }

  onDisconnect(exchange: Exchange, kind: DisconnectKind): void {
    if (kind === 'reset') return this.#abandon(exchange)
    const { request } = exchange.context as Transaction
    // A client that has sent everything may end its side and still want the answer.
    if (request?.complete && (this.#server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen) return
    // The request and the end may come in one read; an app that answers at once does so before, as on a socket of its own.
    setImmediate(() => this.#abandon(exchange))
  }

  onLost(exchange: Exchange): void {
    const { socket } = exchange.context as Transaction
    if (socket.exchange === exchange) socket.destroy()
  }

  onQueueRevoked(): void {
    try {
      this.#server.emit('drain')
    } catch (error) {
      rethrowLater(error)
    }
    this.#server.close()
  }

  onQueueLost(_queue: RequestQueue, error: Error): void {
    this.#server.close()
    // Without a listener for `error` it ends the process, as an error of a server's socket does.
    process.nextTick(() => this.#server.emit('error', error))
  }

  /** What the response tells the client of the connection's future: `Keep-Alive: timeout=…, max=…`. */
  #announceLimits(response: ServerResponse & ServerResponseInternals, socket: QueueSocket): void {
    const { keepAliveTimeout, maxRequestsPerSocket } = this.#server
    socket.requestCount++
    // Of a connection that others share, only what the app has chosen itself is told.
    if (this.#isPrivate || keepAliveTimeout !== DEFAULT_KEEP_ALIVE_MS) response._keepAliveTimeout = keepAliveTimeout
    if (!maxRequestsPerSocket) return
    response._maxRequestsPerSocket = maxRequestsPerSocket
    response.maxRequestsOnConnectionReached = socket.requestCount >= maxRequestsPerSocket
  }

  /** Only a private port lets such requests through; to look at `headers` makes node:http parse them. */
  #lacksHost(request: QueueRequest): boolean {
    return (
      this.#isPrivate &&
      request.headers.host === undefined &&
      request.httpVersion !== '1.0' &&
      this.#server.requireHostHeader === true
    )
  }

  #isBeyondLimit(socket: QueueSocket): boolean {
    const limit = this.#server.maxRequestsPerSocket
    return limit !== null && limit > 0 && socket.requestCount > limit
  }

  #dropRequest(request: QueueRequest, response: ServerResponse, socket: QueueSocket): void {
    try {
      this.#server.emit('dropRequest', request, socket)
      response.writeHead(503).end()
    } catch (error) {
      rethrowLater(error)
    }
  }

  #emitRequest(exchange: Exchange, request: QueueRequest, response: ServerResponse): void {
    const server = this.#server
    try {
      if (exchange.expectation === 0) server.emit('request', request, response)
      else if (exchange.expectation === 1) {
        if (server.listenerCount('checkContinue') > 0) server.emit('checkContinue', request, response)
        else {
          response.writeContinue()
          server.emit('request', request, response)
        }
      } else if (server.listenerCount('checkExpectation') > 0) server.emit('checkExpectation', request, response)
      else response.writeHead(417).end()
    } catch (error) {
      rethrowLater(error)
    }
  }

  #abandon(exchange: Exchange): void {
    const { socket, response, request } = exchange.context as Transaction
    if (socket.exchange === exchange) socket.destroy()
    else if (response !== null && request?.complete === false) abort(request)
  }

  #connect(exchange: Exchange, socket: QueueSocket, request: QueueRequest): void {
    if (this.#server.listenerCount('connect') === 0) return void socket.destroy()
    this.#leaveHttp('connect', exchange, socket, request)
  }

  #upgrade(exchange: Exchange, socket: QueueSocket, request: QueueRequest): void {
    this.#leaveHttp('upgrade', exchange, socket, request)
  }

  #leaveHttp(event: 'upgrade' | 'connect', exchange: Exchange, socket: QueueSocket, request: QueueRequest): void {
    request.upgrade = true
    if (exchange.majorVersion > 1) showVersion(request, exchange.majorVersion)
    const transaction: Transaction = { socket, request, response: null }
    exchange.context = transaction
    transaction.onHeadTaken = () => {
      socket.scope.runInAsyncScope(() => this.#server.emit(event, request, socket as never, socket.takeHead()))
    }
    // On a shared port what came with the head waits in the backend until the app has agreed.
    if (!socket.beginRaw(exchange)) leaveHttp(transaction)
  }

  /** A socket has been closed, by the client, the app or the end of the server. */
  #afterClose(socket: QueueSocket): void {
    this.#sockets.delete(socket)
    if (this.#sockets.count === 0) this.#onEmpty()
    const response = socket._httpMessage as (ServerResponse & ServerResponseInternals) | null
    const { outgoing } = socket
    socket._httpMessage = null
    socket.exchange = null
    socket.outgoing = null
    if (response !== null) {
      abort(response.req as QueueRequest)
      emitClose(response)
    }
    for (const waiting of outgoing ?? []) {
      const native = waiting as unknown as ServerResponse
      exchangeOf(waiting).cancel()
      abort(native.req as QueueRequest)
      if (closesWaitingResponses) native.destroy(connectionReset())
    }
    this.#server._emitCloseIfDrained()
  }
}

/** Lets the app have a connection that leaves HTTP, once. */
function leaveHttp(transaction: Transaction): void {
  const { onHeadTaken } = transaction
  transaction.onHeadTaken = undefined
  try {
    onHeadTaken?.()
  } catch (error) {
    rethrowLater(error)
  }
}

function receive(socket: QueueSocket, chunk: Buffer): void {
  socket.onBytes(chunk)
}

/** The second parameter is not in @types/node 20. */
function newResponse(Response: typeof ServerResponse, request: IncomingMessage, options: unknown): ServerResponse {
  return new (Response as unknown as new (...args: unknown[]) => ServerResponse)(request, options)
}

function abort(request: QueueRequest): void {
  if (!request.destroyed) request.destroy(connectionReset())
}

function connectionReset(): Error {
  return Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
}
