import { Server, maxHeaderSize as defaultMaxHeaderSize } from 'node:http'
import { Server as HttpsServer } from 'node:https'
import { UrlPrefix, isUrlPrefix } from '../base/url-prefix.ts'
import type { PortReservation, PrivatePortLimits, QueueBackend, RequestQueue } from '../queue/exchange.ts'
import { addOpenQueue, removeOpenQueue } from './flush-response-cache.ts'
import type { ListenHandle, ServerInternals } from './node-internals.ts'
import { ServerBinding } from './server-binding.ts'

const kIsHooked = Symbol.for('httpsys.listen')

/** Of the servers that listen on a prefix, or did; the last first, then those before that have connections still. */
const bindings = new WeakMap<Server, readonly ServerBinding[]>()

interface Hookable {
  [kIsHooked]?: boolean
  listen(this: Server, ...args: unknown[]): Server
}

/**
 * Lets `http.Server.prototype.listen` take a UrlPrefix; every other call goes through untouched.
 *
 * A second copy of this package in the process leaves the first one's hook in place.
 */
export function installListenHook(backend: QueueBackend): void {
  const prototype = Server.prototype as unknown as Hookable
  if (prototype[kIsHooked]) return
  // oxlint-disable-next-line typescript/unbound-method -- called with the server
  const nativeListen = prototype.listen
  prototype[kIsHooked] = true
  hookConnectionMethods(Server.prototype)
  hookConnectionMethods(HttpsServer.prototype as unknown as Server)
  prototype.listen = function listen(this: Server, ...args: unknown[]): Server {
    const [target] = args
    if (!isUrlPrefix(target)) return nativeListen.apply(this, args)
    const callback = args.findLast((argument) => typeof argument === 'function') as (() => void) | undefined
    return listenOnPrefix(this, target, backend, { callback })
  }
}

/** What a call of `listen` says besides the prefix. */
export interface PrefixListenOptions {
  readonly callback?: (() => void) | undefined
  /** Closes the server when it is aborted. */
  readonly signal?: AbortSignal | undefined
  /** Listen on the port at once, on this address if one is given, instead of leaving that to the backend. */
  readonly bind?: { readonly host: string | undefined }
}

/** {@link listenOnPrefix} with its backend. */
export type ListenOnPrefix = (server: Server, prefix: UrlPrefix, options: PrefixListenOptions) => Server

