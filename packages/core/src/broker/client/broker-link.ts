import type { Socket } from 'node:net'
import { latin1 } from '../../base/latin1.ts'
import type { ExchangeListener } from '../../queue/exchange.ts'
import type { OwnerBlocks } from '../blocks/owner-blocks.ts'
import type { OnFrame } from '../protocol/frame-reader.ts'
import type { FrameWriter } from '../protocol/frame-writer.ts'
import {
  CLIENT_ERROR_FIXED_BYTES,
  CLOSE_IDLE_END,
  CONNECTION_ENCRYPTED,
  CREDIT_BYTES,
  DISCONNECT_END,
  FLAG_END,
  FRAME_ACCEPTED,
  FRAME_BLOCK_FREE,
  FRAME_BODY,
  FRAME_BODY_BLOCK,
  FRAME_CANCEL,
  FRAME_CLIENT_ERROR,
  FRAME_CLOSE_IDLE,
  FRAME_CONNECTION,
  FRAME_CONNECTION_CLOSED,
  FRAME_CREDIT,
  FRAME_DISCONNECT,
  FRAME_REQUEST,
  FRAME_TRAILERS,
  HEADER_BYTES,
  REQUEST_FIXED_BYTES,
} from '../protocol/frames.ts'
import { SLOT_MASK } from '../protocol/limits.ts'
import type { ThreadTicket } from '../protocol/hello.ts'
import { deliveryChoice, wantedMemory } from '../rings/delivery.ts'
import type { RingLink } from '../rings/ring-link.ts'
import { BrokerConnection } from './broker-connection.ts'
import { BrokerExchange } from './broker-exchange.ts'
import type { ExchangeHome } from './broker-exchange.ts'
import type { BrokerQueue } from './broker-queue.ts'
import { findBroker } from './find-broker.ts'
import { openConnection } from './open-connection.ts'
import type { ConnectSocket, FrameEvents, OpenConnection } from './open-connection.ts'
import { parseRawHeaders } from './raw-headers.ts'
import { chooseScheduling } from './scheduling.ts'
import { ThreadLinks } from './thread-links.ts'

/** What a link needs of the session that it belongs to. */
export interface LinkHome {
  /** The claim of this number, while it is open. */
  queueOf(id: number): BrokerQueue | undefined
  /** A frame about claims, or about the broker. */
  onControl(link: BrokerLink, type: number, id: number, payload: string): void
  /** It has an exchange now and had none, or the other way round. */
  onBusyChange(link: BrokerLink): void
  /** The broker has closed it; its exchanges and connections have been told. */
  onLinkLost(link: BrokerLink): void
}

/** Those that may have something to send. */
const openLinks = new Set<BrokerLink>()
let isWatchingExit = false

/** What an app has sent in the turn in which it ends its process leaves, as it does over a socket of its own. */
function sendLastWords(): void {
  for (const link of openLinks) link.writer.flush()
}

/**
 * A connection to one broker, with the exchanges and the clients' connections that came over it.
 *
 * open ──closed by either side──▶ closed
 */
export class BrokerLink implements ExchangeHome {
  readonly writer: FrameWriter
  readonly blocks: OwnerBlocks | null
  readonly #socket: Socket
  readonly #rings: RingLink | null
  readonly #home: LinkHome
  readonly #exchanges: (BrokerExchange | undefined)[] = []
  #exchangeCount = 0
  readonly #connections: (BrokerConnection | undefined)[] = []
  #threads: ThreadLinks | null = null
  /** Has got requests in this batch of frames. */
  #served: ExchangeListener | null = null
  #isClosed = false
  #isRef = true

