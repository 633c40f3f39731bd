import { writeLatin1 } from '../../base/latin1.ts'
import {
  LENGTH_UNKNOWN,
  MAX_SECONDS_TO_LIVE,
  RESPONSE_CLOSE,
  RESPONSE_KEEP_ALIVE,
  RESPONSE_NO_DATE,
  RESPONSE_OPAQUE,
  RESPONSE_OWN_CONNECTION,
} from '../../queue/exchange.ts'
import type { Chunk, Exchange, ExchangeListener, QueueConnection } from '../../queue/exchange.ts'
import type { OwnerBlocks } from '../blocks/owner-blocks.ts'
import type { FrameWriter } from '../protocol/frame-writer.ts'
import {
  CACHE_POLICY_BYTES,
  FLAG_END,
  FOREVER_SECONDS,
  FRAME_BODY,
  CANCEL_RESET,
  FRAME_CANCEL,
  FRAME_DISCARD,
  FRAME_INFORMATIONAL,
  FRAME_RESPONSE,
  FRAME_TRAILERS,
  HEADER_BYTES,
  REQUEST_EXPECT_CONTINUE,
  REQUEST_EXPECT_OTHER,
  REQUEST_HAS_BODY,
  REQUEST_HTTP_1_0,
  REQUEST_HTTP_2,
  REQUEST_KEEP_ALIVE,
  REQUEST_UPGRADE,
  RESPONSE_FIXED_BYTES,
  RESPONSE_FLAG_CACHE,
  RESPONSE_FLAG_CLOSE,
  RESPONSE_FLAG_HAS_LENGTH,
  RESPONSE_FLAG_KEEP_ALIVE,
  RESPONSE_FLAG_NO_DATE,
  RESPONSE_FLAG_OPAQUE,
  RESPONSE_FLAG_OWN_CONNECTION,
  RESPONSE_FLAG_RAW,
} from '../protocol/frames.ts'
import { CREDIT_STEP_BYTES, MAX_BODY_FRAME_BYTES, WINDOW_BYTES } from '../protocol/limits.ts'
import type { BrokerQueue } from './broker-queue.ts'
import { parseRawHeaders } from './raw-headers.ts'
import { ADDED_BYTES, FLOWING_BYTES, WIDE_STEP_BYTES, wideUploads } from './wide-uploads.ts'

/** What an exchange needs of the session that carries it. */
export interface ExchangeHome {
  readonly writer: FrameWriter
  /** null: bodies go in frames. */
  readonly blocks: OwnerBlocks | null
  onExchangeClosed(exchange: BrokerExchange): void
}

const NO_BYTES = Buffer.alloc(0)
/** Longer texts are not worth copying twice to save a call. */
const MAX_JOINED_BYTES = 1024
/** Most exchanges never have to wait, and need no list of their own. */
const NOTHING: Uint8Array[] = []

/** One request on its way through the broker, seen from the owner's process. */
export class BrokerExchange implements Exchange {
  readonly id: number
  readonly queue: BrokerQueue
  readonly connection: QueueConnection
  readonly method: string
  readonly target: string
  readonly isAlone: boolean
  context: unknown = undefined
  queuedBytes = 0
  /** Nothing more comes from the client. */
  isBodyDone: boolean
  readonly #home: ExchangeHome
  readonly #flags: number
  readonly #head: string
  readonly #fieldsStart: number
  readonly #fieldCount: number
  /** 0: the response is for this request alone. */
  #secondsToLive = 0
  #hasHead = false
  #isSent = false
  /** The connection carries raw bytes both ways. */
  #isOpaque = false
  #window = WINDOW_BYTES
  #granted = 0
  /** Bytes of the request's body that the app has taken. */
  #taken = 0
  /** The body has a wide window. */
  #isWide = false
  /** Pieces that wait for credit, and whether the last of them ends the response. */
  #pending: Uint8Array[] = NOTHING
  #isEndPending = false
  #trailers = ''
  /** Where the head lies while it waits to be sent, and the writer's count of then. */
  #headOffset = 0
  #headMark = -1

  /**
   * @param head - request line and field lines as the client wrote them
   * @param flags - REQUEST_ constants and FLAG_END
   */
  constructor(
    home: ExchangeHome,
    id: number,
    queue: BrokerQueue,
    connection: QueueConnection,
    flags: number,
    head: string,
    methodLength: number,
    targetLength: number,
    fieldCount: number,
    isAlone: boolean,
  ) {
    this.isAlone = isAlone
    this.#home = home
    this.id = id
    this.queue = queue
    this.connection = connection
    this.#flags = flags
    this.#head = head
    this.method = methodLength === 3 && head.startsWith('GET') ? 'GET' : head.slice(0, methodLength)
    this.target = head.slice(methodLength + 1, methodLength + 1 + targetLength)
    // `METHOD target HTTP/1.x CRLF`
    this.#fieldsStart = methodLength + targetLength + 12
    this.#fieldCount = fieldCount
    this.isBodyDone = (flags & REQUEST_HAS_BODY) === 0
  }

