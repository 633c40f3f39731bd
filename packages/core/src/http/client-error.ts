import { METHODS, maxHeaderSize } from 'node:http'
import type { Server } from 'node:http'
import type { Exchange } from '../queue/exchange.ts'
import type { QueueSocket } from './queue-socket.ts'

/** What node:http answers, by the code of the error; 400 for all others. */
const STATUS_LINES: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

const MESSAGES: Record<string, string> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'Request timeout',
  HPE_HEADER_OVERFLOW: `Parse Error: Header overflow (limit ${maxHeaderSize})`,
  HPE_INVALID_METHOD: 'Parse Error: Invalid method encountered',
  HPE_INVALID_CONSTANT: 'Parse Error: Expected HTTP/, RTSP/ or ICE/',
  HPE_INVALID_VERSION: 'Parse Error: Invalid HTTP version',
  HPE_INVALID_HEADER_TOKEN: 'Parse Error: Invalid header token',
  HPE_INVALID_CONTENT_LENGTH: 'Parse Error: Invalid character in Content-Length',
  HPE_INVALID_TRANSFER_ENCODING: 'Parse Error: Request has invalid `Transfer-Encoding`',
  HPE_LF_EXPECTED: 'Parse Error: Missing expected LF after header value',
  HPE_UNEXPECTED_CONTENT_LENGTH: 'Parse Error: Duplicate Content-Length',
  HPE_INVALID_CHUNK_SIZE: 'Parse Error: Invalid character in chunk size',
}

/** node:http's parser knows those of RTSP too, and counts how far it could follow one. */
const METHOD_NAMES = [...METHODS, 'DESCRIBE', 'SETUP', 'PLAY', 'PAUSE', 'TEARDOWN', 'GET_PARAMETER', 'SET_PARAMETER']
METHOD_NAMES.push('REDIRECT', 'RECORD', 'FLUSH', 'ANNOUNCE')
/** It reads the method first, whatever else is wrong with the line. */
const BEHIND_METHOD = new Set(['HPE_INVALID_METHOD', 'HPE_INVALID_URL', 'HPE_INVALID_CONSTANT', 'HPE_INVALID_VERSION'])

/** What node:http's parser says of a line whose method it does not know; undefined when it does. */
function unknownMethod(rawPacket: Buffer): number | undefined {
  const word = /^[^ ]{0,32}/.exec(rawPacket.toString('latin1', 0, 32))![0]
  if (METHODS.includes(word)) return undefined
  for (let length = word.length; length > 0; length--) {
    if (METHOD_NAMES.some((name) => name.startsWith(word.slice(0, length)))) return length
  }
  return 0
}

/** The error that `'clientError'` hands to apps: code and raw packet as node:http's parser gives them. */
export function clientErrorOf(given: string, rawPacket: Buffer): Error {
  const followed = BEHIND_METHOD.has(given) ? unknownMethod(rawPacket) : undefined
  const code = followed === undefined ? given : 'HPE_INVALID_METHOD'
  const error = new Error(
    MESSAGES[code] ?? `Parse Error: ${code.replace(/^HPE_/, '').replaceAll('_', ' ').toLowerCase()}`,
  )
  if (code.startsWith('ERR_')) return Object.assign(error, { code })
  return Object.assign(error, {
    code,
    reason: error.message.replace('Parse Error: ', ''),
    bytesParsed: followed ?? 0,
    rawPacket,
  })
}

/** The head of a request, for `'clientError'`, as near as can be to what came. */
export function packetOf({ method, target, minorVersion, rawHeaders }: Exchange): Buffer {
  let text = `${method} ${target} HTTP/1.${minorVersion}\r\n`
  for (let index = 0; index < rawHeaders.length; index += 2)
    text += `${rawHeaders[index]}: ${rawHeaders[index + 1]}\r\n`
  return Buffer.from(`${text}\r\n`, 'latin1')
}

/** Lets the app answer, and does so in its place when it does not listen. */
export function emitClientError(server: Server, socket: QueueSocket, error: Error, hasAnswered: boolean): void {
  if (server.emit('clientError', error, socket)) return
  if (hasAnswered || !socket.writable) return void socket.destroy(error)
  const { code } = error as NodeJS.ErrnoException
  socket.end(`HTTP/1.1 ${STATUS_LINES[code ?? ''] ?? '400 Bad Request'}\r\nConnection: close\r\n\r\n`, () =>
    socket.destroy(error),
  )
}
