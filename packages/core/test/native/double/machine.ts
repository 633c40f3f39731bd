import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { libc } from '../../../src/sockets/libc.ts'
import { openListeningSocket } from '../../../src/sockets/listening-socket.ts'
import { ClientConnection } from './client-connection.ts'
import type { Packet } from './completion-port.ts'
import type { QueueHandle, RequestQueue, UrlGroup } from './http-objects.ts'
import { Ledger } from './ledger.ts'
import { machinePipes } from './pipes.ts'
import { DoubleProcess } from './process.ts'
import type { PretendedTls } from './request-struct.ts'
import { ServerRequest } from './server-request.ts'
import { ACCESS_DENIED, ALREADY_EXISTS, INVALID_PARAMETER, SHARING_VIOLATION, SUCCESS } from './status.ts'
import { readUrl, route } from './url-registrations.ts'
import type { Registration } from './url-registrations.ts'
import { DEFAULT_WHIMS, Dice } from './whims.ts'
import type { Whims } from './whims.ts'
import { valueOf } from './wire-request.ts'
import type { BodyDecoder, WireHead } from './wire-request.ts'

/** HttpServer503VerbosityProperty */
const VERBOSITY_BASIC = 0
const VERBOSITY_LIMITED = 1
const VERBOSITY_FULL = 2

/** A response in the kernel's cache. */
interface CachedResponse {
  readonly bytes: Buffer
  readonly expires: number
  readonly group: UrlGroup
}

/**
 * A machine with HTTP.SYS, as its documentation describes it: real TCP ports on the loopback interface, processes with a function
 * table and memory each.
 *
 * What a process does wrong stands in `ledger`; {@link Machine.inspect} adds what shows only at the end.
 */
export class Machine implements AsyncDisposable {
  readonly ledger = new Ledger()
  readonly whims: Whims
  readonly dice: Dice
  readonly registrations: Registration[] = []
  readonly queues = new Map<string, RequestQueue>()
  readonly processes: DoubleProcess[] = []
  readonly pipes = machinePipes()
  readonly cache = new Map<string, CachedResponse>()
  /** Whether a completion is lost: for tests that break things on purpose. */
  drops: (packet: Packet) => boolean = () => false
  /** Ports on which TLS is pretended. */
  readonly tls = new Map<number, PretendedTls>()
  /** URLs without a reservation for this user. */
  readonly reserved = new Set<string>()
  readonly #servers = new Map<number, Server>()
  readonly #connections = new Map<bigint, ClientConnection>()
  readonly #closing = new Set<ClientConnection>()
  readonly #requests = new Map<bigint, ServerRequest>()
  /** All 64 bits are in use, as Windows does: an id that is cut to a number is no id any more. */
  #nextId = 0xf123_4567_8000_0001n
  #nextHandle = 0x1a0

  constructor(whims: Partial<Whims> = {}) {
    this.whims = { ...DEFAULT_WHIMS, ...whims }
    this.dice = new Dice(this.whims.seed)
  }

  /**
   * A new process on this machine.
   *
   * @param user - `SY` may register URLs; others are alias names or SIDs, as security descriptors spell them
   */
  start(user = 'SY'): DoubleProcess {
    const process = new DoubleProcess(this, user)
    this.processes.push(process)
    return process
  }

  get requestCount(): number {
    return this.#requests.size
  }

  newId(): bigint {
    return this.#nextId++
  }