  get listener(): ExchangeListener {
    return this.queue.listener
  }

  get majorVersion(): 1 | 2 {
    return (this.#flags & REQUEST_HTTP_2) === 0 ? 1 : 2
  }

  get minorVersion(): 0 | 1 {
    return (this.#flags & (REQUEST_HTTP_1_0 | REQUEST_HTTP_2)) === 0 ? 1 : 0
  }

  get rawHeaders(): string[] {
    return parseRawHeaders(this.#head, this.#fieldsStart, this.#fieldCount)
  }

  get hasBody(): boolean {
    return (this.#flags & REQUEST_HAS_BODY) !== 0
  }

  get isUpgrade(): boolean {
    return (this.#flags & REQUEST_UPGRADE) !== 0
  }

  get isKeepAlive(): boolean {
    return (this.#flags & REQUEST_KEEP_ALIVE) !== 0
  }

  get expectation(): 0 | 1 | 2 {
    if ((this.#flags & REQUEST_EXPECT_CONTINUE) !== 0) return 1
    return (this.#flags & REQUEST_EXPECT_OTHER) !== 0 ? 2 : 0
  }

  grantBody(bytes: number): void {
    if (this.isBodyDone) return
    this.#granted += bytes
    this.#taken += bytes
    // A connection that has left HTTP may stay for days.
    if (!this.#isWide && !this.#isOpaque && this.#taken >= FLOWING_BYTES && wideUploads.take()) {
      this.#isWide = true
      this.#granted += ADDED_BYTES
    }
    if (this.#granted < (this.#isWide ? WIDE_STEP_BYTES : CREDIT_STEP_BYTES)) return
    this.#home.writer.credit(this.id, this.#granted)
    this.#granted = 0
  }

  discardBody(): void {
    if (!this.isBodyDone) this.#home.writer.signal(FRAME_DISCARD, 0, 0, this.id)
  }

  setCachePolicy(secondsToLive: number): void {
    this.#secondsToLive = secondsToLive
  }

  sendInformational(status: number, fields: string): void {
    if (!this.#isSent) this.#home.writer.text(FRAME_INFORMATIONAL, 0, status, this.id, fields, 'latin1')
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
    if (this.#isSent || this.#hasHead) return false
    this.#hasHead = true
    const isOpaque = (flags & RESPONSE_OPAQUE) !== 0
    if (isOpaque) this.#leaveHttp()
    let length = 0
    if (chunk !== null) length = typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding ?? 'utf8') : chunk.length
    // A large first piece takes the way of the others, which waits for credit and does not copy.
    const bodyLength = length <= MAX_BODY_FRAME_BYTES / 4 ? length : 0
    const isWhole = isLast && bodyLength === length
    let frameFlags = isWhole ? FLAG_END : 0
    if ((flags & RESPONSE_CLOSE) !== 0) frameFlags |= RESPONSE_FLAG_CLOSE
    if ((flags & RESPONSE_NO_DATE) !== 0) frameFlags |= RESPONSE_FLAG_NO_DATE
    if ((flags & RESPONSE_KEEP_ALIVE) !== 0) frameFlags |= RESPONSE_FLAG_KEEP_ALIVE
    if (isOpaque) frameFlags |= RESPONSE_FLAG_OPAQUE
    if (contentLength !== LENGTH_UNKNOWN) frameFlags |= RESPONSE_FLAG_HAS_LENGTH
    let policyLength = 0
    if (this.#secondsToLive !== 0 && isLast) {
      frameFlags |= RESPONSE_FLAG_CACHE
      policyLength = CACHE_POLICY_BYTES
    }
    const { writer } = this.#home
    const offset = writer.reserve(
      RESPONSE_FIXED_BYTES + policyLength + reason.length + fields.length + bodyLength,
      FRAME_RESPONSE,
      frameFlags,
      status,
      this.id,
    )
    const { bytes, view } = writer
    view.setUint32(offset + 12, contentLength < 0 ? 0 : contentLength % 0x1_0000_0000, true)
    view.setUint32(offset + 16, contentLength < 0 ? 0 : Math.floor(contentLength / 0x1_0000_0000), true)
    view.setUint32(offset + 20, fields.length, true)
    view.setUint16(offset + 24, reason.length, true)
    view.setUint16(offset + 26, (flags & RESPONSE_OWN_CONNECTION) === 0 ? 0 : RESPONSE_FLAG_OWN_CONNECTION >> 8, true)
    let position = offset + RESPONSE_FIXED_BYTES
    if (policyLength > 0) {
      view.setUint32(position, this.#secondsToLive > MAX_SECONDS_TO_LIVE ? FOREVER_SECONDS : this.#secondsToLive, true)
      position += policyLength
    }
    // UTF-8 that takes a byte for each character is ASCII, and leaves in one piece of text with the fields.
    const isText = typeof chunk === 'string' && bodyLength === chunk.length && (encoding ?? 'utf8') === 'utf8'
    if (reason !== '') position += writeLatin1(bytes, reason, position)
    if (isText && bodyLength <= MAX_JOINED_BYTES) writeLatin1(bytes, fields + chunk, position)
    else {
      if (fields !== '') position += writeLatin1(bytes, fields, position)
      if (isText) writeLatin1(bytes, chunk, position)
      else if (typeof chunk === 'string') bytes.write(chunk, position, bodyLength, encoding ?? 'utf8')
      else if (bodyLength > 0) bytes.set(chunk!, position)
    }
    this.#window -= bodyLength
    if (isWhole) {
      this.#onSent()
      return this.#window > 0
    }
    this.#headOffset = offset
    this.#headMark = writer.flushes
    if (bodyLength < length) return this.sendBody(chunk, encoding, isLast, '')
    return this.#window > 0
  }

  beginRaw(): boolean {
    if (this.#isSent || this.#hasHead || !this.isAlone) return false
    this.#hasHead = true
    this.#leaveHttp()
    const { writer } = this.#home
    const offset = writer.reserve(RESPONSE_FIXED_BYTES, FRAME_RESPONSE, RESPONSE_FLAG_RAW, 200, this.id)
    writer.bytes.fill(0, offset + HEADER_BYTES, offset + RESPONSE_FIXED_BYTES)
    return true
  }

  sendBody(chunk: Chunk | null, encoding: BufferEncoding | null, isLast: boolean, trailers: string): boolean {
    if (this.#isSent) return false
    const bytes = chunk === null ? NO_BYTES : typeof chunk === 'string' ? Buffer.from(chunk, encoding ?? 'utf8') : chunk
    if (isLast) {
      this.#isEndPending = true
      this.#trailers = trailers
    }
    if (bytes.length > 0) {
      if (this.#pending === NOTHING) this.#pending = [bytes]
      else this.#pending.push(bytes)
      this.queuedBytes += bytes.length
    }
    return this.#pump()
  }

  commit(): void {
    this.#headMark = -1
  }

  cancel(isReset = false): void {
    if (this.#isSent && this.isBodyDone) return
    const { writer } = this.#home
    const flags = isReset ? CANCEL_RESET : 0
    // A head that has not left yet never does, as on a socket that is destroyed in the turn of the first write.
    if (!this.#isSent) writer.replace(this.#headOffset, this.#headMark, FRAME_CANCEL, flags)
    // An opaque connection whose side of here has ended would stay until the client ends the other.
    if (!this.#isSent || this.#isOpaque) writer.signal(FRAME_CANCEL, flags, 0, this.id)
    this.#drop()
    this.#endBody()
    this.#onSent()
  }

  /** The broker grants more of the response; returns whether a sender who had to wait may go on, or is done. */
  onCredit(bytes: number): boolean {
    const wasWaiting = this.#window <= 0 || this.#pending.length > 0
    this.#window += bytes
    return !this.#isSent && this.#pump() && wasWaiting
  }

  /** The client's side has ended. */
  onBodyDone(): void {
    this.#endBody()
    this.#closeIfDone()
  }

  /** The session is lost: nothing can be sent any more. */
  onSessionLost(): void {
    this.#drop()
    this.#isSent = true
    this.#endBody()
  }

  #endBody(): void {
    this.isBodyDone = true
    if (!this.#isWide) return
    this.#isWide = false
    wideUploads.giveBack()
  }

  #leaveHttp(): void {
    this.#isOpaque = true
    this.isBodyDone = false
  }

  /** Sends what the window allows; returns whether all of it went and there is room for more. */
  #pump(): boolean {
    const { writer, blocks } = this.#home
    while (this.#pending.length > 0 && this.#window > 0) {
      const piece = this.#pending[0]!
      const length = Math.min(piece.length, this.#window, MAX_BODY_FRAME_BYTES)
      const isWholePiece = length === piece.length
      if (isWholePiece) this.#pending.shift()
      else this.#pending[0] = piece.subarray(length)
      const isEnd = this.#isEndPending && this.#pending.length === 0 && this.#trailers === ''
      const flags = isEnd ? FLAG_END : 0
      const block = blocks === null ? -1 : blocks.put(piece, length)
      if (block === -1) writer.payload(FRAME_BODY, flags, 0, this.id, isWholePiece ? piece : piece.subarray(0, length))
      else writer.block(flags, block, this.id, length)
      this.#window -= length
      this.queuedBytes -= length
      if (isEnd) return this.#onSent()
    }
    if (this.#pending.length > 0) return false
    if (this.#isEndPending) {
      if (this.#trailers === '') writer.signal(FRAME_BODY, FLAG_END, 0, this.id)
      else writer.text(FRAME_TRAILERS, FLAG_END, 0, this.id, this.#trailers, 'latin1')
      return this.#onSent()
    }
    return this.#window > 0
  }

  #drop(): void {
    this.#pending = NOTHING
    this.#isEndPending = false
    this.queuedBytes = 0
  }

  #onSent(): true {
    this.#isSent = true
    this.#closeIfDone()
    return true
  }

  #closeIfDone(): void {
    if (this.#isSent && this.isBodyDone) this.#home.onExchangeClosed(this)
  }
}
