import { MemberList } from '../base/member-list.ts'
import type { TlsInfo } from '../base/tls-info.ts'
import type { QueueConnection } from '../queue/exchange.ts'
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
/** A power of two, as it stays. */
const FIRST_CHAINS = 256
/** Spreads numbers that differ in any of their bits. @see Knuth, The Art of Computer Programming, volume 3, section 6.4 */
const GOLDEN_RATIO = 0x9e37_79b1

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
  onClosed: (() => void) | undefined = undefined
  /** Another connection in the same place of the table. */
  next: NativeConnection | null = null
  state: 'unwatched' | 'watched' | 'unwatchable' | 'gone' = 'unwatched'
  readonly low: number
  readonly high: number
  /** Set when it is first watched. */
  readonly id: bigint
  /** Through which it is watched; any queue that its requests go to will do. */
  queue: RequestQueueHandle
  readonly open = new MemberList<NativeExchange>()
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

  add(exchange: NativeExchange): void {
    this.open.add(exchange)
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
  /** By their ids, hashed: a Map would keep those that have gone from the scavenger, see `MemberList`, and want a bigint for each look-up. */
  #chains: (NativeConnection | null)[] = emptyChains(FIRST_CHAINS)
  #count = 0
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
    for (let known = this.#chains[this.#chainOf(low)] ?? null; known !== null; known = known.next) {
      if (known.low !== low || known.high !== high || known.state === 'gone') continue
      // A second request: this client stays, so that its leaving is worth knowing.
      if (known.state === 'unwatched') this.watch(known, queue)
      return known
    }
    const connection = new NativeConnection(this.#api, this, queue, block)
    if (++this.#count > this.#chains.length) this.#grow()
    this.#link(connection)
    this.#unwatched.push(connection)
    this.#scheduleCheck()
    return connection
  }

  forget(connection: NativeConnection): void {
    this.#unlink(connection)
    const { onClosed } = connection
    connection.onClosed = undefined
    onClosed?.()
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

  /** The lower halves of ids need not differ in their lowest bits. */
  #chainOf(low: number): number {
    return (Math.imul(low, GOLDEN_RATIO) >>> 8) & (this.#chains.length - 1)
  }

  #link(connection: NativeConnection): void {
    const chain = this.#chainOf(connection.low)
    connection.next = this.#chains[chain] ?? null
    this.#chains[chain] = connection
  }

  #unlink(connection: NativeConnection): void {
    const chain = this.#chainOf(connection.low)
    let before: NativeConnection | null = null
    let known = this.#chains[chain] ?? null
    while (known !== null && known !== connection) {
      before = known
      known = known.next
    }
    // It has been forgotten before.
    if (known === null) return
    if (before === null) this.#chains[chain] = connection.next
    else before.next = connection.next
    connection.next = null
    this.#count--
  }

  #grow(): void {
    const chains = this.#chains
    this.#chains = emptyChains(chains.length * 2)
    for (let known of chains) {
      while (known !== null) {
        const { next }: NativeConnection = known
        this.#link(known)
        known = next
      }
    }
  }
}

function emptyChains(count: number): (NativeConnection | null)[] {
  return Array.from({ length: count }, () => null)
}
