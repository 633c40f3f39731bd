import { MemberList } from '../base/member-list.ts'
import type { TlsInfo } from '../base/tls-info.ts'
import type { ExchangeListener, QueueConnection } from '../queue/exchange.ts'
import type { CompletionPort } from './completion-port.ts'
import { ERROR_OPERATION_ABORTED } from './constants.ts'
import { HTTP_REQUEST } from './layout.ts'
import type { MemoryBlock } from './memory-block.ts'
import type { NativeExchange } from './native-exchange.ts'
import type { RequestQueueHandle } from './request-queue.ts'
import { localAddressOf, remoteAddressOf } from './socket-address.ts'
import { readTls, withCertificate } from './tls-facts.ts'
import type { ClientCertificate } from './tls-facts.ts'
import type { Win32Api, Win32Status } from './win32-api.ts'

/** How soon a connection that nobody waits for is watched nevertheless, so that it is not remembered for ever. */
const SWEEP_INTERVAL_MS = 1000

/**
 * A client's connection as far as this process has seen requests of it.
 *
 * unwatched ──something still open at the end of the turn, or a sweep──▶ watched ──HttpWaitForDisconnectEx completes──▶ gone
 */
export class NativeConnection implements QueueConnection {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly encrypted: boolean
  tls: TlsInfo | undefined
  context: unknown = undefined
  /** Another connection whose id has the same lower half. */
  next: NativeConnection | null = null
  state: 'unwatched' | 'watched' | 'unwatchable' | 'gone' = 'unwatched'
  readonly low: number
  readonly high: number
  /** Set when it is first watched. */
  readonly id: bigint
  /** Through which it is watched; any queue that its requests go to will do. */
  queue: RequestQueueHandle
  readonly open = new MemberList<NativeExchange>()
  readonly listeners: ExchangeListener[] = []
  readonly #table: ConnectionTable

  constructor(api: Win32Api, table: ConnectionTable, queue: RequestQueueHandle, block: MemoryBlock) {
    this.#table = table
    this.queue = queue
    // SAFETY: called while the request is decoded; constants of the struct.
    this.low = block.u32[HTTP_REQUEST.ConnectionId >>> 2]!
    this.high = block.u32[(HTTP_REQUEST.ConnectionId >>> 2) + 1]!
    this.id = block.readId(HTTP_REQUEST.ConnectionId)
    const remote = remoteAddressOf(block)
    const local = localAddressOf(block)
    this.remoteAddress = remote.address
    this.remotePort = remote.port
    this.localAddress = local.address
    this.localPort = local.port
    this.tls = readTls(api, queue, block)
    this.encrypted = this.tls !== undefined
  }

  /** Asks a client that has shown no certificate for one. */
  async requestCertificate(): Promise<TlsInfo | undefined> {
    if (this.tls === undefined || this.tls.peerCertificates.length > 0) return this.tls
    const [exchange] = this.open
    const queue = exchange?.queue.handle ?? this.queue
    const certificate = queue.isOpen ? await this.#table.certificateOf(queue, this.id) : null
    this.tls = withCertificate(this.tls, certificate)
    return this.tls
  }

  add(exchange: NativeExchange, listener: ExchangeListener): void {
    this.open.add(exchange)
    if (!this.listeners.includes(listener)) this.listeners.push(listener)
  }

  remove(exchange: NativeExchange): void {
    this.open.delete(exchange)
    if (this.open.size === 0 && (this.state === 'gone' || this.state === 'unwatchable')) this.#table.forget(this)
  }

  /** The wait for the disconnect has ended. */
  onCompletion(status: Win32Status): void {
    if (status !== ERROR_OPERATION_ABORTED) return this.onGone()
    // The queue was closed: nothing is known any more, unless another one of this process has a request of the connection.
    for (const { queue } of this.open) {
      if (queue.handle.isOpen) return this.#table.watch(this, queue.handle)
    }
    this.onUnwatchable()
  }

  onUnwatchable(): void {
    this.state = 'unwatchable'
    if (this.open.size === 0) this.#table.forget(this)
  }

