import { OutgoingMessage, ServerResponse } from 'node:http'
import type { Exchange } from '../queue/exchange.ts'
import { LENGTH_UNKNOWN, RESPONSE_OPAQUE } from '../queue/exchange.ts'
import { readCachePolicy, secondsToLive } from './cache-policy.ts'
import { canEndDirectly, finishDirectly, implyHead } from './direct-end.ts'
import { kNeedDrain } from './node-internals.ts'
import type { ServerResponseInternals } from './node-internals.ts'
import type { QueueSocket } from './queue-socket.ts'
import type { ResponseTimings } from './request-timings.ts'
import { encodeHead, encoded, reasonOf } from './response-head.ts'
import { setHeader } from './set-header.ts'

type NativeResponse = ServerResponse & ServerResponseInternals

const kState = Symbol('httpsys.response')

/** What a response keeps besides node:http's own state; one object, since every further property of its own costs a response much more. */
class ResponseState {
  readonly exchange: Exchange
  /** Called once, when everything has been handed to the queue. */
  readonly onEnded: (response: QueueResponse) => void
  /** The head as it was when `writeHead` was called. */
  status = 0
  reason = ''
  fields = ''
  contentLength = LENGTH_UNKNOWN
  flags = 0
  /** What `cachePolicy` says; -1 when it has not been set. */
  policySeconds = -1
  /** `end` is running: what it sends leaves in one piece. */
  isEnding = false
  /** `end` did without node:http's own, and what that does last is still to be done. */
  isEndedDirectly = false
  chunk: string | Uint8Array | null = null
  chunkEncoding: BufferEncoding | null = null
  /** The beginning of an informational response that comes in pieces. */
  rawHead = ''
  /** What node:http's `end` wants to be called when all has been sent; it emits `'finish'`. */
  onFinish: (() => void) | null = null
  writeCallbacks: (() => void)[] | null = null
  /** `write` was given a callback, which comes before what follows the end. */
  hasWriteCallback = false
  /** Bytes written in this turn, which node:http would still hold. */
  turnBytes = 0
  /** The queue has no room; it will say when it has. */
  isFull = false
  /** What is sent waits here while an earlier response of the connection is under way; null when it is this one's turn. */
  held: (() => void)[] | null = null
  /** Where somebody wants to read when it left; null when nobody does. */
  timings: ResponseTimings | null = null

  constructor(exchange: Exchange, onEnded: (response: QueueResponse) => void) {
    this.exchange = exchange
    this.onEnded = onEnded
  }
}

/**
 * A `http.ServerResponse` whose bytes go to a queue.
 *
 * node:http's own methods run unchanged and do all checking; only the four at the bottom, through which they send, are
 * replaced, as own properties: frameworks exchange the prototype of responses (Express), which must not undo this.
 */
export interface QueueResponse extends Omit<ServerResponse, keyof ServerResponseInternals>, ServerResponseInternals {
  [kState]: ResponseState
}

/** Turns a fresh `ServerResponse` into one that answers the exchange. */
export function bindResponse(
  response: ServerResponse,
  exchange: Exchange,
  onEnded: (response: QueueResponse) => void,
): QueueResponse {
  const bound = response as unknown as QueueResponse
  bound[kState] = new ResponseState(exchange, onEnded)
  bound._storeHeader = storeHeader
  bound._send = send
  bound._writeRaw = writeRaw
  bound._finish = finish
  bound.end = end as QueueResponse['end']
  bound.setHeader = setHeader as unknown as QueueResponse['setHeader']
  return bound
}

/** An earlier response of the connection is still under way: what the app sends waits, as node:http lets it wait. */
export function holdResponse(response: QueueResponse): void {
  response[kState].held = []
}

/** It is the response's turn: sends what has waited. */
export function takeTurn(response: QueueResponse): void {
  const state = response[kState]
  const { held } = state
  state.held = null
  response.outputSize = 0
  for (const piece of held ?? []) piece()
  if (response.finished) finish.call(response)
}

/** From now on it is noted when the response leaves; nothing of one that is not sent to a queue. */
export function noteTimings(response: ServerResponse, timings: ResponseTimings): void {
  const state = (response as unknown as Partial<QueueResponse>)[kState]
  if (state !== undefined) state.timings = timings
}

export function exchangeOf(response: QueueResponse): Exchange {
  return response[kState].exchange
}

