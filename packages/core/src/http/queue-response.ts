import { OutgoingMessage, ServerResponse } from 'node:http'
import type { Exchange } from '../queue/exchange.ts'
import { LENGTH_UNKNOWN, RESPONSE_OPAQUE } from '../queue/exchange.ts'
import { readCachePolicy, secondsToLive } from './cache-policy.ts'
import { kNeedDrain } from './node-internals.ts'
import type { ServerResponseInternals } from './node-internals.ts'
import type { QueueSocket } from './queue-socket.ts'
import { encodeHead, encoded, reasonOf } from './response-head.ts'

export const kExchange = Symbol('httpsys.exchange')
const kStatus = Symbol('httpsys.status')
const kReason = Symbol('httpsys.reason')
const kFields = Symbol('httpsys.fields')
const kRawHead = Symbol('httpsys.rawHead')
const kLength = Symbol('httpsys.contentLength')
const kFlags = Symbol('httpsys.flags')
const kPolicySeconds = Symbol('httpsys.policySeconds')
const kIsEnding = Symbol('httpsys.isEnding')
const kChunk = Symbol('httpsys.chunk')
const kChunkEncoding = Symbol('httpsys.chunkEncoding')
const kOnFinish = Symbol('httpsys.onFinish')
const kWriteCallbacks = Symbol('httpsys.writeCallbacks')
const kOnEnded = Symbol('httpsys.onEnded')

/**
 * A `http.ServerResponse` whose bytes go to a queue.
 *
 * node:http's own methods run unchanged and do all checking; only the four at the bottom, through which they send, are
 * replaced, as own properties: frameworks exchange the prototype of responses (Express), which must not undo this.
 */
export interface QueueResponse extends Omit<ServerResponse, keyof ServerResponseInternals>, ServerResponseInternals {
  [kExchange]: Exchange
  /** The head as it was when `writeHead` was called. */
  [kStatus]: number
  [kReason]: string
  [kFields]: string
  [kLength]: number
  [kFlags]: number
  /** What `cachePolicy` says; -1 when it has not been set. */
  [kPolicySeconds]: number
  /** `end` is running: what it sends leaves in one piece. */
  [kIsEnding]: boolean
  [kChunk]: string | Uint8Array | null
  [kChunkEncoding]: BufferEncoding | null
  /** The beginning of an informational response that comes in pieces. */
  [kRawHead]: string
  [kOnFinish]: (() => void) | null
  [kWriteCallbacks]: (() => void)[] | null
  /** Called once, when everything has been handed to the queue. */
  [kOnEnded]: (response: QueueResponse) => void
}

/** Turns a fresh `ServerResponse` into one that answers the exchange. */
export function bindResponse(
  response: ServerResponse,
  exchange: Exchange,
  onEnded: (response: QueueResponse) => void,
): QueueResponse {
  const bound = response as unknown as QueueResponse
  bound[kExchange] = exchange
  bound[kStatus] = 0
  bound[kReason] = ''
  bound[kFields] = ''
  bound[kRawHead] = ''
  bound[kLength] = LENGTH_UNKNOWN
  bound[kFlags] = 0
  bound[kPolicySeconds] = -1
  bound[kIsEnding] = false
  bound[kChunk] = null
  bound[kChunkEncoding] = null
  bound[kOnFinish] = null
  bound[kWriteCallbacks] = null
  bound[kOnEnded] = onEnded
  bound._storeHeader = storeHeader
  bound._send = send
  bound._writeRaw = writeRaw
  bound._finish = finish
  bound.end = end as QueueResponse['end']
  return bound
}

/** The queue has room again, or has taken the last piece. */
export function onResponseWritable(response: QueueResponse): void {
  const callbacks = response[kWriteCallbacks]
  if (callbacks !== null) {
    response[kWriteCallbacks] = null
    for (const callback of callbacks) callback()
  }
  if (response.finished) {
    response[kOnEnded](response)
    return
  }
  drain(response)
}

function drain(response: QueueResponse): void {
  const flags = response as unknown as Record<symbol, boolean>
  if (!flags[kNeedDrain] || response.destroyed || response.finished) return
  flags[kNeedDrain] = false
  ;(response as unknown as ServerResponse).emit('drain')
}

/** Calls what `end` asked to be called, which emits `'finish'`. */
export function emitFinish(response: QueueResponse): void {
  const onFinish = response[kOnFinish]
  response[kOnFinish] = null
  onFinish?.()
}

function storeHeader(this: QueueResponse, firstLine: string, headers: unknown): void {
  const native = this as unknown as ServerResponse & ServerResponseInternals
  const { statusCode } = native
  encodeHead(native, headers)
  this[kStatus] = statusCode
  this[kReason] = reasonOf(native)
  this[kFields] = encoded.fields
  this[kLength] = encoded.contentLength
  this[kFlags] = encoded.flags
  if (statusCode < 200) {
    if (statusCode !== 101 || !this[kExchange].isUpgrade) throw invalidFinalStatus(statusCode)
    this[kFlags] |= RESPONSE_OPAQUE
  }
  if (encoded.fields.length + this[kReason].length > MAX_HEAD_BYTES) throw tooLarge()
  this._header = `${firstLine}${encoded.fields}\r\n`
}

/** No client takes as much (curl: 300 KiB in all, browsers: 256 KiB, node:http: 16 KiB), and no backend has to. */
const MAX_HEAD_BYTES = 60 * 1024