  newHandle(): number {
    return (this.#nextHandle += 4)
  }

  requestOf(id: bigint): ServerRequest | undefined {
    return this.#requests.get(id)
  }

  connectionOf(id: bigint): ClientConnection | undefined {
    return this.#connections.get(id)
  }

  /** Whether an id was ever given out. */
  hasGivenOut(id: bigint): boolean {
    return id >= 0xf123_4567_8000_0001n && id < this.#nextId
  }

  /** HttpAddUrlToUrlGroup */
  register(group: UrlGroup, url: string): number {
    const registration = readUrl(url, group)
    if (registration === undefined) return INVALID_PARAMETER
    if (this.reserved.has(registration.url) || group.process.user !== 'SY') return ACCESS_DENIED
    if (this.registrations.some((other) => other.url === registration.url)) return ALREADY_EXISTS
    if (!this.#servers.has(registration.port) && !this.#bind(registration.port)) return SHARING_VIOLATION
    this.registrations.push(registration)
    return SUCCESS
  }

  /** Takes registrations away; returns how many that were. */
  unregister(matches: (registration: Registration) => boolean): number {
    const before = this.registrations.length
    const kept = this.registrations.filter((registration) => !matches(registration))
    this.registrations.splice(0, before, ...kept)
    for (const [port, server] of this.#servers) {
      if (kept.some((registration) => registration.port === port)) continue
      server.close()
      this.#servers.delete(port)
    }
    return before - kept.length
  }

  /** Finds whose a request is, and gives it to the queue; what nobody takes is answered here. */
  route(connection: ClientConnection, head: WireHead, body: BodyDecoder | null): void {
    const hostField = valueOf(head, 'host')
    if (hostField === undefined && head.minorVersion === 1)
      return connection.answer(400, 'Bad Request - Invalid Hostname')
    const found = route(this.registrations, connection.port, hostField ?? '127.0.0.1', head.target)
    if (found === 'host') return connection.answer(400, 'Bad Request - Invalid Hostname')
    if (found === 'path') return connection.answer(404, 'Not Found')
    const { group } = found
    group.connections.add(connection)
    if (group.maxConnections > 0 && group.connections.size > group.maxConnections)
      return connection.answer(503, 'Service Unavailable')
    const cached = this.#cached(head, body, connection.port)
    if (cached !== undefined) return void connection.socket.write(cached)
    const request = new ServerRequest(this.newId(), connection, head, body, group)
    connection.request = request
    this.#requests.set(request.id, request)
    if (group.queue?.enqueue(request)) return
    this.#requests.delete(request.id)
    connection.request = null
    const verbosity = group.queue?.verbosity ?? VERBOSITY_LIMITED
    if (verbosity === VERBOSITY_BASIC) connection.reset()
    else
      connection.answer(503, verbosity === VERBOSITY_FULL ? 'Service Unavailable - QueueFull' : 'Service Unavailable')
  }

  /** Nothing more will be done with a request. */
  forget(request: ServerRequest): void {
    this.#requests.delete(request.id)
    request.handle?.requests.delete(request)
  }

  /** The client of a request has gone. */
  abandon(request: ServerRequest): void {
    const waiting = request.group.queue?.waiting
    const index = waiting?.indexOf(request) ?? -1
    if (index !== -1) waiting!.splice(index, 1)
    request.abort(this.whims.goneStatus)
    this.forget(request)
  }

  /** The process that had received a request has closed its handle, or died. */
  dropRequestsOf(handle: QueueHandle): void {
    for (const request of handle.requests) request.connection.reset()
  }

  closing(connection: ClientConnection): void {
    this.#closing.add(connection)
  }

  isClosing(connection: ClientConnection): boolean {
    return this.#closing.has(connection)
  }

  gone(connection: ClientConnection): void {
    this.#closing.delete(connection)
    for (const { group } of this.registrations) group.connections.delete(connection)
    this.#connections.delete(connection.id)
  }

  store(request: ServerRequest, bytes: Buffer, seconds: number): void {
    const key = cacheKey(request.head, request.connection.port)
    this.cache.set(key, { bytes, expires: Date.now() + seconds * 1000, group: request.group })
  }

  /** HttpFlushResponseCache */
  flush(url: string, isRecursive: boolean): void {
    const key = url.toLowerCase().replace(/^https?:\/\/[^/]*:(\d+)/, '$1')
    for (const cached of this.cache.keys()) {
      if (cached === key || (isRecursive && cached.startsWith(key))) this.cache.delete(cached)
    }
  }

  /** What was done wrong, and what only shows at the end: handles that are open, operations in flight, memory that was overwritten. */
  inspect(): readonly string[] {
    const { violations } = this.ledger
    const count = violations.length
    for (const process of this.processes) process.inspect()
    for (const { head, isDelivered } of this.#requests.values()) {
      this.ledger.report(`${head.target} is still ${isDelivered ? 'unanswered' : 'waiting'}`)
    }
    return [...violations.slice(0, count), ...violations.splice(count)]
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.processes) process.kill()
    this.unregister(() => true)
    for (const connection of this.#connections.values()) connection.socket.destroy()
    return Promise.resolve()
  }

  /** Binds before it returns, as the system call does; false when the port is somebody else's. */
  #bind(port: number): boolean {
    let fd: number
    try {
      fd = openListeningSocket(libc()!, { host: '127.0.0.1', port, ipv6Only: false }, 511).descriptor
    } catch {
      return false
    }
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#onSocket(socket, port))
    server.listen({ fd })
    this.#servers.set(port, server)
    return true
  }

  #onSocket(socket: Socket, port: number): void {
    const connection = new ClientConnection(this, this.newId(), socket, port)
    this.#connections.set(connection.id, connection)
  }

  #cached(head: WireHead, body: BodyDecoder | null, port: number): Buffer | undefined {
    if (!isCacheable(head) || body !== null) return undefined
    const key = cacheKey(head, port)
    const cached = this.cache.get(key)
    if (cached === undefined) return undefined
    if (cached.expires > Date.now() && this.registrations.some(({ group }) => group === cached.group))
      return cached.bytes
    this.cache.delete(key)
    return undefined
  }
}

/** What HTTP.SYS asks of a request before it looks into its cache. */
export function isCacheable(head: WireHead): boolean {
  const isBarred = ['authorization', 'range', 'if-range'].some((name) => valueOf(head, name) !== undefined)
  return head.method === 'GET' && !isBarred && valueOf(head, 'translate')?.toLowerCase() !== 'f'
}

function cacheKey(head: WireHead, port: number): string {
  return `${port}${head.target.toLowerCase()}`
}
