import type { HttpApi } from '../../../src/native/win32-api.ts'
import { constant, offsetOf, sizeOf } from './golden.ts'
import type { QueueHandle } from './http-objects.ts'
import type { Operation } from './operation.ts'
import type { DoubleProcess } from './process.ts'
import { receiveRequest } from './receive-request.ts'
import { sendBody, sendResponse } from './send-response.ts'
import type { ServerRequest } from './server-request.ts'
import { CONNECTION_INVALID, INVALID_HANDLE, INVALID_PARAMETER, MORE_DATA, NOT_FOUND, SUCCESS } from './status.ts'

const PROPERTY_SNI = 4
const PROPERTY_CIPHER = constant('HttpRequestPropertyTlsCipherInfo')
/** HTTP_REQUEST_PROPERTY_SNI: 256 WCHARs and flags. */
const SNI_SIZE = 256 * 2 + 4

type QueueOf = (value: number, syscall: string) => QueueHandle | undefined
type IoCalls = Pick<
  HttpApi,
  | 'HttpReceiveHttpRequest'
  | 'HttpReceiveRequestEntityBody'
  | 'HttpReceiveClientCertificate'
  | 'HttpSendHttpResponse'
  | 'HttpSendResponseEntityBody'
  | 'HttpCancelHttpRequest'
  | 'HttpWaitForDisconnectEx'
  | 'HttpFlushResponseCache'
  | 'HttpQueryRequestProperty'
>

