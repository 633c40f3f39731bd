import { channel } from 'node:diagnostics_channel'
import { EventEmitter } from 'node:events'
import type { Server, ServerResponse } from 'node:http'
import type { ServerInternals, ServerResponseInternals } from './node-internals.ts'
import { dumpUnread } from './queue-request.ts'
import type { QueueRequest } from './queue-request.ts'
import { emitFinish, exchangeOf, isWatched, takeTurn } from './queue-response.ts'
import type { QueueResponse } from './queue-response.ts'
import type { QueueSocket } from './queue-socket.ts'
import { rethrowLater } from './rethrow-later.ts'
import type { ServerSockets } from './server-sockets.ts'

// oxlint-disable-next-line typescript/unbound-method -- compared, not called
const nativeEmit = EventEmitter.prototype.emit

/** node:http's default of `server.keepAliveTimeoutBuffer`; with Node 20, which has no such member, what it always adds. */
const DEFAULT_KEEP_ALIVE_BUFFER_MS = 1000

const onResponseFinish = channel('http.server.response.finish')

/** What node:http does once a response has been handed over: `'finish'` and `'close'`, and the connection goes on with the next. */
export class ResponseEnds {
  readonly #server: Server & ServerInternals
  readonly #sockets: ServerSockets
  readonly #isPrivate: boolean
  /** Responses that are done; what follows is done for all of a turn together. */
  #ended: QueueResponse[] = []
  /** The backend will say when it has handed over what it has: responses that end before need no tick of their own. */
  #isInBatch = false

  constructor(server: Server & ServerInternals, sockets: ServerSockets, isPrivate: boolean) {
    this.#server = server
    this.#sockets = sockets
    this.#isPrivate = isPrivate
  }

  onBatchBegin(): void {
    this.#isInBatch = true
  }

  onBatchEnd(): void {
    this.#isInBatch = false
    if (this.#ended.length > 0) this.#afterAll()
  }

  /** All of a response has been handed over; `'finish'` follows, in the context of the call that ended it if somebody listens. */
  readonly onResponseEnded = (response: QueueResponse): void => {
    if (isWatched(response)) process.nextTick(this.#afterEnd, response)
    else if (this.#ended.push(response) === 1 && !this.#isInBatch) process.nextTick(this.#afterAll)
  }

  readonly #afterEnd = (response: QueueResponse): void => this.#completeResponse(response)

  readonly #afterAll = (): void => {
    const ended = this.#ended
    this.#ended = []
    for (const response of ended) {
      try {
        this.#completeResponse(response)
      } catch (error) {
        rethrowLater(error)
      }
    }
  }

  /** The response has been handed over completely: what node:http does on `'finish'`. */
  #completeResponse(response: QueueResponse): void {
    const native = response as unknown as ServerResponse & ServerResponseInternals
    const socket = native.socket as unknown as QueueSocket | null
    if (socket === null || socket._httpMessage !== native) return
    if (native._last && !socket.isUpgraded) socket.destroySoon()
    // What follows waits for 'finish', which an app may hold back with an `emit` of its own.
    if (native.emit === nativeEmit) {
      emitFinish(response)
      this.#afterFinish(response)
    } else {
      native.prependOnceListener('finish', () => this.#afterFinish(response))
      emitFinish(response)
    }
  }

  #afterFinish(response: QueueResponse): void {
    const native = response as unknown as ServerResponse & ServerResponseInternals
    const socket = native.socket as unknown as QueueSocket | null
    if (socket === null) return
    const request = native.req as QueueRequest
    if (onResponseFinish.hasSubscribers) {
      onResponseFinish.publish({ request, response: native, socket, server: this.#server })
    }
    dumpUnread(request)
    socket._httpMessage = null
    socket.exchange = null
    ;(native as unknown as { socket: unknown }).socket = null
    if (native._eventsCount > 0) process.nextTick(emitClose, native)
    else emitClose(native)
    const next = native._last ? undefined : socket.outgoing?.shift()
    if (next !== undefined) return this.#goOnWith(next, socket)
    // What this request's handler has set is not the next one's.
    const idleTimeout = this.#isPrivate ? idleTimeoutOf(this.#server) : 0
    if (socket.timeout || idleTimeout) socket.setTimeout(idleTimeout)
    this.#sockets.onIdle(socket)
  }

  /** The response to the next request, which had come already, may leave. */
  #goOnWith(response: QueueResponse, socket: QueueSocket): void {
    const native = response as unknown as ServerResponse & ServerResponseInternals
    socket.exchange = exchangeOf(response)
    assignSocket(native, socket)
    native.emit('socket', socket)
    takeTurn(response)
  }
}

/** How long a connection may be idle: node:http adds something to what clients are told, for those that send their next request late. */
function idleTimeoutOf(server: Server & ServerInternals): number {
  const { keepAliveTimeout: told, keepAliveTimeoutBuffer: added } = server
  if (!Number.isFinite(told) || told <= 0) return 0
  return told + (added !== undefined && Number.isFinite(added) && added >= 0 ? added : DEFAULT_KEEP_ALIVE_BUFFER_MS)
}

/** The response is the one that the connection is busy with. */
export function assignSocket(response: ServerResponse, socket: QueueSocket): void {
  ;(response as unknown as { socket: unknown }).socket = socket
  socket._httpMessage = response
}

export function emitClose(response: ServerResponse & ServerResponseInternals): void {
  if (response._closed) return
  response.destroyed = true
  response._closed = true
  response.emit('close')
}