  private constructor({ socket, writer, rings, blocks }: OpenConnection, home: LinkHome) {
    this.#socket = socket
    this.writer = writer
    this.#rings = rings
    this.blocks = blocks
    this.#home = home
    socket.once('close', () => this.#onLost())
    if (!isWatchingExit) process.once('exit', sendLastWords)
    isWatchingExit = true
    openLinks.add(this)
  }

  /**
   * Connects to the broker of a runtime directory, which is started when there is none.
   *
   * @param ticket - of one of its threads; the first, unless given
   * @throws HttpSysError `ETIMEDOUT` when no broker can be started or it says nothing, `EPROTO` when it is of another version,
   * `ECONNRESET` when it was just leaving, `EINVAL` or `ENOTSUP` when HTTPSYS_DELIVERY or HTTPSYS_SCHEDULING can't be followed
   */
  static async open(directory: string, home: LinkHome, ticket?: ThreadTicket): Promise<BrokerLink> {
    let link: BrokerLink | undefined
    /** Frames that came in one piece with HELLO. */
    const early: (() => void)[] = []
    const events: FrameEvents = {
      onFrame: (type, flags, aux, id, bytes, view, start, end) => {
        if (link !== undefined) return link.#onFrame(type, flags, aux, id, bytes, view, start, end)
        const frame = Buffer.from(bytes.subarray(start, end))
        const frameView = new DataView(frame.buffer, frame.byteOffset, frame.length)
        early.push(() => link!.#onFrame(type, flags, aux, id, frame, frameView, 0, frame.length))
      },
      onBatchEnd: () => {
        if (link === undefined) return false
        link.#onBatchEnd()
        return !link.isBusy
      },
    }
    const connectSocket: ConnectSocket = (options, isPaused) => findBroker(directory, options, isPaused)
    const memory = wantedMemory(deliveryChoice(process.env))
    chooseScheduling(process.env)
    const connection = await openConnection(connectSocket, events, memory, ticket)
    link = new BrokerLink(connection, home)
    if (connection.threads !== undefined) link.#connectToThreads(directory, connection.threads)
    for (const replay of early) replay()
    link.#onBatchEnd()
    return link
  }

  /** Whether exchanges are under way. */
  get isBusy(): boolean {
    return this.#exchangeCount > 0 || this.#threads?.isBusy === true
  }

  /** Whether the link keeps the process alive. */
  setRef(isRef: boolean): void {
    // Asked for twice with every request of an app that has one at a time; nearly always the answer is the same.
    if (isRef === this.#isRef) return
    this.#isRef = isRef
    this.#threads?.setRef(isRef)
    if (isRef) this.#socket.ref()
    else this.writer.whenDone(this.#unref)
  }

  /** What was answered has left: nothing else of it may depend on this process. */
  readonly #unref = (): void => {
    if (!this.#isRef) this.#socket.unref()
  }

  /** Resolves when all that was to be sent so far, over any of the broker's threads, has left this process or is lost. */
  async whenSent(): Promise<void> {
    await Promise.all([new Promise<void>((resolve) => this.writer.whenDone(resolve)), this.#threads?.whenSent()])
  }

  /**
   * Sends what is left, and closes.
   *
   * @param sent - resolves when that has been sent, here and over all other threads: to the broker one end is that of all
   */
  close(sent = this.whenSent()): void {
    this.#threads?.close(sent)
    this.#isClosed = true
    this.setRef(true)
    this.writer.flush()
    this.blocks?.close()
    // The other side closes at once: only what is left to be sent keeps the process waiting.
    this.setRef(false)
    void sent.then(() => {
      openLinks.delete(this)
      this.#socket.end()
    })
  }

  /** It is of no use any more. */
  lose(): void {
    this.#socket.destroy()
    this.#onLost()
  }

  #connectToThreads(directory: string, { key, thread: count }: ThreadTicket): void {
    this.#threads = new ThreadLinks(this, this.#home, count, (thread, home) => {
      return BrokerLink.open(directory, home, { key, thread })
    })
  }

  onExchangeClosed(exchange: BrokerExchange): void {
    const slot = exchange.id & SLOT_MASK
    if (this.#exchanges[slot] !== exchange) return
    this.#exchanges[slot] = undefined
    this.#exchangeCount--
    if (this.#exchangeCount === 0) this.#home.onBusyChange(this)
  }

  /** What was under way is lost. */
  #onLost(): void {
    // What the broker sent before it ended the socket is still to be read.
    if (!this.#isClosed) this.#rings?.drain()
    this.#rings?.close()
    openLinks.delete(this)
    if (this.#isClosed) return this.writer.close()
    this.#isClosed = true
    this.writer.close()
    this.blocks?.close()
    const exchanges = this.#exchanges.splice(0)
    const connections = this.#connections.splice(0)
    this.#exchangeCount = 0
    for (const exchange of exchanges) {
      if (exchange === undefined) continue
      exchange.onSessionLost()
      exchange.listener.onLost(exchange)
    }
    for (const connection of connections) connection?.onClosed?.()
    this.#threads?.lose()
    this.#home.onLinkLost(this)
  }

  readonly #onFrame: OnFrame = (type, flags, aux, id, bytes, view, start, end) => {
    const payload = start + HEADER_BYTES
    switch (type) {
      case FRAME_REQUEST:
        return this.#onRequest(flags, id, bytes, view, start, end)
      case FRAME_BODY:
      case FRAME_TRAILERS:
      case FRAME_CREDIT:
      case FRAME_DISCONNECT:
        return this.#onExchangeFrame(type, flags, aux, id, bytes, view, start, end)
      case FRAME_BODY_BLOCK:
        return this.#onBlock(flags, aux, id, view.getUint32(payload, true))
      case FRAME_BLOCK_FREE:
        return this.blocks?.giveBack(aux)
      case FRAME_CONNECTION:
        this.#connections[id & SLOT_MASK] = new BrokerConnection(
          latin1(bytes, payload, end),
          (flags & CONNECTION_ENCRYPTED) !== 0,
          (isEnd) => this.writer.signal(FRAME_CLOSE_IDLE, isEnd === true ? CLOSE_IDLE_END : 0, 0, id),
        )
        return
      case FRAME_CONNECTION_CLOSED: {
        const connection = this.#connections[id & SLOT_MASK]
        this.#connections[id & SLOT_MASK] = undefined
        return connection?.onClosed?.()
      }
      case FRAME_ACCEPTED: {
        const queue = this.#home.queueOf(view.getUint32(payload, true))
        const connection = this.#connections[id & SLOT_MASK]
        if (connection !== undefined) queue?.listener.onConnection?.(connection)
        return
      }
      case FRAME_CLIENT_ERROR:
        return this.#onClientError(id, bytes, view, start, end)
      default:
        return (this.#threads ?? this.#home).onControl(this, type, id, bytes.toString('utf8', payload, end))
    }
  }

  readonly #onExchangeFrame: OnFrame = (type, flags, aux, id, bytes, view, start, end) => {
    const exchange = this.#exchanges[id & SLOT_MASK]
    // A frame for an exchange that this side has ended was under way when it did.
    if (exchange === undefined || exchange.id !== id) return
    const payload = start + HEADER_BYTES
    const { listener } = exchange
    switch (type) {
      case FRAME_BODY:
        // An empty piece that is not the last ends what came with the head of a raw exchange.
        if (end > payload || flags === 0) listener.onBody(exchange, Buffer.from(bytes.subarray(payload, end)))
        if ((flags & FLAG_END) !== 0) onBodyEnd(exchange, [])
        return
      case FRAME_TRAILERS: {
        const lines = latin1(bytes, payload, end)
        return onBodyEnd(exchange, parseRawHeaders(lines, 0, lines.split('\r\n').length - 1))
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

  #onBlock(flags: number, block: number, id: number, length: number): void {
    const exchange = this.#exchanges[id & SLOT_MASK]
    const isLive = exchange !== undefined && exchange.id === id
    const chunk = isLive ? this.blocks!.take(block, length) : null
    this.writer.signal(FRAME_BLOCK_FREE, 0, block, 0)
    if (chunk === null) return
    exchange!.listener.onBody(exchange!, chunk)
    if ((flags & FLAG_END) !== 0) onBodyEnd(exchange!, [])
  }

  #onBatchEnd(): void {
    const served = this.#served
    this.#served = null
    served?.onBatchEnd?.()
  }

  #onRequest(flags: number, id: number, bytes: Buffer, view: DataView, start: number, end: number): void {
    const connection = this.#connections[view.getUint32(start + 12, true) & SLOT_MASK]
    const queue = this.#home.queueOf(view.getUint32(start + 16, true))
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
    this.#add(exchange)
    const { listener } = queue
    if (this.#served !== listener) {
      this.#onBatchEnd()
      this.#served = listener
      listener.onBatchBegin?.()
    }
    listener.onRequest(exchange)
    if (end > headEnd) listener.onBody(exchange, Buffer.from(bytes.subarray(headEnd, end)))
    if ((flags & FLAG_END) !== 0) onBodyEnd(exchange, [])
  }

  #onClientError(id: number, bytes: Buffer, view: DataView, start: number, end: number): void {
    const connection = this.#connections[view.getUint32(start + 12, true) & SLOT_MASK]
    const queue = this.#home.queueOf(view.getUint32(start + 16, true))
    if (connection === undefined || queue === undefined) return this.writer.signal(FRAME_CANCEL, 0, 0, id)
    const codeStart = start + CLIENT_ERROR_FIXED_BYTES
    const codeEnd = codeStart + view.getUint16(start + 20, true)
    const error = { code: latin1(bytes, codeStart, codeEnd), rawPacket: Buffer.from(bytes.subarray(codeEnd, end)) }
    let exchange = this.#exchanges[id & SLOT_MASK]
    if (exchange === undefined || exchange.id !== id) {
      exchange = new BrokerExchange(this, id, queue, connection, 0, '', 0, 0, 0, true)
      this.#add(exchange)
    }
    queue.listener.onClientError?.(exchange, error)
  }

  #add(exchange: BrokerExchange): void {
    this.#exchanges[exchange.id & SLOT_MASK] = exchange
    this.#exchangeCount++
    if (this.#exchangeCount === 1) this.#home.onBusyChange(this)
  }
}

function onBodyEnd(exchange: BrokerExchange, rawTrailers: string[]): void {
  exchange.onBodyDone()
  exchange.listener.onBodyEnd(exchange, rawTrailers)
}
