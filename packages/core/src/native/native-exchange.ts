import { RESPONSE_CLOSE, RESPONSE_OPAQUE } from '../queue/exchange.ts'
import type { Chunk, Exchange } from '../queue/exchange.ts'
import { varyOf } from '../base/cacheability.ts'
import type { Member } from '../base/member-list.ts'
import { TOO_LONG_TEXT, announcedLength, bodyLimitOf } from './body-limit.ts'
import { BodyReader } from './body-reader.ts'
import type { BodySink } from './body-reader.ts'
import { isClientGone } from './check.ts'
import type { IoContext } from './io-context.ts'
import type { NativeConnection } from './native-connection.ts'
import type { NativeQueue } from './native-queue.ts'
import type { DecodedRequest } from './request-decoder.ts'
import type { Framing } from './response-encoder.ts'
import { ResponseSender } from './response-sender.ts'
import type { BodyFraming, SendHost } from './response-sender.ts'
import type { Win32Status } from './win32-api.ts'

/** Told when nothing of an exchange is under way any more. */
export interface ExchangeHome {
  onExchangeClosed(exchange: NativeExchange): void
}

/**
 * One request of HTTP.SYS and its response.
 *
 * open ──response sent, body read or not wanted──▶ closed
 * open ──cancel, or the client gone──▶ cancelled ──what was under way has come back──▶ closed
 */
export class NativeExchange implements Exchange, BodySink, SendHost, Member {
  place = -1
  readonly id: bigint
  readonly queue: NativeQueue
  readonly connection: NativeConnection
  readonly method: string
  readonly target: string
  readonly majorVersion: 1 | 2 | 3
  readonly minorVersion: 0 | 1
  readonly rawHeaders: string[]
  readonly hasBody: boolean
  readonly isUpgrade: boolean
  readonly expectation: 0 | 1 | 2
  readonly isKeepAlive: boolean
  readonly isAlone = false
  readonly receivedAt: number | undefined
  context: unknown = undefined
  readonly #isMultiplexed: boolean
  readonly #io: IoContext
  readonly #home: ExchangeHome
  readonly #sender: ResponseSender
  #reader: BodyReader | null = null
  /** Nothing more comes from the client. */
  #isBodyDone: boolean
  #isDiscarding = false
  /** Bytes that the entity body may still have. */
  #bodyBytesLeft: number
  #isOpaque = false
  #secondsToLive = 0
  /** How often the cache had been flushed when the request came. */
  readonly #flushCount: number
  #isCancelled = false
  /** The listener knows that the client has gone. */
  #isGone = false
  #isClosed = false

  constructor(
    io: IoContext,
    home: ExchangeHome,
    queue: NativeQueue,
    connection: NativeConnection,
    request: DecodedRequest,
  ) {
    this.#io = io
    this.#home = home
    this.queue = queue
    this.connection = connection
    this.id = request.id
    this.method = request.method
    this.target = request.target
    this.majorVersion = request.majorVersion
    this.minorVersion = request.majorVersion > 1 ? 0 : request.minorVersion
    this.rawHeaders = request.rawHeaders
    this.hasBody = request.hasBody
    this.isUpgrade = request.isUpgrade
    this.expectation = request.expectation
    this.isKeepAlive = request.isKeepAlive
    this.receivedAt = request.parseStart === 0 ? undefined : io.clock.at(request.parseStart)
    this.#isMultiplexed = request.isMultiplexed
    this.#isBodyDone = !request.hasBody
    this.#bodyBytesLeft = bodyLimitOf(queue.prefix.settings.maxBodySize)
    this.#sender = new ResponseSender(io, queue.handle, this)
    this.#flushCount = queue.flushCount
    connection.add(this)
  }

  get queuedBytes(): number {
    return this.#sender.queuedBytes
  }

  get canFinish(): boolean {
    return this.#isBodyDone || this.#isDiscarding || this.#isOpaque
  }

