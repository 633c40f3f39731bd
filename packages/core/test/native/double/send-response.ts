import { offsetOf, sizeOf } from './golden.ts'
import { isCacheable } from './machine.ts'
import type { Operation } from './operation.ts'
import type { DoubleProcess } from './process.ts'
import { countBody, framedHead } from './response-framing.ts'
import { StructReader } from './response-struct.ts'
import type { EntityChunks } from './response-struct.ts'
import type { ServerRequest } from './server-request.ts'
import { INVALID_PARAMETER, OPERATION_ABORTED, SUCCESS } from './status.ts'

const DISCONNECT = 0x1
const MORE_DATA = 0x2
const BUFFER_DATA = 0x4
const OPAQUE = 0x40
const CACHE_USER_INVALIDATES = 1
const CACHE_TIME_TO_LIVE = 2
const LARGEST_CACHED_BYTES = 262_144

/** HttpSendHttpResponse */
export function sendResponse(
  process: DoubleProcess,
  request: ServerRequest,
  operation: Operation,
  flags: number,
  response: number,
  cachePolicy: number,
): void {
  if (request.response !== 'none') process.report(`HttpSendHttpResponse on a response that is ${request.response}`)
  const isOpaque = (flags & OPAQUE) !== 0
  const reader = new StructReader(operation)
  const head = reader.response(response)
  const chunks = reader.chunksOf(response)
  if (isOpaque && head.status !== 101) {
    process.report(`OPAQUE with status ${head.status}`)
    return operation.complete(INVALID_PARAMETER)
  }
  if (head.status < 100 || head.status > 999 || (head.status < 200 && head.status !== 101)) {
    process.report(`a response with status ${head.status}`)
    return operation.complete(INVALID_PARAMETER)
  }
  if (!isAllowed(process, request, operation, flags) || reader.isFaulty || request.response !== 'none') {
    return operation.complete(INVALID_PARAMETER)
  }
  request.isOpaque = isOpaque
  const text = framedHead(request, head, chunks, flags, (violation) => process.report(violation))
  if (request.framing === 'chunked') request.beginChunks()
  request.response = 'open'
  const bytes = Buffer.concat([Buffer.from(text, 'latin1'), bodyBytes(process, request, chunks, flags)])
  if (cachePolicy !== 0) {
    // HTTP.SYS adds the length of the range that it serves, and leaves the app's beside it.
    if (head.fields.some(([name]) => /^content-length$/i.test(name))) {
      process.report('Content-Length in a response for the cache: ranges of it would have two')
    }
    cache(process, request, operation, flags, cachePolicy, bytes)
  }
  transmit(process, request, operation, flags, bytes)
}

/** HttpSendResponseEntityBody */
export function sendBody(
  process: DoubleProcess,
  request: ServerRequest,
  operation: Operation,
  flags: number,
  count: number,
  address: number,
): void {
  if (request.response !== 'open')
    process.report(`HttpSendResponseEntityBody on a response that is ${request.response}`)
  const reader = new StructReader(operation)
  const chunks = reader.chunks(address, count)
  if (!isAllowed(process, request, operation, flags) || reader.isFaulty || request.response !== 'open') {
    return operation.complete(INVALID_PARAMETER)
  }
  transmit(process, request, operation, flags, bodyBytes(process, request, chunks, flags))
}

function isAllowed(process: DoubleProcess, request: ServerRequest, operation: Operation, flags: number): boolean {
  if ((flags & DISCONNECT) !== 0 && (flags & MORE_DATA) !== 0) {
    process.report('DISCONNECT together with MORE_DATA')
    return false
  }
  const isBuffered = (flags & BUFFER_DATA) !== 0
  request.isBuffered ??= isBuffered
  if (request.isBuffered !== isBuffered) process.report('BUFFER_DATA in some calls of a response, and not in others')
  if (request.send !== null) {
    process.report(`${operation.name} while ${request.send.name} is in flight for the same request`)
    return false
  }
  return true
}

function bodyBytes(process: DoubleProcess, request: ServerRequest, chunks: EntityChunks, flags: number): Buffer {
  const isLast = (flags & MORE_DATA) === 0
  const report = (violation: string): void => process.report(violation)
  if (!request.isOpaque) countBody(request, chunks.body, isLast, report)
  let bytes = chunks.body
  if (chunks.hasTrailers) {
    if (!process.machine.whims.hasTrailers) report('a chunk of trailers, which this Windows does not have')
    if (!isLast) report('trailers before the last send')
    if (request.framing !== 'kernel') report('a chunk of trailers in a response that the kernel does not frame')
  }
  if (request.framing === 'kernel') {
    const size = bytes.length === 0 ? '' : `${bytes.length.toString(16)}\r\n`
    const lines = chunks.trailers.map(([name, value]) => `${name}: ${value}\r\n`)
    const end = isLast ? `0\r\n${lines.join('')}\r\n` : ''
    bytes = Buffer.concat([Buffer.from(size), bytes, Buffer.from(size === '' ? end : `\r\n${end}`, 'latin1')])
  }
  request.checkChunks(bytes, isLast, report)
  return bytes
}

/** Puts bytes on the wire; the send is over when the transport has taken them. */
function transmit(
  process: DoubleProcess,
  request: ServerRequest,
  operation: Operation,
  flags: number,
  bytes: Buffer,
): void {
  const { connection } = request
  const isLast = (flags & MORE_DATA) === 0
  if ((flags & DISCONNECT) !== 0) request.closesAfterwards = true
  request.send = operation
  const end = (status: number): void => {
    if (request.send !== operation) return
    request.send = null
    if (isLast) {
      // The request is gone before its completion can be taken.
      request.response = 'complete'
      process.machine.forget(request)
    }
    operation.complete(status, status === SUCCESS ? bytes.length : 0)
    if (isLast && status === SUCCESS) {
      if (request.isOpaque) request.endOpaque()
      else connection.finish(request)
    }
  }
  // A send that is cancelled has put nobody knows how much on the wire: the connection can't go on.
  operation.onCancel = () => {
    if (request.send !== operation) return
    request.send = null
    operation.complete(OPERATION_ABORTED)
    connection.reset()
  }
  // Nothing to put on the wire: what goes before it has gone.
  if (bytes.length === 0) return end(SUCCESS)
  const hasRoom = connection.write(bytes, (isOk) => end(isOk ? SUCCESS : process.machine.whims.goneStatus))
  // The transport has buffered it: the call can be done at once.
  if (hasRoom) end(SUCCESS)
}

function cache(
  process: DoubleProcess,
  request: ServerRequest,
  operation: Operation,
  flags: number,
  policyAddress: number,
  bytes: Buffer,
): void {
  const policy = operation.pin(policyAddress, sizeOf('HTTP_CACHE_POLICY'), 'reads')
  if (policy === null) return
  const kind = policy.readUInt32LE(offsetOf('HTTP_CACHE_POLICY', 'Policy'))
  const seconds = policy.readUInt32LE(offsetOf('HTTP_CACHE_POLICY', 'SecondsToLive'))
  const isWhole = (flags & MORE_DATA) === 0 && bytes.length <= LARGEST_CACHED_BYTES && !request.closesAfterwards
  if (!isWhole || !isCacheable(request.head) || request.body !== null) return
  if (kind === CACHE_TIME_TO_LIVE) process.machine.store(request, bytes, seconds)
  else if (kind === CACHE_USER_INVALIDATES) process.machine.store(request, bytes, Infinity)
}