/** What `server.listen(prefix)` does; returns the server. */
export function listenOnPrefix(
  server: Server,
  given: UrlPrefix,
  backend: QueueBackend,
  { callback, signal, bind }: PrefixListenOptions,
): Server {
  const internals = server as Server & ServerInternals
  if (internals._handle !== null && internals._handle !== undefined) throw alreadyListening()
  if (callback !== undefined) server.once('listening', callback)
  // Frameworks change the options that they are given, and may listen twice with them.
  const { mode, strip, settings } = given
  const prefix = UrlPrefix.parse(given.href, { mode, strip, ...settings }).withEnvironment(process.env)
  let reservation: PortReservation | undefined
  try {
    if (prefix.port === 0 || bind !== undefined) reservation = backend.reserve(prefix, bind?.host)
  } catch (error) {
    process.nextTick(() => server.emit('error', error))
    return server
  }
  const binding = new ServerBinding(server, reservation?.prefix ?? prefix, bind !== undefined)
  if (reservation !== undefined && bind !== undefined) reservation.privatePort = () => limitsOf(internals)
  const handle = new QueueHandle(internals, reservation?.prefix ?? prefix, binding, reservation)
  internals._handle = handle
  bindings.set(server, [binding, ...bindingsOf(server).filter(({ connectionCount }) => connectionCount > 0)])
  backend.open(prefix, binding, reservation).then(
    (queue) => handle.onOpen(queue),
    (error: unknown) => handle.onRefused(error),
  )
  if (internals._unref) handle.unref()
  if (signal !== undefined) closeOnAbort(server, signal)
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
  readonly #reservation: PortReservation | undefined
  #queue: RequestQueue | null = null
  #isClosed = false
  #isRef = true
  /** The prefix is for the next process, when the server is closed. */
  isHeld = false
  /** The prefix is being given back. */
  #released: Promise<void> | undefined

  constructor(
    server: Server & ServerInternals,
    prefix: UrlPrefix,
    binding: ServerBinding,
    reservation: PortReservation | undefined,
  ) {
    this.#server = server
    this.#prefix = prefix
    this.#binding = binding
    this.#reservation = reservation
    // Counts as a connection until the prefix is free again and all responses have left, so that `'close'` is not emitted before.
    server._connections++
  }

  onOpen(queue: RequestQueue): void {
    this.#queue = queue
    addOpenQueue(queue)
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
    // What was bound here stays true after the hand-over.
    const address = this.#reservation?.address ??
      this.#queue?.address ?? { address: '', family: 'IPv4', port: prefix.port }
    Object.assign(out, address)
    // An app that asked for a port finds what it would find there.
    if (this.#reservation?.privatePort === undefined) out['prefix'] = prefix.href
    return 0
  }

  close(callback?: () => void): void {
    if (callback !== undefined) this.#server.once('close', callback)
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#queue !== null) void this.#shutdown(this.#queue)
  }

  /**
   * Gives the prefix to the next process, before the server is closed; resolves when the last request has come. Nobody waits for the
   * owner of a private port: it is left to `close`.
   */
  async giveUp(): Promise<void> {
    this.isHeld = true
    if (this.#queue !== null && this.#reservation?.privatePort === undefined) await this.#release(this.#queue)
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
    await this.#release(queue)
    await this.#binding.release()
    // Apps end their process in the callback of `close`.
    await queue.whenSent()
    this.#server._connections--
    this.#server._emitCloseIfDrained()
  }

  #release(queue: RequestQueue): Promise<void> {
    if (this.#released !== undefined) return this.#released
    removeOpenQueue(queue)
    this.#released = queue.shutdown(this.isHeld)
    // As with node:http: whoever connects from here on is refused, and the port can be listened on again at once; also by a
    // successor, since nobody waits for one there.
    if (this.#reservation?.privatePort !== undefined) this.#reservation.refuse()
    return this.#released
  }
}

/** Read when the port is claimed, since most apps set them right behind `listen`. */
function limitsOf(server: Server & ServerInternals): PrivatePortLimits {
  const { headersTimeout, requestTimeout, maxHeaderSize } = server
  return {
    headersTimeout: limitOf(headersTimeout),
    requestTimeout: limitOf(requestTimeout),
    maxHeaderBytes: limitOf(maxHeaderSize) || defaultMaxHeaderSize,
  }
}

/** Frameworks pass `undefined` on; what is no number is no limit, as with node:http. */
function limitOf(value: unknown): number {
  return typeof value === 'number' && value > 0 && value <= Number.MAX_SAFE_INTEGER ? Math.round(value) : 0
}

function closeOnAbort(server: Server, signal: AbortSignal): void {
  const onAbort = (): void => void server.close()
  if (signal.aborted) return process.nextTick(onAbort)
  signal.addEventListener('abort', onAbort, { once: true })
  server.once('close', () => signal.removeEventListener('abort', onAbort))
}

/** The native methods know only of TCP connections; patched where they are defined, so that apps can override them. */
function hookConnectionMethods(prototype: Server): void {
  for (const method of ['closeAllConnections', 'closeIdleConnections'] as const) {
    const native = prototype[method]
    prototype[method] = function close(this: Server): void {
      native.call(this)
      for (const binding of bindingsOf(this)) binding[method]()
    }
  }
  // oxlint-disable-next-line typescript/unbound-method -- called with the server
  const native = prototype.getConnections
  prototype.getConnections = function getConnections(this: Server, callback): Server {
    if (!isOnQueue(this)) return native.call(this, callback) as Server
    const count = bindingsOf(this).reduce((sum, { connectionCount }) => sum + connectionCount, 0)
    process.nextTick(callback, null, count)
    return this
  }
}

/** Gives the prefix of a server that still listens to the next process; resolves when the last request has come. */
export async function giveUpPrefix(server: Server): Promise<void> {
  const { _handle: handle } = server as Server & ServerInternals
  if (handle instanceof QueueHandle) await handle.giveUp()
}

/** When the server is closed, requests for its prefix wait for the next owner; nothing happens to a server on TCP. */
export function holdOnClose(server: Server): void {
  const { _handle: handle } = server as Server & ServerInternals
  if (handle instanceof QueueHandle) handle.isHeld = true
}

function bindingsOf(server: Server): readonly ServerBinding[] {
  return bindings.get(server) ?? []
}

/** A server that listened on a prefix, and may have connections still, may listen on TCP the next time. */
function isOnQueue(server: Server): boolean {
  const { _handle: handle } = server as Server & ServerInternals
  return handle instanceof QueueHandle || (bindings.has(server) && !server.listening)
}

function alreadyListening(): Error {
  const error = new Error('Listen method has been called more than once without closing.')
  return Object.assign(error, { code: 'ERR_SERVER_ALREADY_LISTEN' })
}