/** The queue has room again, or has taken the last piece. */
export function onResponseWritable(response: QueueResponse): void {
  const state = response[kState]
  state.isFull = false
  const callbacks = state.writeCallbacks
  if (callbacks !== null) {
    state.writeCallbacks = null
    for (const callback of callbacks) callback()
  }
  if (response.finished) {
    onEnded(response, state)
    return
  }
  drain(response)
}

/** The queue has all of the response. */
function onEnded(response: QueueResponse, state: ResponseState): void {
  if (state.timings !== null) state.timings.responseEnd ??= performance.now()
  state.onEnded(response)
}

function drain(response: QueueResponse): void {
  const flags = response as unknown as Record<symbol, boolean>
  if (!flags[kNeedDrain] || response.destroyed || response.finished) return
  flags[kNeedDrain] = false
  ;(response as unknown as ServerResponse).emit('drain')
}

/** Calls what `end` asked to be called, which emits `'finish'`; it has seen to that itself where nothing was left to send. */
export function emitFinish(response: QueueResponse): void {
  const state = response[kState]
  const { onFinish } = state
  state.onFinish = null
  if (onFinish !== null) onFinish()
  else if (state.isEndedDirectly) finishDirectly(response as unknown as NativeResponse)
}

/** Whether somebody could notice when and in which context `'finish'` is emitted. */
export function isWatched(response: QueueResponse): boolean {
  const { onFinish, hasWriteCallback } = response[kState]
  return response._eventsCount > 0 || onFinish !== null || hasWriteCallback
}

function storeHeader(this: QueueResponse, firstLine: string, headers: unknown): void {
  const native = this as unknown as ServerResponse & ServerResponseInternals
  const state = this[kState]
  const { statusCode } = native
  encodeHead(native, headers, state.exchange.isAlone)
  const { fields } = encoded
  state.status = statusCode
  state.reason = reasonOf(native)
  state.fields = fields
  state.contentLength = encoded.contentLength
  state.flags = encoded.flags
  if (statusCode === 101) {
    if (!state.exchange.isUpgrade) throw notSwitched()
    state.flags |= RESPONSE_OPAQUE
  }
  if (fields.length + state.reason.length > MAX_HEAD_BYTES) throw tooLarge()
  this._header = `${firstLine}${fields}\r\n`
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
  const state = this[kState]
  if (state.held !== null) this.outputSize += data.length
  if (state.isEnding) {
    if (data.length > 0) {
      state.chunk = data
      state.chunkEncoding = encoding ?? null
    }
    // Node 24 hands over what emits `'finish'` together with the last piece, earlier ones with an empty piece behind it.
    if (typeof callback === 'function') state.onFinish = callback
    return true
  }
  if (this.destroyed) return false
  if (state.held !== null) {
    state.held.push(() => send.call(this, data, encoding, callback))
    return this.outputSize < (this as unknown as ServerResponse).writableHighWaterMark
  }
  const { exchange } = state
  const chunk = data.length > 0 ? data : null
  let hasRoom = true
  if (chunk !== null) countBytes(this, chunk, encoding)
  if (state.turnBytes === 0) process.nextTick(endTurn, this)
  state.turnBytes += data.length
  if (!this._headerSent) hasRoom = sendHead(this, chunk, encoding ?? null, false)
  else if (chunk !== null) hasRoom = exchange.sendBody(chunk, encoding ?? null, false, '')
  if (typeof callback === 'function') afterWrite(this, callback)
  state.isFull = !hasRoom
  // A stream that has been given more than its high-water mark in one turn says so, even when the queue has taken all of it.
  return hasRoom && state.turnBytes < (this as unknown as ServerResponse).writableHighWaterMark
}

/** What was written in the turn is on its way. */
function endTurn(response: QueueResponse): void {
  const state = response[kState]
  state.turnBytes = 0
  state.exchange.commit()
  if (!state.isFull) drain(response)
}

