import type { ServerResponse } from 'node:http'
import { kEndCallbacks, kRejectsBody, kWritableFinished } from './node-internals.ts'
import type { ServerResponseInternals } from './node-internals.ts'
import type { QueueSocket } from './queue-socket.ts'

type NativeResponse = ServerResponse & ServerResponseInternals
type Members = Record<symbol, unknown>

/**
 * Whether a call of `end` is the plain one: nothing has been sent, and what it is given is all of the body.
 *
 * node:http's own `end` corks and uncorks the socket, measures the body again and makes closures for what may follow; for a
 * response that leaves in one piece nothing of that can be seen. Every other call is left to it.
 */
export function canEndDirectly(
  response: NativeResponse,
  chunk: unknown,
  encoding: unknown,
  callback: unknown,
): chunk is string | Uint8Array | null | undefined {
  if (response._header !== null || response.finished || response.destroyed || callback !== undefined) return false
  if (typeof chunk !== 'string' && chunk !== undefined && chunk !== null && !(chunk instanceof Uint8Array)) return false
  if (typeof encoding === 'function' || response.strictContentLength || response._trailer !== '') return false
  if ((response as unknown as Members)[kRejectsBody] === true) return false
  const socket = response.socket as unknown as QueueSocket | null
  return socket !== null && socket._httpMessage === response && response.writableCorked === 0
}

/** Makes the head as `end` does; returns whether the app's own `writeHead`, if it has one, has left the rest to be done. */
export function implyHead(response: NativeResponse, length: number): boolean {
  response._contentLength = length
  response._implicitHeader()
  return response._header !== null && !response.finished
}

/** What node:http does when the last byte has gone. */
export function finishDirectly(response: NativeResponse): void {
  const members = response as unknown as Members
  if (kWritableFinished !== undefined) members[kWritableFinished] = true
  if (kEndCallbacks !== undefined && members[kEndCallbacks]) {
    // A second call of `end` has left them.
    const callbacks = members[kEndCallbacks] as ((error: null) => void)[]
    members[kEndCallbacks] = null
    for (const callback of callbacks) callback(null)
  }
  response.emit('finish')
}
