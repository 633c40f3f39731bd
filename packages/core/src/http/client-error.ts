import { maxHeaderSize } from 'node:http'
import type { Server } from 'node:http'
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
  HPE_INVALID_HEADER_TOKEN: 'Parse Error: Invalid header token encountered',
  HPE_INVALID_CHUNK_SIZE: 'Parse Error: Invalid character in chunk size',
}

/** The error that `'clientError'` hands to apps: code and raw packet as node:http's parser gives them. */
export function clientErrorOf(code: string, rawPacket: Buffer): Error {
  const error = new Error(
    MESSAGES[code] ?? `Parse Error: ${code.replace(/^HPE_/, '').replaceAll('_', ' ').toLowerCase()}`,
  )
  if (code.startsWith('ERR_')) return Object.assign(error, { code })
  return Object.assign(error, { code, reason: error.message.replace('Parse Error: ', ''), bytesParsed: 0, rawPacket })
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