  /** Refuses the request if it announces more of a body than the prefix allows; nobody hears of it then. */
  refuseLongBody(): boolean {
    if (this.#bodyBytesLeft === Infinity || announcedLength(this.rawHeaders) <= this.#bodyBytesLeft) return false
    this.#isBodyDone = true
    this.#sendTooLong()
    return true
  }

  #sendTooLong(): void {
    const { length } = TOO_LONG_TEXT
    this.sendResponse(413, '', 'Content-Type: text/plain\r\n', length, RESPONSE_CLOSE, TOO_LONG_TEXT, 'latin1', true)
  }

  /** More has come than was announced, or nothing was. What the client does not know yet, it is told; the app sees it gone. */
  #onTooLong(): void {
    this.#isBodyDone = true
    this.#reader?.stop()
    if (!this.#sender.hasHead) this.#sendTooLong()
    else {
      this.#breakOff()
      this.#sender.abort()
    }
    this.#tellGone()
    this.#closeIfDone()
  }

  #deliver(chunk: Buffer): void {
    if (!this.#isOpaque) this.#bodyBytesLeft -= chunk.length
    if (this.#bodyBytesLeft < 0) this.#onTooLong()
    else this.queue.listener.onBody(this, chunk)
  }

  /** Delivers what came of the body with the head, and begins to read the rest. */
  startBody(pieces: Buffer[], hasMore: boolean): void {
    if (this.#isBodyDone) return
    const reader = hasMore ? new BodyReader(this.#io, this.queue.handle, this) : null
    this.#reader = reader
    // A listener may grant from within `onBody`: what is read then comes behind all of these.
    reader?.hold()
    for (const piece of pieces) {
      reader?.spend(piece.length)
      if (!this.#isBodyDone && !this.#isDiscarding) this.#deliver(piece)
    }
    reader?.release()
    if (reader === null) this.onBodyEnd()
    // Reading makes HTTP.SYS say `100 Continue`, which the app may not want.
    else if (this.expectation !== 1 || this.#isDiscarding) reader.pump()
  }

  grantBody(bytes: number): void {
    if (!this.#isBodyDone) this.#reader?.grant(bytes)
  }

  discardBody(): void {
    if (this.#isBodyDone || this.#isDiscarding) return
    this.#isDiscarding = true
    // The last call lets HTTP.SYS read the rest; before it, somebody has to.
    this.#sender.finish()
    if (!this.#sender.isOver) this.#reader?.discard()
  }

  /** HTTP.SYS looks at its own conditions: GET, no Authorization or Range, at most 256 KiB, …. */
  setCachePolicy(secondsToLive: number): void {
    // What was made before a flush must not be kept after it.
    if (this.#flushCount === this.queue.flushCount) this.#secondsToLive = secondsToLive
  }

  /** HTTP.SYS sends `100 Continue` by itself when the body is first read, and has no way to send another 1xx. */
  sendInformational(status: number, _fields: string): void {
    if (status === 100 && !this.#isBodyDone) this.#reader?.pump()
  }

  sendResponse(
    status: number,
    reason: string,
    fields: string,
    contentLength: number,
    flags: number,
    chunk: Chunk | null,
    encoding: BufferEncoding | null,
    isLast: boolean,
  ): boolean {
    if (this.#isCancelled || this.#sender.hasHead) return false
    this.#isOpaque = (flags & RESPONSE_OPAQUE) !== 0
    if (this.#isOpaque) this.#isBodyDone = false
    const body = this.#framingOf(status, contentLength)
    const isClosing = (flags & RESPONSE_CLOSE) !== 0 || (body === 'kernel' && !this.#isMultiplexed)
    const head: Framing = {
      // RFC 9110 section 8.6: never with 204; with HEAD and 304 it tells what GET would have sent.
      contentLength: status === 204 || this.#isOpaque ? -1 : contentLength,
      isChunked: body === 'chunked',
      connection: this.#isOpaque ? 'upgrade' : isClosing && !this.#isMultiplexed ? 'close' : null,
    }
    // HTTP.SYS keeps one response for a URL, whatever Vary says.
    const seconds =
      this.#secondsToLive > 0 && this.method === 'GET' && varyOf(fields).length === 0 ? this.#secondsToLive : 0
    return this.#sender.sendHead(status, reason, fields, head, body, chunk, encoding, isLast, seconds)
  }

  beginRaw(): boolean {
    return false
  }

  sendBody(chunk: Chunk | null, encoding: BufferEncoding | null, isLast: boolean, trailers: string): boolean {
    return !this.#isCancelled && this.#sender.sendBody(chunk, encoding, isLast, trailers)
  }

  commit(): void {}

  cancel(): void {
    if (this.#isCancelled || this.#isClosed || (this.#sender.isOver && this.#isBodyDone)) return
    this.#isCancelled = true
    this.#isBodyDone = true
    this.#breakOff()
    this.#reader?.stop()
    this.#sender.abort()
    this.#closeIfDone()
  }

  /** The client has gone. */
  onDisconnected(): void {
    if (this.#isCancelled || this.#isClosed || (this.#sender.isOver && this.#isBodyDone)) return
    this.#tellGone()
  }

  #tellGone(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#isBodyDone = true
    this.#reader?.stop()
    this.queue.listener.onDisconnect(this, 'reset')
  }

  // What the reader tells

  onBodyBytes(chunk: Buffer): void {
    this.#deliver(chunk)
  }

  onBodyEnd(): void {
    if (this.#isBodyDone) return
    this.#isBodyDone = true
    this.queue.listener.onBodyEnd(this, [])
    if (!this.#isOpaque) this.#sender.finish()
    this.#closeIfDone()
  }

  onBodyBroken(): void {
    // After the last call the request is not known any more, and its body is the kernel's to drain.
    if (this.#sender.isOver) return this.onBodyEnd()
    if (!this.#isBodyDone) this.onDisconnected()
  }

  onReaderIdle(): void {
    this.#closeIfDone()
  }

  // What the sender tells

  onSendRoom(): void {
    if (!this.#isCancelled) this.queue.listener.onWritable(this)
  }

  onOpaque(): void {
    if (this.#isCancelled) return
    this.#reader = new BodyReader(this.#io, this.queue.handle, this)
    this.#reader.pump()
  }

  onSendBroken(status: Win32Status): void {
    this.#breakOff()
    if (isClientGone(status)) this.#tellGone()
    else if (!this.#isCancelled) {
      this.#isBodyDone = true
      this.queue.listener.onLost(this)
    }
  }

  onUnsendable(): void {
    this.#breakOff()
    this.#tellGone()
    this.#sender.abort()
  }

  onSendFinished(): void {
    if (!this.#isBodyDone && this.#isDiscarding && !this.#isCancelled) {
      this.#reader?.stop()
      this.onBodyEnd()
    }
    // A read of an opaque connection that is under way tells the end itself.
    if (this.#isOpaque && !this.#isCancelled && this.#reader?.isReading !== true) this.onBodyEnd()
    this.#closeIfDone()
  }

  /** Ends the client's connection, if this Windows can. */
  #breakOff(): void {
    // Whatever the status: a request that HTTP.SYS does not know any more needs no cancelling.
    this.#io.api.http.HttpCancelHttpRequest?.(this.queue.handle.handle, this.id, 0)
  }

  #framingOf(status: number, contentLength: number): BodyFraming {
    if (this.#isOpaque) return 'opaque'
    if (this.method === 'HEAD' || status === 204 || status === 304) return 'none'
    if (contentLength >= 0) return 'length'
    return this.#isMultiplexed || this.minorVersion === 0 ? 'kernel' : 'chunked'
  }

  #closeIfDone(): void {
    if (this.#isClosed || !this.#sender.isFinished || this.#sender.isSending || this.#reader?.isReading) return
    if (!this.#isBodyDone) return
    this.#isClosed = true
    this.connection.remove(this)
    this.#home.onExchangeClosed(this)
  }
}