/** The calls of httpapi.dll that requests are received and answered with. */
export function ioCalls(process: DoubleProcess, queueOf: QueueOf): IoCalls {
  const { machine } = process
  const { isRecent } = machine.whims

  /** Begins an overlapped call on a handle; what the call returns. */
  function begin(
    name: string,
    value: number,
    overlapped: number,
    pBytes: number,
    work: (operation: Operation, handle: QueueHandle) => void,
  ): number {
    const handle = queueOf(value, name)
    if (handle === undefined) return INVALID_HANDLE
    const operation = process.operations.begin(name, overlapped, handle)
    if (operation === null) return INVALID_PARAMETER
    work(operation, handle)
    return operation.result(pBytes)
  }

  /** The request that a call is for; the operation is over when there is none. */
  function requestOf(id: bigint, operation: Operation, handle: QueueHandle): ServerRequest | null {
    const request = machine.requestOf(id)
    if (request === undefined) {
      if (!machine.hasGivenOut(id)) process.report(`${operation.name} for a request that never was: ${id}`)
      operation.complete(machine.hasGivenOut(id) ? CONNECTION_INVALID : INVALID_PARAMETER)
      return null
    }
    if (request.handle?.queue !== handle.queue) {
      process.report(`${operation.name} for a request of another queue`)
      operation.complete(INVALID_PARAMETER)
      return null
    }
    if (!request.isDelivered) process.report(`${operation.name} for a request that has not been received`)
    return request
  }

  return {
    HttpReceiveHttpRequest: (queue, id, flags, buffer, length, pBytes, overlapped) =>
      begin('HttpReceiveHttpRequest', queue, overlapped, pBytes, (operation, handle) => {
        receiveRequest(process, handle, operation, id, flags, buffer, length)
      }),

    HttpReceiveRequestEntityBody: (queue, id, _flags, buffer, length, pBytes, overlapped) =>
      begin('HttpReceiveRequestEntityBody', queue, overlapped, pBytes, (operation, handle) => {
        const request = requestOf(id, operation, handle)
        if (request === null) return
        const bytes = length === 0 ? null : operation.pin(buffer, length, 'writes')
        if (bytes === null) operation.complete(INVALID_PARAMETER)
        else request.read(operation, bytes)
      }),

    HttpReceiveClientCertificate: (queue, id, _flags, info, length, pBytes, overlapped) =>
      begin('HttpReceiveClientCertificate', queue, overlapped, pBytes, (operation) => {
        const connection = machine.connectionOf(id)
        if (connection === undefined) return operation.complete(CONNECTION_INVALID)
        const bytes = operation.pin(info, length, 'writes')
        const image = connection.tls?.certificateImage(info)
        if (bytes === null || image === undefined || image === null) return operation.complete(NOT_FOUND)
        const fits = image.length <= length
        // Of what does not fit, the struct tells the size; the call counts the struct alone, as it has since Windows Server 2003.
        const written = fits ? image : image.subarray(0, sizeOf('HTTP_SSL_CLIENT_CERT_INFO'))
        if (!fits) image.writeBigUInt64LE(0n, offsetOf('HTTP_SSL_CLIENT_CERT_INFO', 'pCertEncoded'))
        operation.complete(fits ? SUCCESS : MORE_DATA, written.length, () => written.copy(bytes))
      }),

    HttpSendHttpResponse: (queue, id, flags, response, cachePolicy, pBytes, _r1, _r2, overlapped, _log) =>
      begin('HttpSendHttpResponse', queue, overlapped, pBytes, (operation, handle) => {
        const request = requestOf(id, operation, handle)
        if (request !== null) sendResponse(process, request, operation, flags, response, cachePolicy)
      }),

    HttpSendResponseEntityBody: (queue, id, flags, count, chunks, pBytes, _r1, _r2, overlapped, _log) =>
      begin('HttpSendResponseEntityBody', queue, overlapped, pBytes, (operation, handle) => {
        const request = requestOf(id, operation, handle)
        if (request !== null) sendBody(process, request, operation, flags, count, chunks)
      }),

    HttpCancelHttpRequest: (queue, id) => {
      if (queueOf(queue, 'HttpCancelHttpRequest') === undefined) return INVALID_HANDLE
      const request = machine.requestOf(id)
      if (request === undefined) return machine.hasGivenOut(id) ? CONNECTION_INVALID : INVALID_PARAMETER
      request.connection.reset()
      return SUCCESS
    },

    HttpWaitForDisconnectEx: (queue, id, _reserved, overlapped) =>
      begin('HttpWaitForDisconnectEx', queue, overlapped, 0, (operation) => {
        const connection = machine.connectionOf(id)
        if (connection !== undefined) return connection.waitForDisconnect(process, operation)
        if (!machine.hasGivenOut(id)) process.report(`HttpWaitForDisconnectEx for a connection that never was: ${id}`)
        operation.complete(CONNECTION_INVALID)
      }),

    HttpFlushResponseCache: (queue, url, flags) => {
      if (queueOf(queue, 'HttpFlushResponseCache') === undefined) return INVALID_HANDLE
      machine.flush(url, (flags & 1) !== 0)
      return SUCCESS
    },

    HttpQueryRequestProperty: isRecent
      ? (queue, id, property, _qualifier, _qualifierLength, output, length, pBytes) => {
          if (queueOf(queue, 'HttpQueryRequestProperty') === undefined) return INVALID_HANDLE
          const tls = machine.requestOf(id)?.connection.tls
          if (tls === undefined) return INVALID_PARAMETER
          const cipherSize = sizeOf('SecPkgContext_CipherInfo')
          const cipherAt = offsetOf('SecPkgContext_CipherInfo', 'szCipherSuite')
          if (property === PROPERTY_SNI) return writeText(process, tls.serverName, SNI_SIZE, 0, output, length, pBytes)
          if (property !== PROPERTY_CIPHER) return INVALID_PARAMETER
          if (!machine.whims.tellsCipher) process.report('a cipher was asked for, which this Windows does not tell')
          return writeText(process, tls.cipherSuite, cipherSize, cipherAt, output, length, pBytes)
        }
      : undefined,
  }
}

/** Writes a struct of `size` bytes that holds a text, and nothing else. */
function writeText(
  process: DoubleProcess,
  text: string,
  size: number,
  start: number,
  output: number,
  length: number,
  pBytes: number,
): number {
  if (pBytes !== 0) process.memory.at(pBytes, 4, 'pBytesReturned')?.writeUInt32LE(size)
  if (length < size) return MORE_DATA
  const bytes = process.memory.at(output, size, 'the output of HttpQueryRequestProperty')
  if (bytes === null) return INVALID_PARAMETER
  bytes.fill(0).write(text, start, 'utf16le')
  return SUCCESS
}
