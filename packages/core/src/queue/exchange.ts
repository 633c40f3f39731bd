import type { TlsInfo } from '../base/tls-info.ts'
import type { UrlPrefix } from '../base/url-prefix.ts'

/** The owner asks that the connection be closed after this response. */
export const RESPONSE_CLOSE = 1
/** The backend adds no Date field: the app has written its own, or wants none. */
export const RESPONSE_NO_DATE = 2
/** Status 101 only: after this head the connection carries raw bytes both ways (HTTP.SYS: HTTP_SEND_RESPONSE_FLAG_OPAQUE). */
export const RESPONSE_OPAQUE = 4

/** The field lines contain a Keep-Alive of the app's; the backend adds none. */
export const RESPONSE_KEEP_ALIVE = 8
/** Only where {@link Exchange.isAlone}: the field lines say all that the client is told of the connection, the backend adds no Connection. */
export const RESPONSE_OWN_CONNECTION = 16

/** The time to live of a response that a cache may keep until it is told otherwise (HTTP.SYS: HttpCachePolicyUserInvalidates). */
export const UNTIL_INVALIDATED = Infinity
/** The longest time to live in seconds that is not {@link UNTIL_INVALIDATED}; a year and more, as much as caches are asked for. */
export const MAX_SECONDS_TO_LIVE = 0x7fff_ffff

/** Says that the length of a response's body is not known yet. */
export const LENGTH_UNKNOWN = -1

/** A piece of a body: text with its encoding, or bytes that the caller will not change again. */
export type Chunk = string | Uint8Array

/** How a client left: `end` is a FIN (it may still read), `reset` means that nothing can be sent any more. */
export type DisconnectKind = 'end' | 'reset'

/** What is known of the TCP connection that carried a request; one object for all requests of one connection in one process. */
export interface QueueConnection {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly encrypted: boolean
  /** What TLS has agreed on, as far as the backend tells; undefined without TLS. */
  readonly tls?: TlsInfo | undefined
  /** Belongs to the layer above, of which several parts may share the connection. */
  context?: unknown
  /** Set by the layer above, and called once: the connection has ended and none of its exchanges is open. */
  onClosed?: (() => void) | undefined
  /**
   * Asks a client that has shown no certificate for one, while a request of it is open; resolves to what TLS has agreed on then.
   * Missing where a certificate is asked for when the connection begins, or never.
   */
  requestCertificate?(): Promise<TlsInfo | undefined>
  /**
   * Closes the connection if it is idle and this process was the last to answer on it.
   *
   * @param isEnd - where {@link Exchange.isAlone}: nor is it to stay when it is not idle
   */
  closeIfIdle?(isEnd?: boolean): void
}

/** What a server that has its port to itself wants of its connections; milliseconds, 0 for no limit. */
export interface PrivatePortLimits {
  readonly headersTimeout: number
  readonly requestTimeout: number
  readonly maxHeaderBytes: number
}

/** Why a request could not be read. */
export interface ClientError {
  /** node:http's code: `HPE_…`, or `ERR_HTTP_REQUEST_TIMEOUT`. */
  readonly code: string
  /** What was read last, as far as it was kept. */
  readonly rawPacket: Buffer
}

/**
 * One request and its response, as a backend hands it to the layer above.
 *
 * The head is complete on arrival. The entity body follows through {@link ExchangeListener.onBody} as far as
 * {@link Exchange.grantBody} allows. A response is `sendInformational* sendResponse sendBody* (last)`; after the last piece,
 * or after `cancel`, nothing more may be sent.
 */
