import { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Server as HttpsServer } from 'node:https'
import { Socket } from 'node:net'

/**
 * The parts of node:http that are not documented and that the look-alike builds on. All of them have been the same for many
 * releases; they are named in this file only, so that a change in Node shows here.
 */

/** What net.Server asks of the handle that it listens on. */
export interface ListenHandle {
  getsockname(out: Record<string, unknown>): number
  close(callback?: () => void): void
  ref(): void
  unref(): void
}

export interface ServerInternals {
  _handle: ListenHandle | null
  /** Connections that `close` waits for. */
  _connections: number
  /** `unref` was called, perhaps before `listen`. */
  _unref: boolean
  _emitCloseIfDrained(): void
  readonly highWaterMark?: number
  readonly keepAliveTimeoutBuffer?: number
  readonly rejectNonStandardBodyWrites?: boolean
  readonly joinDuplicateHeaders?: boolean
  readonly requireHostHeader?: boolean
  readonly maxHeaderSize?: number
}

export interface IncomingMessageInternals {
  _read(size: number): void
  /** Somebody has begun to read the body. */
  _consumed: boolean
  /** The request has left HTTP. */
  upgrade: boolean
  _eventsCount: number
  _readableState: { readingMore: boolean }
  _addHeaderLines(raw: string[], count: number): void
  _dump(): void
}

export interface ServerResponseInternals {
  _header: string | null
  _headerSent: boolean
  _hasBody: boolean
  _contentLength: number | null
  _removedContLen: boolean
  _removedConnection: boolean
  _trailer: string
  _closed: boolean
  _last: boolean
  _keepAliveTimeout: number
  _maxRequestsPerSocket: number
  maxRequestsOnConnectionReached: boolean
  _eventsCount: number
  /** Bytes that wait for the response's turn. */
  outputSize: number
  finished: boolean
  destroyed: boolean
  _storeHeader(firstLine: string, headers: unknown): void
  _send(
    data: string | Uint8Array,
    encoding?: BufferEncoding | null,
    callback?: (() => void) | null,
    length?: number,
  ): boolean
  _writeRaw(data: string | Uint8Array, encoding?: BufferEncoding | null, callback?: (() => void) | null): boolean
  _finish(): void
  _implicitHeader(): void
}

const probe = new ServerResponse(new IncomingMessage(new Socket()))
probe.setHeader('x', 'y')

/** Where OutgoingMessage keeps what `setHeader` was given: lower-case name → [name, value]. */
export const kOutHeaders = symbolOf(probe, 'kOutHeaders')
/** Set by `write` when it returned false, cleared when `'drain'` is emitted. */
export const kNeedDrain = symbolOf(probe, 'kNeedDrain')
/** Set where `rejectNonStandardBodyWrites` was asked for. */
export const kRejectsBody = symbolOf(probe, 'kRejectNonStandardBodyWrites')
/** Node 24: what `writableFinished` says, and what was passed to `end`; earlier releases have no such state. */
export const kWritableFinished = findSymbol(probe, 'kWritableFinished')
export const kEndCallbacks = findSymbol(probe, 'kEndCallbacks')

/**
 * Whether a response that is destroyed without a socket, since its turn has not come, is closed at once; until it was, that waited for
 * the socket. The releases that do so also destroy the responses that wait when their connection is closed (nodejs/node#62534).
 */
export const closesWaitingResponses = isClosedWithoutSocket()

function isClosedWithoutSocket(): boolean {
  const response = new ServerResponse(new IncomingMessage(new Socket()))
  response.destroy()
  return response.listenerCount('socket') === 0
}

const plainServer = new Server()

/** The classes that `http.createServer` was told to use. */
export function messageClassesOf(server: Server): { Request: typeof IncomingMessage; Response: typeof ServerResponse } {
  const holder = server as unknown as Record<symbol, unknown>
  return {
    Request: holder[kIncomingMessage] as typeof IncomingMessage,
    Response: holder[kServerResponse] as typeof ServerResponse,
  }
}
const kIncomingMessage = symbolOf(plainServer, 'IncomingMessage')
const kServerResponse = symbolOf(plainServer, 'ServerResponse')

/** Where a server, and each of its responses, keeps the `uniqueHeaders` option. */
export const kUniqueHeaders = symbolOf(plainServer, 'kUniqueHeaders')

/** Node's own listeners for `'connection'` and `'secureConnection'`, which would put a parser, or TLS, on the socket. */
export const nativeConnectionListeners: ReadonlySet<unknown> = new Set([
  ...plainServer.listeners('connection'),
  ...new HttpsServer().listeners('connection'),
])

function symbolOf(object: object, description: string): symbol {
  const found = findSymbol(object, description)
  if (found !== undefined) return found
  throw new Error(
    `@httpsys/core does not know this version of Node (${process.version}): node:http has no ${description}`,
  )
}

function findSymbol(object: object, description: string): symbol | undefined {
  for (let holder: object | null = object; holder !== null; holder = Object.getPrototypeOf(holder) as object | null) {
    const found = Object.getOwnPropertySymbols(holder).find((symbol) => symbol.description === description)
    if (found !== undefined) return found
  }
  return undefined
}
