import type { QueueHandle } from './http-objects.ts'
import type { Operation } from './operation.ts'
import type { DoubleProcess } from './process.ts'
import { offsetOf, sizeOf } from './golden.ts'
import { requestImage } from './request-struct.ts'
import type { ServerRequest } from './server-request.ts'
import { INVALID_PARAMETER, MORE_DATA, OPERATION_ABORTED, SUCCESS } from './status.ts'

const COPY_BODY = 1
const SMALLEST_BUFFER = 4096

/** HttpReceiveHttpRequest: the next request of the queue, or by its id one whose buffer was too small. */
export function receiveRequest(
  process: DoubleProcess,
  handle: QueueHandle,
  operation: Operation,
  id: bigint,
  flags: number,
  buffer: number,
  length: number,
): void {
  const { queue } = handle
  if (length < SMALLEST_BUFFER) process.report(`a receive with a buffer of ${length} bytes`)
  if (queue.isController && handle.isCreator) process.report('a controller receives requests')
  if (queue.isShutDown) return operation.complete(OPERATION_ABORTED)
  const bytes = operation.pin(buffer, length, 'writes')
  if (bytes === null || length < SMALLEST_BUFFER) return operation.complete(INVALID_PARAMETER)

  const deliver = (request: ServerRequest): void => {
    const image = requestImage(request, buffer, length, (flags & COPY_BODY) !== 0)
    request.handle = handle
    handle.requests.add(request)
    if (!image.fits) {
      // The ids are there, the rest must be asked for again.
      const ids = image.bytes.subarray(0, offsetOf('HTTP_REQUEST_V1', 'UrlContext'))
      return operation.complete(MORE_DATA, image.length, () => {
        bytes.fill(0, 0, sizeOf('HTTP_REQUEST_V2'))
        ids.copy(bytes)
      })
    }
    request.isDelivered = true
    request.body?.take(image.bodyBytes)
    operation.complete(SUCCESS, image.length, () => image.bytes.copy(bytes))
  }

  if (id !== 0n) {
    const request = process.machine.requestOf(id)
    const isOurs = request !== undefined && request.handle === handle && !request.isDelivered
    if (isOurs) return deliver(request)
    if (request?.isDelivered) process.report('a request was received twice')
    return operation.complete(INVALID_PARAMETER)
  }
  const next = queue.waiting.shift()
  if (next !== undefined) return deliver(next)
  const receive = { handle, operation, deliver }
  queue.receives.push(receive)
  operation.onCancel = () => {
    const index = queue.receives.indexOf(receive)
    if (index === -1) return
    queue.receives.splice(index, 1)
    operation.complete(OPERATION_ABORTED)
  }
}
