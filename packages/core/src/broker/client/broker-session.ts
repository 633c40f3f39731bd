import { latin1 } from '../../base/latin1.ts'
import type { Socket } from 'node:net'
import type { HttpSysError } from '../../base/errors.ts'
import type { UrlPrefix } from '../../base/url-prefix.ts'
import type { ExchangeListener, RequestQueue } from '../../queue/exchange.ts'
import { decodeClaimed, decodeRefused, encodeClaim } from '../protocol/claims.ts'
import type { OnFrame } from '../protocol/frame-reader.ts'
import type { FrameWriter } from '../protocol/frame-writer.ts'
import {
  CONNECTION_ENCRYPTED,
  CLIENT_ERROR_FIXED_BYTES,
  CREDIT_BYTES,
  DISCONNECT_END,
  FLAG_END,
  FRAME_ACCEPTED,
  FRAME_BODY,
  FRAME_CANCEL,
  FRAME_CLAIM,
  FRAME_CLAIMED,
  FRAME_CLIENT_ERROR,
  FRAME_CLOSE_IDLE,
  FRAME_CONNECTION,
  FRAME_CONNECTION_CLOSED,
  FRAME_CREDIT,
  FRAME_DISCONNECT,
  FRAME_REFUSED,
  FRAME_RELEASE,
  FRAME_RELEASED,
  FRAME_REQUEST,
  FRAME_REVOKED,
  FRAME_TRAILERS,
  HEADER_BYTES,
  RELEASE_HOLD,
  REQUEST_FIXED_BYTES,
} from '../protocol/frames.ts'
import { SLOT_MASK } from '../protocol/limits.ts'
import { BrokerConnection } from './broker-connection.ts'
import { BrokerExchange } from './broker-exchange.ts'
import type { ExchangeHome } from './broker-exchange.ts'
import { BrokerQueue } from './broker-queue.ts'
import type { QueueHome } from './broker-queue.ts'
import { findBroker } from './find-broker.ts'
import { handOver } from './hand-over.ts'
import { lost, openConnection } from './open-connection.ts'
import type { BoundPort } from './bound-port.ts'
import { parseRawHeaders } from './raw-headers.ts'

const MAX_ATTEMPTS = 5

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * This process's connection to the broker: all its claims and all their exchanges on one local socket.
 *
 * idle ──first claim──▶ connecting ──▶ open ──last claim and exchange gone──▶ idle
 *                            ▲            │ broker lost: claims are made again
 *                            └────────────┘
 */
export class BrokerSession implements ExchangeHome, QueueHome {
  writer!: FrameWriter
  readonly #directory: string
  #socket: Socket | null = null
  #connecting: Promise<void> | null = null
  #nextClaimId = 0
  readonly #queues = new Map<number, BrokerQueue>()
  readonly #claiming = new Map<number, Waiter>()
  readonly #releasing = new Map<number, Waiter>()
  readonly #exchanges: (BrokerExchange | undefined)[] = []
  #exchangeCount = 0
  readonly #connections: (BrokerConnection | undefined)[] = []

  constructor(directory: string) {
    this.#directory = directory
  }