export interface Exchange {
  readonly queue: RequestQueue
  readonly connection: QueueConnection
  readonly method: string
  /** The request target as the client wrote it. */
  readonly target: string
  /** Of HTTP: the client's, whatever carried the request here. */
  readonly majorVersion: 1 | 2 | 3
  readonly minorVersion: 0 | 1
  /** Names and values in turn, as the client wrote them. */
  readonly rawHeaders: string[]
  /** An entity body follows, perhaps an empty one. */
  readonly hasBody: boolean
  /** The client offers to leave HTTP (`Connection: upgrade` with an `Upgrade` field). */
  readonly isUpgrade: boolean
  /** 0: no Expect field, 1: `100-continue`, 2: something else. */
  readonly expectation: 0 | 1 | 2
  /** The client is willing to send another request on this connection. */
  readonly isKeepAlive: boolean
  /** The port belongs to this queue alone, and its connections with it: the app may frame by itself and say Connection. */
  readonly isAlone: boolean
  /** When the system's own HTTP stack had the request, in milliseconds of `performance.now()`; undefined where there is none that tells. */
  readonly receivedAt?: number | undefined
  /** Belongs to the layer above. */
  context: unknown

  /**
   * Allows the backend to deliver `bytes` more of the entity body; a window is open from the start. What is at hand may be delivered
   * before the call returns.
   */
  grantBody(bytes: number): void
  /** The rest of the entity body is not wanted: it is read and dropped, then `onBodyEnd` follows. */
  discardBody(): void
  /**
   * Allows the backend to answer other requests for the same thing with the response that `sendResponse` sends next, whole, without
   * asking the app. A backend without a cache just sends, and so does one whose conditions the request or the response does not meet.
   *
   * @param secondsToLive - 1 to {@link MAX_SECONDS_TO_LIVE}, or {@link UNTIL_INVALIDATED}
   * @see HTTP_CACHE_POLICY
   */
  setCachePolicy(secondsToLive: number): void
  /** Sends a 1xx head; `fields` are complete lines, `Name: value\r\n`. */
  sendInformational(status: number, fields: string): void
  /**
   * Sends the head and, if given, the first piece of the body.
   *
   * `fields` are complete lines without Content-Length, Transfer-Encoding and Connection: framing belongs to the backend
   * ({@link RESPONSE_OWN_CONNECTION} is the exception). `reason` is empty for the usual one, and `NO_REASON` for none.
   * `contentLength` is in bytes or {@link LENGTH_UNKNOWN}; `flags` are the RESPONSE_ constants.
   * Returns whether more may be written now; if not, `onWritable` tells when.
   */
  sendResponse(
    status: number,
    reason: string,
    fields: string,
    contentLength: number,
    flags: number,
    chunk: Chunk | null,
    encoding: BufferEncoding | null,
    isLast: boolean,
  ): boolean
  /**
   * Where {@link isAlone}: in place of `sendResponse`, everything that `sendBody` gets is written as it is, head included.
   * Returns false when that can't be, since a head was sent or the port is shared; else what the client has sent behind its head
   * follows at once, and then an empty piece.
   */
  beginRaw(): boolean
  /** Sends a piece of the body; `trailers` are complete lines and go with the last piece only. */
  sendBody(chunk: Chunk | null, encoding: BufferEncoding | null, isLast: boolean, trailers: string): boolean
  /** Bytes accepted by the methods above and not yet handed on. */
  readonly queuedBytes: number
  /** What has been sent so far reaches the client, even if `cancel` follows; before it a head that has not left may be taken back. */
  commit(): void
  /**
   * Ends the exchange without a complete response: the client's connection is closed (HttpCancelHttpRequest).
   *
   * @param isReset - by a reset, where the backend can choose
   */
  cancel(isReset?: boolean): void
}

