import { Server } from 'node:http'
import { UrlPrefix, isUrlPrefix } from '../base/url-prefix.ts'
import type { OpenQueue, RequestQueue } from '../queue/exchange.ts'
import type { ListenHandle, ServerInternals } from './node-internals.ts'
import { ServerBinding } from './server-binding.ts'

const kIsHooked = Symbol.for('httpsys.listen')

interface Hookable {
  [kIsHooked]?: boolean
  listen(this: Server, ...args: unknown[]): Server
}

/**
 * Lets `http.Server.prototype.listen` take a UrlPrefix; every other call goes through untouched.
 *
 * A second copy of this package in the process leaves the first one's hook in place.
 */
export function installListenHook(openQueue: OpenQueue): void {
  const prototype = Server.prototype as unknown as Hookable
  if (prototype[kIsHooked]) return
  // oxlint-disable-next-line typescript/unbound-method -- called with the server
  const nativeListen = prototype.listen
  prototype[kIsHooked] = true
  prototype.listen = function listen(this: Server, ...args: unknown[]): Server {
    const [target] = args
    if (!isUrlPrefix(target)) return nativeListen.apply(this, args)
    const callback = args.findLast((argument) => typeof argument === 'function')
    return listenOnPrefix(this, target, openQueue, callback as (() => void) | undefined)
  }
}

function listenOnPrefix(server: Server, given: UrlPrefix, openQueue: OpenQueue, callback?: () => void): Server {
  const internals = server as Server & ServerInternals
  if (internals._handle !== null && internals._handle !== undefined) throw alreadyListening()
  if (callback !== undefined) server.once('listening', callback)
  // Frameworks change the options that they are given, and may listen twice with them.
  const prefix = UrlPrefix.parse(given.href, { mode: given.mode, strip: given.strip })
  const binding = new ServerBinding(server, prefix)
  const handle = new QueueHandle(internals, prefix, binding)
  internals._handle = handle
  wrapConnectionMethods(server, binding)
  openQueue(prefix, binding).then(
    (queue) => handle.onOpen(queue),
    (error: unknown) => handle.onRefused(error),
  )
  return server
}

/**
 * What the server holds while it listens on a prefix: through it `listening`, `address`, `close`, `ref` and `unref` of net.Server
 * work as they are.
 *
 * opening ──claimed──▶ open ──close──▶ closed
 */
class QueueHandle implements ListenHandle {
  readonly #server: Server & ServerInternals
  readonly #prefix: UrlPrefix
  readonly #binding: ServerBinding
  #queue: RequestQueue | null = null
  #isClosed = false
  #isRef = true

  constructor(server: Server & ServerInternals, prefix: UrlPrefix, binding: ServerBinding) {
    this.#server = server
    this.#prefix = prefix
    this.#binding = binding
    // Counts as a connection until the prefix is free again, so that `'close'` is not emitted before.
    server._connections++
  }

  onOpen(queue: RequestQueue): void {
    this.#queue = queue
    if (!this.#isRef) queue.setRef(false)
    if (this.#isClosed) void this.#shutdown(queue)
    else this.#server.emit('listening')
  }

  onRefused(error: unknown): void {
    this.#server._connections--
    if (this.#isClosed) return this.#server._emitCloseIfDrained()
    this.#isClosed = true
    this.#server._handle = null
    this.#server.emit('error', error)
  }

  getsockname(out: Record<string, unknown>): number {
    const prefix = this.#queue?.prefix ?? this.#prefix
    const address = this.#queue?.address ?? { address: '', family: 'IPv4', port: prefix.port }
    Object.assign(out, address, { prefix: prefix.href })
    return 0
  }

  close(callback?: () => void): void {
    if (callback !== undefined) this.#server.once('close', callback)
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#queue !== null) void this.#shutdown(this.#queue)
  }

  ref(): void {
    this.#isRef = true
    this.#queue?.setRef(true)
  }

  unref(): void {
    this.#isRef = false
    this.#queue?.setRef(false)
  }

  async #shutdown(queue: RequestQueue): Promise<void> {
    await queue.shutdown()
    this.#binding.release()
    this.#server._connections--
    this.#server._emitCloseIfDrained()
  }
}

/** The native methods know only of TCP connections. */
function wrapConnectionMethods(server: Server, binding: ServerBinding): void {
  const prototype = Object.getPrototypeOf(server) as Server
  server.closeAllConnections = () => {
    prototype.closeAllConnections.call(server)
    binding.closeAllConnections()
  }
  server.closeIdleConnections = () => {
    prototype.closeIdleConnections.call(server)
    binding.closeIdleConnections()
  }
}

function alreadyListening(): Error {
  const error = new Error('Listen method has been called more than once without closing.')
  return Object.assign(error, { code: 'ERR_SERVER_ALREADY_LISTEN' })
}