  onGone(): void {
    this.state = 'gone'
    if (this.open.size === 0) return this.#table.forget(this)
    for (const exchange of this.open) exchange.onDisconnected()
  }
}

/** The connections of the process by their ids, and the watch over them. */
export class ConnectionTable {
  readonly #api: Win32Api
  readonly #port: CompletionPort
  /** HttpReceiveClientCertificate */
  readonly certificateOf: (queue: RequestQueueHandle, connection: bigint) => Promise<ClientCertificate | null>
  /** By the lower half of the id; ids are 64 bits long, and a bigint for each look-up would cost more than the look-up. */
  readonly #byLow = new Map<number, NativeConnection>()
  /** Not watched yet. */
  #unwatched: NativeConnection[] = []
  #isSweeping = false
  #isChecking = false

  constructor(api: Win32Api, port: CompletionPort, certificateOf: ConnectionTable['certificateOf']) {
    this.#api = api
    this.#port = port
    this.certificateOf = certificateOf
  }

  /** The connection of the request in the block. */
  find(queue: RequestQueueHandle, block: MemoryBlock, low: number, high: number): NativeConnection {
    const first = this.#byLow.get(low)
    for (let known = first ?? null; known !== null; known = known.next) {
      if (known.high !== high || known.state === 'gone') continue
      // A second request: this client stays, so that its leaving is worth knowing.
      if (known.state === 'unwatched') this.watch(known, queue)
      return known
    }
    const connection = new NativeConnection(this.#api, this, queue, block)
    connection.next = first ?? null
    this.#byLow.set(low, connection)
    this.#unwatched.push(connection)
    this.#scheduleCheck()
    return connection
  }

  forget(connection: NativeConnection): void {
    this.#unlink(connection)
    for (const listener of connection.listeners) listener.onConnectionClosed(connection)
    connection.listeners.length = 0
  }

  /** At the end of the turn: what was answered at once and may have been the client's only request costs no call. */
  #scheduleCheck(): void {
    if (this.#isChecking) return
    this.#isChecking = true
    setImmediate(() => {
      this.#isChecking = false
      for (const connection of this.#unwatched) {
        // A second request in the same turn has had it watched already.
        if (connection.state === 'unwatched' && connection.open.size > 0) this.watch(connection)
      }
      this.#unwatched = this.#unwatched.filter(({ state }) => state === 'unwatched')
      if (this.#unwatched.length > 0) this.#startSweep()
    })
  }

  #startSweep(): void {
    if (this.#isSweeping) return
    this.#isSweeping = true
    setTimeout(() => {
      this.#isSweeping = false
      for (const connection of this.#unwatched.splice(0)) if (connection.state === 'unwatched') this.watch(connection)
    }, SWEEP_INTERVAL_MS).unref()
  }

  /** @param queue - which has a request of it, if it is not the first one */
  watch(connection: NativeConnection, queue = connection.queue): void {
    const { HttpWaitForDisconnectEx } = this.#api.http
    connection.queue = queue
    // The sweep may come after the queue was closed, and its handle may be another's by then.
    if (HttpWaitForDisconnectEx === undefined || !connection.queue.isOpen) return connection.onUnwatchable()
    connection.state = 'watched'
    const overlapped = this.#port.begin(connection)
    // SAFETY: the call is given nothing but the OVERLAPPED, which belongs to Windows until `onCompletion`; when the queue is closed
    // before, the completion comes all the same.
    const status = HttpWaitForDisconnectEx(connection.queue.handle, connection.id, 0, overlapped.address)
    if (connection.queue.isPending(status)) return
    this.#port.endAtOnce(overlapped)
    connection.onCompletion(status)
  }

  #unlink(connection: NativeConnection): void {
    const first = this.#byLow.get(connection.low)
    if (first === connection) {
      if (connection.next === null) this.#byLow.delete(connection.low)
      else this.#byLow.set(connection.low, connection.next)
      return
    }
    for (let known = first; known !== undefined && known !== null; known = known.next ?? undefined) {
      if (known.next !== connection) continue
      known.next = connection.next
      return
    }
  }
}