/** What the layer above does with the events of one queue. No method may throw. */
export interface ExchangeListener {
  /** Several requests may follow in this call of the backend, and {@link ExchangeListener.onBatchEnd} before it returns. */
  onBatchBegin?(): void
  onRequest(exchange: Exchange): void
  onBatchEnd?(): void
  /** A piece of the entity body, or raw bytes after an opaque response; the bytes belong to the receiver. */
  onBody(exchange: Exchange, chunk: Buffer): void
  /** The entity body is complete, or the client has ended its side of an opaque connection. */
  onBodyEnd(exchange: Exchange, rawTrailers: string[]): void
  /** A send had returned false: there is room again, or, after the last piece, all of it has been handed on. */
  onWritable(exchange: Exchange): void
  /** The client is gone. The exchange stays valid until the layer above ends or cancels it. */
  onDisconnect(exchange: Exchange, kind: DisconnectKind): void
  /** The backend lost the exchange (the broker died): nothing can be sent any more. */
  onLost(exchange: Exchange): void
  /** Private ports: a client has connected. */
  onConnection?(connection: QueueConnection): void
  /** Private ports: a request can't be read, the one under way or a new one. It is the listener's to answer, or to cancel. */
  onClientError?(exchange: Exchange, error: ClientError): void
  /** Another process has taken the prefix over: no further request follows, what was begun here goes on. */
  onQueueRevoked(queue: RequestQueue): void
  /** The claim itself is lost and can't be had again. */
  onQueueLost(queue: RequestQueue, error: Error): void
}

/** Where a queue listens, as `server.address()` shows it. */
export interface QueueAddress {
  readonly address: string
  readonly family: 'IPv4' | 'IPv6'
  readonly port: number
}

/** A live claim of a prefix: requests arrive at the listener it was opened with until it is shut down. */
export interface RequestQueue {
  /** Of which backend it is: `native` (HTTP.SYS), `broker`, `memory`, or another's own word. */
  readonly backend: string
  /** What the system calls the queue, where its queues have names of their own (HTTP.SYS); null elsewhere. */
  readonly name: string | null
  /** The prefix as registered, with the real port. */
  readonly prefix: UrlPrefix
  readonly address: QueueAddress
  /**
   * Gives the prefix back. After the promise resolves no further request arrives; open exchanges go on.
   *
   * @param isHeld - requests that come meanwhile wait for the next owner, where the backend can do that
   */
  shutdown(isHeld?: boolean): Promise<void>
  /** Resolves when what has been sent so far no longer needs this process, which may end then, or is lost. */
  whenSent(): Promise<void>
  /**
   * Forgets responses that were cached for this queue. Once the promise has resolved no request is answered with one of them, nor
   * with a response to a request that was delivered before the call.
   *
   * @param path - of the URL, as in a prefix: what it names, with any query; with a slash at its end also what is below it
   */
  flushResponseCache(path: string): Promise<void>
  /** Whether the open queue keeps the process alive; it does unless `false` was set. */
  setRef(isRef: boolean): void
}

/** A port that this process listens on already, on its way to the backend: clients can connect, and wait for the queue. */
export interface PortReservation {
  /** With the real port. */
  readonly prefix: UrlPrefix
  readonly address: QueueAddress
  /** Set: the port is for this one queue alone; called when it is claimed. */
  privatePort?: (() => PrivatePortLimits) | undefined
  /** Gives the port back, unless a queue has been opened with it; may be called again. */
  release(): void
  /** Of a private port: from now on no client connects, though the backend has yet to hear that the queue is closed. */
  refuse(): void
}

/** Opens a queue for a prefix, on the port that was reserved for it if one was. */
export type OpenQueue = (
  prefix: UrlPrefix,
  listener: ExchangeListener,
  reservation?: PortReservation,
) => Promise<RequestQueue>

/** What a backend gives to the layers above. */
export interface QueueBackend {
  readonly open: OpenQueue
  /**
   * Listens on the port of a prefix before it returns, as node:http does, so that `address()` is right at once.
   *
   * Undefined when this system can't, and `open` has to do it.
   *
   * @param host - the one address to listen on, instead of those that the prefix needs
   * @throws HttpSysError `EADDRINUSE`, `EACCES`, `EINVAL`
   */
  reserve(prefix: UrlPrefix, host?: string): PortReservation | undefined
}