/** Everything that node:http sends after the head was stored comes through here. */
function send(
  this: QueueResponse,
  data: string | Uint8Array,
  encoding?: BufferEncoding | null,
  callback?: (() => void) | null,
): boolean {
  if (this[kIsEnding]) {
    if (data.length > 0) {
      this[kChunk] = data
      this[kChunkEncoding] = encoding ?? null
    }
    // Node 24 hands over what emits `'finish'` together with the last piece, earlier ones with an empty piece behind it.
    if (typeof callback === 'function') this[kOnFinish] = callback
    return true
  }
  if (this.destroyed) return false
  const exchange = this[kExchange]
  const chunk = data.length > 0 ? data : null
  let hasRoom = true
  if (chunk !== null) countBytes(this, chunk, encoding)
  if (!this._headerSent) hasRoom = sendHead(this, chunk, encoding ?? null, false)
  else if (chunk !== null) hasRoom = exchange.sendBody(chunk, encoding ?? null, false, '')
  if (typeof callback === 'function') afterWrite(this, callback)
  if (!hasRoom || data.length < (this as unknown as ServerResponse).writableHighWaterMark) return hasRoom
  // A stream that has been given more than its high-water mark says so, even when all of it went on at once.
  process.nextTick(drain, this)
  return false
}

/** Sends informational responses, the only text that node:http writes before the head. */
function writeRaw(
  this: QueueResponse,
  data: string | Uint8Array,
  _encoding?: BufferEncoding | null,
  callback?: (() => void) | null,
): boolean {
  const text = this[kRawHead] + String(data)
  if (text.length > MAX_HEAD_BYTES) throw tooLarge()
  const match = /^HTTP\/1\.1 (1\d\d)[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n$/.exec(text)
  this[kRawHead] = match === null ? text : ''
  if (match !== null && !this.destroyed) this[kExchange].sendInformational(Number(match[1]), match[2]!)
  if (typeof callback === 'function') process.nextTick(callback)
  return true
}

function end(this: QueueResponse, chunk?: unknown, encoding?: unknown, callback?: unknown): QueueResponse {
  const { cachePolicy } = this
  // Refused while the app can still answer something else.
  if (cachePolicy !== undefined) this[kPolicySeconds] = readCachePolicy(cachePolicy)
  this[kIsEnding] = !this.finished
  try {
    return nativeEnd.call(
      this as never,
      chunk as never,
      encoding as never,
      callback as never,
    ) as unknown as QueueResponse
  } finally {
    this[kIsEnding] = false
  }
}
// oxlint-disable-next-line typescript/unbound-method -- called with a response
const nativeEnd = OutgoingMessage.prototype.end as (this: unknown, ...args: never[]) => unknown

/** The app has ended the response. */
function finish(this: QueueResponse): void {
  if (this._trailer.length > MAX_HEAD_BYTES) throw tooLarge()
  const exchange = this[kExchange]
  const chunk = this[kChunk]
  const encoding = this[kChunkEncoding]
  this[kChunk] = null
  if (chunk !== null) countBytes(this, chunk, encoding)
  if (!this._headerSent && this._trailer === '') {
    allowCaching(this)
    sendHead(this, chunk, encoding, true)
  } else {
    if (!this._headerSent) sendHead(this, null, null, false)
    exchange.sendBody(chunk, encoding, true, this._trailer)
  }
  nativeFinish.call(this)
  if (exchange.queuedBytes === 0) this[kOnEnded](this)
}
// oxlint-disable-next-line typescript/unbound-method -- called with a response
const nativeFinish = (ServerResponse.prototype as unknown as ServerResponseInternals)._finish as (this: unknown) => void

/** Only whole responses can be cached: those that `end` sends alone. */
function allowCaching(response: QueueResponse): void {
  const policySeconds = response[kPolicySeconds]
  const exchange = response[kExchange]
  const honoursCacheControl = exchange.queue.prefix.settings.responseCache === true
  if (policySeconds === -1 && !honoursCacheControl) return
  const seconds = secondsToLive(response[kStatus], response[kFields], policySeconds, honoursCacheControl)
  if (seconds > 0) exchange.setCachePolicy(seconds)
}

function sendHead(
  response: QueueResponse,
  chunk: string | Uint8Array | null,
  encoding: BufferEncoding | null,
  isLast: boolean,
): boolean {
  response._headerSent = true
  const native = response as unknown as ServerResponse
  const socket = native.socket as unknown as QueueSocket | null
  if (socket !== null) socket.bytesWritten += response[kFields].length
  return response[kExchange].sendResponse(
    response[kStatus],
    response[kReason],
    response[kFields],
    response[kLength],
    response[kFlags],
    chunk,
    encoding,
    isLast,
  )
}

function countBytes(
  response: QueueResponse,
  chunk: string | Uint8Array,
  encoding: BufferEncoding | null | undefined,
): void {
  const socket = (response as unknown as ServerResponse).socket as unknown as QueueSocket | null
  if (socket === null) return
  socket.bytesWritten += typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding ?? 'utf8') : chunk.length
  socket.touch()
}

function afterWrite(response: QueueResponse, callback: () => void): void {
  if (response[kExchange].queuedBytes === 0) process.nextTick(callback)
  else if (response[kWriteCallbacks] === null) response[kWriteCallbacks] = [callback]
  else response[kWriteCallbacks].push(callback)
}

/** The code is that of node:http's client for heads that it refuses to read. */
function tooLarge(): Error {
  const error = new RangeError(
    `The response head is larger than ${MAX_HEAD_BYTES} bytes: send less, or send it in the body`,
  )
  return Object.assign(error, { code: 'ERR_HTTP_HEADERS_TOO_LARGE' })
}

function invalidFinalStatus(status: number): Error {
  const error = new RangeError(`Invalid status code: ${status} is informational and can't end a response`)
  return Object.assign(error, { code: 'ERR_HTTP_INVALID_STATUS_CODE' })
}
