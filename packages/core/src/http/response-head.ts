import { STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http'
import type { ServerResponse } from 'node:http'
import { NO_REASON } from '../base/no-reason.ts'
import {
  LENGTH_UNKNOWN,
  RESPONSE_CLOSE,
  RESPONSE_KEEP_ALIVE,
  RESPONSE_NO_DATE,
  RESPONSE_OWN_CONNECTION,
} from '../queue/exchange.ts'
import { kOutHeaders, kUniqueHeaders } from './node-internals.ts'
import type { ServerResponseInternals } from './node-internals.ts'

/**
 * A response head in the form that a queue takes. Filled by {@link encodeHead}; one object serves all responses, since it is
 * copied out at once.
 */
export const encoded = { fields: '', contentLength: LENGTH_UNKNOWN, flags: 0 }

let hasTransferEncoding = false
let hasDate = false
let hasTrailer = false
let hasConnection = false
let hasKeepAlive = false
let ownsConnection = false

type HeaderValue = string | number | readonly string[]

/**
 * Turns what the app set on a response into field lines, and takes the framing fields out of them: those belong to the backend.
 *
 * @param headers - what node:http hands to `_storeHeader`: its own table, a flat or nested array, or a plain object
 * @param isAlone - the app has its port, and so what it says of the connection, to itself
 */
export function encodeHead(
  response: ServerResponse & ServerResponseInternals,
  headers: unknown,
  isAlone: boolean,
): void {
  ownsConnection = isAlone
  encoded.contentLength = LENGTH_UNKNOWN
  encoded.flags = 0
  hasTransferEncoding = false
  hasDate = false
  hasTrailer = false
  hasKeepAlive = false
  hasConnection = false
  encoded.fields = linesOf(response, headers)
  // `strictContentLength` compares with it.
  if (encoded.contentLength !== LENGTH_UNKNOWN) response._contentLength = encoded.contentLength
  const { statusCode } = response
  if (hasTransferEncoding && (statusCode === 204 || statusCode === 304)) response.shouldKeepAlive = false
  if (!response.shouldKeepAlive) encoded.flags |= RESPONSE_CLOSE
  else if (response.maxRequestsOnConnectionReached && !hasConnection) announceLastRequest()
  if (isAlone && (hasConnection || response._removedConnection)) encoded.flags |= RESPONSE_OWN_CONNECTION
  if ((encoded.flags & RESPONSE_CLOSE) !== 0) response._last = true
  else if (response._keepAliveTimeout && !hasConnection && !hasKeepAlive && !response._removedConnection) {
    addKeepAlive(response)
  }
  if (hasDate || !response.sendDate) encoded.flags |= RESPONSE_NO_DATE
  if (hasTransferEncoding) encoded.contentLength = LENGTH_UNKNOWN
  else if (
    encoded.contentLength === LENGTH_UNKNOWN &&
    response._hasBody &&
    !response._removedContLen &&
    !hasTrailer &&
    typeof response._contentLength === 'number'
  ) {
    encoded.contentLength = response._contentLength
  }
  if (
    hasTrailer &&
    !(response._hasBody && encoded.contentLength === LENGTH_UNKNOWN && response.req.httpVersion !== '1.0')
  ) {
    throw Object.assign(new Error('Trailers are invalid with this transfer encoding'), {
      code: 'ERR_HTTP_TRAILER_INVALID',
    })
  }
}

/** node:http says close and leaves it to the client; what still comes is answered with 503. */
function announceLastRequest(): void {
  if (!ownsConnection) encoded.flags |= RESPONSE_CLOSE
  else {
    encoded.fields += 'Connection: close\r\n'
    hasConnection = true
  }
}

/** What node:http tells the client of the connection's future. */
function addKeepAlive(response: ServerResponse & ServerResponseInternals): void {
  const max = response._maxRequestsPerSocket > 0 ? `, max=${response._maxRequestsPerSocket}` : ''
  encoded.fields += `Keep-Alive: timeout=${Math.floor(response._keepAliveTimeout / 1000)}${max}\r\n`
  encoded.flags |= RESPONSE_KEEP_ALIVE
}

/** The reason phrase to send, empty when it is the usual one, {@link NO_REASON} when there is none. */
export function reasonOf(response: ServerResponse): string {
  const { statusMessage } = response
  if (statusMessage === '') return NO_REASON
  return statusMessage === STATUS_CODES[response.statusCode] ? '' : statusMessage
}

/** The field lines; they are put together in a variable, since to change a property costs more than to lengthen a text. */
function linesOf(response: ServerResponse & ServerResponseInternals, headers: unknown): string {
  if (headers === undefined || headers === null) return ''
  let lines = ''
  if (headers === (response as unknown as Record<symbol, unknown>)[kOutHeaders]) {
    const table = headers as Record<string, [string, HeaderValue]>
    for (const key in table) {
      const entry = table[key]!
      lines += linesOfField(response, entry[0], entry[1], false)
    }
  } else if (Array.isArray(headers)) lines = linesOfArray(response, headers as unknown[])
  else {
    const object = headers as Record<string, HeaderValue>
    for (const name in object) {
      if (Object.hasOwn(object, name)) lines += linesOfField(response, name, object[name]!, true)
    }
  }
  return lines
}

function linesOfArray(response: ServerResponse & ServerResponseInternals, headers: unknown[]): string {
  let lines = ''
  if (Array.isArray(headers[0])) {
    for (const [name, value] of headers as [string, HeaderValue][]) lines += linesOfField(response, name, value, true)
    return lines
  }
  if (headers.length % 2 !== 0) {
    const error = new TypeError(`The argument 'headers' is invalid. Received ${JSON.stringify(headers)}`)
    throw Object.assign(error, { code: 'ERR_INVALID_ARG_VALUE' })
  }
  for (let index = 0; index < headers.length; index += 2) {
    lines += linesOfField(response, headers[index] as string, headers[index + 1] as HeaderValue, true)
  }
  return lines
}

function linesOfField(
  response: ServerResponse & ServerResponseInternals,
  name: string,
  value: HeaderValue,
  isUnchecked: boolean,
): string {
  if (isUnchecked) validateHeaderName(name)
  if (!Array.isArray(value)) return lineOf(name, value as string | number, isUnchecked)
  const isUnique = uniqueHeadersOf(response)?.has(name.toLowerCase()) === true
  // node:http joins several cookies into one field, and fields that the server was told to keep unique.
  if (isUnique || (value.length > 1 && name.toLowerCase() === 'cookie')) {
    return lineOf(name, value.join('; '), isUnchecked)
  }
  let lines = ''
  for (const item of value as string[]) lines += lineOf(name, item, isUnchecked)
  return lines
}

/** Empty for a field that the backend writes. */
function lineOf(name: string, value: string | number, isUnchecked: boolean): string {
  if (isUnchecked) validateHeaderValue(name, value as string)
  return isFraming(name, value) ? '' : `${name}: ${value}\r\n`
}

/** Notes what a field says about framing, date and trailers; returns whether the backend writes it. */
function isFraming(name: string, value: string | number): boolean {
  switch (name.length) {
    case 4:
      if (name.toLowerCase() === 'date') hasDate = true
      return false
    case 7:
      if (name.toLowerCase() === 'trailer') hasTrailer = true
      return false
    case 10: {
      const lower = name.toLowerCase()
      if (lower === 'keep-alive') {
        hasKeepAlive = true
        encoded.flags |= RESPONSE_KEEP_ALIVE
      }
      if (lower !== 'connection') return false
      hasConnection = true
      if (/close/i.test(String(value))) encoded.flags |= RESPONSE_CLOSE
      return !ownsConnection
    }
    case 14: {
      if (name.toLowerCase() !== 'content-length') return false
      const length = Number(value)
      if (Number.isSafeInteger(length) && length >= 0) encoded.contentLength = length
      return true
    }
    case 16:
      return name.toLowerCase() === 'proxy-connection'
    case 17:
      if (name.toLowerCase() !== 'transfer-encoding') return false
      hasTransferEncoding = true
      return true
    default:
      return false
  }
}

function uniqueHeadersOf(response: ServerResponse): Set<string> | undefined {
  return (response as unknown as Record<symbol, Set<string> | undefined>)[kUniqueHeaders]
}