/** Sends informational responses, the only text that node:http writes before the head. */
function writeRaw(
  this: QueueResponse,
  data: string | Uint8Array,
  encoding?: BufferEncoding | (() => void) | null,
  callback?: (() => void) | null,
): boolean {
  const state = this[kState]
  if (state.held !== null) {
    state.held.push(() => writeRaw.call(this, data, encoding, callback))
    return true
  }
  const written = typeof encoding === 'function' ? encoding : callback
  const text = state.rawHead + String(data)
  if (text.length > MAX_HEAD_BYTES) throw tooLarge()
  const match = /^HTTP\/1\.1 (1\d\d)[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n$/.exec(text)
  state.rawHead = match === null ? text : ''
  if (match !== null && !this.destroyed) state.exchange.sendInformational(Number(match[1]), match[2]!)
  if (typeof written === 'function') process.nextTick(written)
  return true
}

function end(this: QueueResponse, chunk?: unknown, encoding?: unknown, callback?: unknown): QueueResponse {
  const native = this as unknown as NativeResponse
  const state = this[kState]
  const { cachePolicy } = this
  // Refused while the app can still answer something else.
  if (cachePolicy !== undefined) state.policySeconds = readCachePolicy(cachePolicy)
  if (canEndDirectly(native, chunk, encoding, callback)) {
    const isEmpty = chunk === null || chunk === undefined || chunk.length === 0
    const length = isEmpty
      ? 0
      : typeof chunk === 'string'
        ? Buffer.byteLength(chunk, encoding as BufferEncoding)
        : chunk.length
    if (implyHead(native, length)) {
      if (!isEmpty && native._hasBody) {
        state.chunk = chunk
        state.chunkEncoding = (encoding as BufferEncoding | undefined) ?? null
      }
      this.finished = true
      state.isEndedDirectly = true
      finish.call(this)
      return this
    }
  }
  state.isEnding = !this.finished
  try {
    return nativeEnd.call(
      this as never,
      chunk as never,
      encoding as never,
      callback as never,
    ) as unknown as QueueResponse
  } finally {
    state.isEnding = false
  }
}
// oxlint-disable-next-line typescript/unbound-method -- called with a response
const nativeEnd = OutgoingMessage.prototype.end as (this: unknown, ...args: never[]) => unknown

/** The app has ended the response. */
function finish(this: QueueResponse): void {
  if (this._trailer.length > MAX_HEAD_BYTES) throw tooLarge()
  const state = this[kState]
  const { exchange, chunk, chunkEncoding } = state
  state.chunk = null
  if (chunk !== null) countBytes(this, chunk, chunkEncoding)
  if (!this._headerSent && this._trailer === '') {
    allowCaching(state)
    sendHead(this, chunk, chunkEncoding, true)
  } else {
    if (!this._headerSent) sendHead(this, null, null, false)
    exchange.sendBody(chunk, chunkEncoding, true, this._trailer)
  }
  nativeFinish.call(this)
  if (exchange.queuedBytes === 0) onEnded(this, state)
}
// oxlint-disable-next-line typescript/unbound-method -- called with a response
const nativeFinish = (ServerResponse.prototype as unknown as ServerResponseInternals)._finish as (this: unknown) => void

/** Only whole responses can be cached: those that `end` sends alone. */
function allowCaching({ exchange, policySeconds, status, fields }: ResponseState): void {
  const honoursCacheControl = exchange.queue.prefix.settings.responseCache === true
  if (policySeconds === -1 && !honoursCacheControl) return
  const seconds = secondsToLive(status, fields, policySeconds, honoursCacheControl)
  if (seconds > 0) exchange.setCachePolicy(seconds)
}

function sendHead(
  response: QueueResponse,
  chunk: string | Uint8Array | null,
  encoding: BufferEncoding | null,
  isLast: boolean,
): boolean {
  response._headerSent = true
  const { exchange, status, reason, fields, contentLength, flags, timings } = response[kState]
  if (timings !== null) timings.responseStart = performance.now()
  const socket = (response as unknown as ServerResponse).socket as unknown as QueueSocket | null
  if (socket !== null) socket.bytesWritten += fields.length
  if (status < 200 && status !== 101) {
    // The client goes on waiting for an answer that never comes; on a connection that stays it would take the next one for it.
    exchange.sendInformational(status, fields)
    exchange.cancel()
    return true
  }
  return exchange.sendResponse(status, reason, fields, contentLength, flags, chunk, encoding, isLast)
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
  const state = response[kState]
  state.hasWriteCallback = true
  if (state.exchange.queuedBytes === 0) process.nextTick(callback)
  else if (state.writeCallbacks === null) state.writeCallbacks = [callback]
  else state.writeCallbacks.push(callback)
}

/** The code is that of node:http's client for heads that it refuses to read. */
function tooLarge(): Error {
  const error = new RangeError(
    `The response head is larger than ${MAX_HEAD_BYTES} bytes: send less, or send it in the body`,
  )
  return Object.assign(error, { code: 'ERR_HTTP_HEADERS_TOO_LARGE' })
}

function notSwitched(): Error {
  const error = new RangeError('Invalid status code: 101 answers only requests that ask for another protocol')
  return Object.assign(error, { code: 'ERR_HTTP_INVALID_STATUS_CODE' })
}