  /**
   * Claims a prefix.
   *
   * @throws HttpSysError with the broker's reason, `ETIMEDOUT` when no broker can be started, `EPROTO` when it is of another version.
   */
  async open(prefix: UrlPrefix, listener: ExchangeListener, port?: BoundPort): Promise<RequestQueue> {
    const queue = new BrokerQueue(this, this.#nextClaimId++, port?.prefix ?? prefix, listener, port?.privatePort)
    this.#queues.set(queue.id, queue)
    // The last queue before this one may have let go of the process.
    this.updateRef()
    try {
      await this.#claim(queue, port)
      return queue
    } catch (error) {
      this.#queues.delete(queue.id)
      this.#closeIfUnused()
      throw error
    }
  }

  async release(queue: BrokerQueue, isHeld: boolean): Promise<void> {
    if (!this.#queues.has(queue.id)) return
    const isLive = this.#socket !== null
    if (isLive) {
      await new Promise<void>((resolve) => {
        this.#releasing.set(queue.id, { resolve, reject: () => resolve() })
        this.writer.signal(FRAME_RELEASE, isHeld ? RELEASE_HOLD : 0, 0, queue.id)
        // Also an unref'd server's `close` is waited for.
        this.updateRef()
      })
    }
    this.#queues.delete(queue.id)
    this.updateRef()
    this.#closeIfUnused()
  }

  /** The process stays alive for open exchanges and for queues that want it to. */
  updateRef(): void {
    if (this.#socket === null) return
    let isNeeded = this.#exchangeCount > 0 || this.#releasing.size > 0
    for (const queue of this.#queues.values()) isNeeded ||= queue.isRef
    if (isNeeded) this.#socket.ref()
    else this.#socket.unref()
  }

  onExchangeClosed(exchange: BrokerExchange): void {
    const slot = exchange.id & SLOT_MASK
    if (this.#exchanges[slot] !== exchange) return
    this.#exchanges[slot] = undefined
    this.#exchangeCount--
    if (this.#exchangeCount === 0) {
      this.updateRef()
      this.#closeIfUnused()
    }
  }

  #connected(): Promise<void> {
    if (this.#socket !== null) return Promise.resolve()
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = null
    })
    return this.#connecting
  }

  async #connect(): Promise<void> {
    const { socket, writer } = await openConnection((options) => findBroker(this.#directory, options), this.#onFrame)
    this.#socket = socket
    this.writer = writer
    socket.once('close', () => this.#onLost(socket))
    this.updateRef()
  }

  /** Claims until the broker answers: one that was just leaving breaks the connection, and the next one is started. */
  async #claim(queue: BrokerQueue, port?: BoundPort): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#connected()
        const name = port && (await handOver(this.#directory, port))
        await this.#connected()
        await this.#askFor(queue, name)
        queue.isLive = true
        return
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || (error as HttpSysError).code !== 'ECONNRESET') throw error
      }
    }
  }

  #askFor(queue: BrokerQueue, handOver?: string): Promise<void> {
    const { href, mode, settings } = queue.prefix
    const { epoch } = queue
    return new Promise<void>((resolve, reject) => {
      this.#claiming.set(queue.id, { resolve, reject })
      this.writer.text(
        FRAME_CLAIM,
        0,
        0,
        queue.id,
        encodeClaim({ href, mode, settings, epoch, handOver, privatePort: queue.privatePort?.() }),
        'utf8',
      )
    })
  }

  #closeIfUnused(): void {
    if (this.#queues.size > 0 || this.#exchangeCount > 0 || this.#socket === null) return
    const socket = this.#socket
    this.#socket = null
    this.writer.flush()
    socket.end()
    // The other side closes at once; nothing is left that could keep the process waiting for it.
    socket.unref()
  }

  /** The broker is gone: what was under way is lost, the claims are made again. */
  #onLost(socket: Socket): void {
    if (this.#socket !== socket) return
    this.#socket = null
    this.writer.close()
    for (const waiter of this.#releasing.values()) waiter.resolve()
    this.#releasing.clear()
    for (const waiter of this.#claiming.values()) waiter.reject(lost())
    this.#claiming.clear()
    const exchanges = this.#exchanges.splice(0)
    const connections = this.#connections.splice(0)
    this.#exchangeCount = 0
    for (const exchange of exchanges) {
      if (exchange === undefined) continue
      exchange.onSessionLost()
      listenerOf(exchange).onLost(exchange)
    }
    for (const connection of connections) {
      if (connection !== undefined) this.#eachListener((listener) => listener.onConnectionClosed(connection))
    }
    for (const queue of this.#queues.values()) if (queue.isLive) void this.#reopen(queue)
  }

  async #reopen(queue: BrokerQueue): Promise<void> {
    try {
      await this.#claim(queue)
      // Closed meanwhile, when there was nobody to give it back to.
      if (!this.#queues.has(queue.id)) this.writer.signal(FRAME_RELEASE, 0, 0, queue.id)
    } catch (error) {
      if (!this.#queues.delete(queue.id)) return
      queue.listener.onQueueLost(queue, error as Error)
      this.#closeIfUnused()
    }
  }

  #eachListener(call: (listener: ExchangeListener) => void): void {
    for (const listener of new Set([...this.#queues.values()].map((queue) => queue.listener))) call(listener)
  }

  readonly #onFrame: OnFrame = (type, flags, aux, id, bytes, view, start, end) => {
    const payload = start + HEADER_BYTES
    switch (type) {
      case FRAME_REQUEST:
        return this.#onRequest(flags, id, bytes, view, start, end)
      case FRAME_ACCEPTED: {
        const queue = this.#queues.get(view.getUint32(payload, true))
        const connection = this.#connections[id & SLOT_MASK]
        if (connection !== undefined) queue?.listener.onConnection?.(connection)
        return
      }
      case FRAME_CLIENT_ERROR:
        return this.#onClientError(id, bytes, view, start, end)
      case FRAME_CONNECTION:
        this.#connections[id & SLOT_MASK] = new BrokerConnection(
          latin1(bytes, payload, end),
          (flags & CONNECTION_ENCRYPTED) !== 0,
          () => this.writer.signal(FRAME_CLOSE_IDLE, 0, 0, id),
        )
        return
      case FRAME_CONNECTION_CLOSED: {
        const connection = this.#connections[id & SLOT_MASK]
        this.#connections[id & SLOT_MASK] = undefined
        if (connection !== undefined) this.#eachListener((listener) => listener.onConnectionClosed(connection))
        return
      }
      case FRAME_CLAIMED:
        return this.#onClaimed(id, bytes.toString('utf8', payload, end))
      case FRAME_REFUSED:
        return this.#settle(this.#claiming, id, decodeRefused(bytes.toString('utf8', payload, end)))
      case FRAME_RELEASED:
        return this.#settle(this.#releasing, id)
      case FRAME_REVOKED:
        return this.#onRevoked(id)
      default:
        return this.#onExchangeFrame(type, flags, aux, id, bytes, view, start, end)
    }
  }

  readonly #onExchangeFrame: OnFrame = (type, flags, aux, id, bytes, view, start, end) => {
    const exchange = this.#exchanges[id & SLOT_MASK]
    // A frame for an exchange that this side has ended was under way when it did.
    if (exchange === undefined || exchange.id !== id) return
    const payload = start + HEADER_BYTES
    const listener = listenerOf(exchange)
    switch (type) {
      case FRAME_BODY:
        if (end > payload) listener.onBody(exchange, Buffer.from(bytes.subarray(payload, end)))
        if ((flags & FLAG_END) !== 0) this.#onBodyEnd(exchange, [])
        return
      case FRAME_TRAILERS: {
        const lines = latin1(bytes, payload, end)
        return this.#onBodyEnd(exchange, parseRawHeaders(lines, 0, lines.split('\r\n').length - 1))
      }
      case FRAME_CREDIT:
        if (end - start !== CREDIT_BYTES) return
        if (exchange.onCredit(view.getUint32(payload, true))) listener.onWritable(exchange)
        return
      case FRAME_DISCONNECT:
        exchange.onBodyDone()
        return listener.onDisconnect(exchange, aux === DISCONNECT_END ? 'end' : 'reset')
    }
  }

  #onRequest(flags: number, id: number, bytes: Buffer, view: DataView, start: number, end: number): void {
    const connection = this.#connections[view.getUint32(start + 12, true) & SLOT_MASK]
    const queue = this.#queues.get(view.getUint32(start + 16, true))
    const headStart = start + REQUEST_FIXED_BYTES
    const headEnd = headStart + view.getUint16(start + 26, true)
    if (connection === undefined || queue === undefined) return this.writer.signal(FRAME_CANCEL, 0, 0, id)
    const exchange = new BrokerExchange(
      this,
      id,
      queue,
      connection,
      flags,
      latin1(bytes, headStart, headEnd),
      view.getUint16(start + 20, true),
      view.getUint16(start + 22, true),
      view.getUint16(start + 24, true),
      queue.privatePort !== undefined,
    )
    this.#add(exchange, queue)
    const { listener } = queue
    listener.onRequest(exchange)
    if (end > headEnd) listener.onBody(exchange, Buffer.from(bytes.subarray(headEnd, end)))
    if ((flags & FLAG_END) !== 0) this.#onBodyEnd(exchange, [])
  }

  #onClientError(id: number, bytes: Buffer, view: DataView, start: number, end: number): void {
    const connection = this.#connections[view.getUint32(start + 12, true) & SLOT_MASK]
    const queue = this.#queues.get(view.getUint32(start + 16, true))
    if (connection === undefined || queue === undefined) return this.writer.signal(FRAME_CANCEL, 0, 0, id)
    const codeStart = start + CLIENT_ERROR_FIXED_BYTES
    const codeEnd = codeStart + view.getUint16(start + 20, true)
    const error = { code: latin1(bytes, codeStart, codeEnd), rawPacket: Buffer.from(bytes.subarray(codeEnd, end)) }
    let exchange = this.#exchanges[id & SLOT_MASK]
    if (exchange === undefined || exchange.id !== id) {
      exchange = new BrokerExchange(this, id, queue, connection, 0, '', 0, 0, 0, true)
      this.#add(exchange, queue)
    }
    queue.listener.onClientError?.(exchange, error)
  }

  #add(exchange: BrokerExchange, queue: BrokerQueue): void {
    this.#exchanges[exchange.id & SLOT_MASK] = exchange
    this.#exchangeCount++
    if (this.#exchangeCount === 1 && !queue.isRef) this.updateRef()
  }

  #onBodyEnd(exchange: BrokerExchange, rawTrailers: string[]): void {
    exchange.onBodyDone()
    listenerOf(exchange).onBodyEnd(exchange, rawTrailers)
  }

  #onClaimed(id: number, payload: string): void {
    const queue = this.#queues.get(id)
    if (queue === undefined) return
    const claimed = decodeClaimed(payload)
    const { address, family, port, epoch } = claimed
    queue.address = { address, family, port }
    queue.epoch = epoch
    // A claim that is made again, after the broker was lost, must come back to the same port.
    if (queue.prefix.port === 0) queue.prefix = queue.prefix.withPort(port)
    this.#settle(this.#claiming, id)
  }

  /** Another process has taken the prefix over; what was begun here goes on. */
  #onRevoked(id: number): void {
    const queue = this.#queues.get(id)
    if (queue === undefined) return
    this.#queues.delete(id)
    this.#settle(this.#claiming, id)
    queue.listener.onQueueRevoked(queue)
    this.updateRef()
    this.#closeIfUnused()
  }

  #settle(waiters: Map<number, Waiter>, id: number, error?: HttpSysError): void {
    const waiter = waiters.get(id)
    waiters.delete(id)
    if (error === undefined) waiter?.resolve()
    else waiter?.reject(error)
  }
}

function listenerOf(exchange: BrokerExchange): ExchangeListener {
  return (exchange.queue as BrokerQueue).listener
}
