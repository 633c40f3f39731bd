import { UrlPrefix } from '../base/url-prefix.ts'
import { HttpSysError } from '../base/errors.ts'
import type {
  Chunk,
  DisconnectKind,
  Exchange,
  ExchangeListener,
  QueueAddress,
  QueueConnection,
  RequestQueue,
} from './exchange.ts'
import { LENGTH_UNKNOWN, RESPONSE_CLOSE, RESPONSE_OPAQUE } from './exchange.ts'

/** Bytes of a body, either way, that may be under way before the receiver grants more. */
const WINDOW_BYTES = 64 * 1024

/** A request that a {@link MemoryBackend} is to deliver. */
export interface MemoryRequest {
  readonly method: string
  readonly target: string
  readonly rawHeaders: readonly string[]
  readonly hasBody: boolean
  readonly connection?: QueueConnection
}

/**
 * A backend without any I/O: requests are method calls. For tests of what stands above the queue, and as the smallest complete
 * example of the port.
 */
export class MemoryBackend {
  readonly #queues: MemoryQueue[] = []

  /** Claims a prefix; the longest matching path gets a request, hosts are not looked at. */
  readonly open = (prefix: UrlPrefix, listener: ExchangeListener): Promise<RequestQueue> => {
    const others = this.#queues.filter((queue) => queue.prefix.key === prefix.key)
    if (others.length > 0 && prefix.mode === 'create') {
      const error = new HttpSysError({
        code: 'EADDRINUSE',
        syscall: 'listen',
        subject: prefix.href,
        reason: 'the prefix has been claimed',
        remedy: "Choose another prefix, or share the queue with { mode: 'attach' }.",
      })
      return Promise.reject(error)
    }
    if (prefix.mode === 'takeover') for (const other of others) other.revoke()
    const queue = new MemoryQueue(prefix, listener, () => this.#queues.splice(this.#queues.indexOf(queue), 1))
    this.#queues.push(queue)
    return Promise.resolve(queue)
  }

  /** Delivers a request; null when no prefix matches. */
  request(request: MemoryRequest): MemoryExchange | null {
    const path = request.target.replace(/[?#].*$/, '').toLowerCase()
    const matches = this.#queues.filter((queue) => `${path}/`.startsWith(queue.prefix.path.toLowerCase()))
    const longest = Math.max(...matches.map((queue) => queue.prefix.path.length))
    const candidates = matches.filter((queue) => queue.prefix.path.length === longest)
    // Several processes on one queue are served in turn.
    const queue = candidates.toSorted((one, other) => one.served - other.served)[0]
    if (queue === undefined) return null
    queue.served++
    const exchange = new MemoryExchange(queue, request)
    queue.listener.onRequest(exchange)
    return exchange
  }
}

class MemoryQueue implements RequestQueue {
  readonly backend = 'memory'
  readonly name = null
  readonly prefix: UrlPrefix
  readonly address: QueueAddress
  readonly listener: ExchangeListener
  served = 0
  readonly #onShutdown: () => void
  #isOpen = true

  constructor(prefix: UrlPrefix, listener: ExchangeListener, onShutdown: () => void) {
    this.prefix = prefix
    this.listener = listener
    this.address = { address: '127.0.0.1', family: 'IPv4', port: prefix.port }
    this.#onShutdown = onShutdown
  }

  shutdown(): Promise<void> {
    if (this.#isOpen) this.#onShutdown()
    this.#isOpen = false
    return Promise.resolve()
  }

  whenSent(): Promise<void> {
    return Promise.resolve()
  }

  /** Another queue takes the prefix over. */
  revoke(): void {
    void this.shutdown()
    this.listener.onQueueRevoked(this)
  }

  /** There is no cache. */
  flushResponseCache(): Promise<void> {
    return Promise.resolve()
  }

  setRef(): void {}
}

const CONNECTION: QueueConnection = {
  remoteAddress: '127.0.0.1',
  remotePort: 50_000,
  localAddress: '127.0.0.1',
  localPort: 8080,
  encrypted: false,
}

/** What a client of a {@link MemoryBackend} sees of its request, and what it can still do. */
export class MemoryExchange implements Exchange {
  readonly queue: MemoryQueue
  readonly connection: QueueConnection
  readonly method: string
  readonly target: string
  readonly majorVersion = 1
  readonly minorVersion = 1
  readonly rawHeaders: string[]
  readonly hasBody: boolean
  readonly isUpgrade: boolean
  readonly expectation: 0 | 1 | 2
  readonly isKeepAlive = true
  readonly isAlone = false
  context: unknown = undefined

  /** What the client has received. */
  readonly received = {
    informational: [] as { status: number; fields: string }[],
    status: 0,
    reason: '',
    fields: '',
    contentLength: LENGTH_UNKNOWN,
    /** How long a cache might keep it; 0: not at all. */
    secondsToLive: 0,
    closes: false,
    isOpaque: false,
    body: [] as Buffer[],
    trailers: '',
    isComplete: false,
    isBroken: false,
  }
  /** Called when anything was received. */
  onProgress: () => void = () => {}
  #isReading = true
  #window = WINDOW_BYTES
  #pending: Buffer[] = []
  #isEndPending = false
  #isDone = false
  #bodyCredit = WINDOW_BYTES
  #bodyPending: Buffer[] = []
  #isBodyEndPending: boolean
  #isBodyDone: boolean
  #isDiscarding = false

  constructor(queue: MemoryQueue, request: MemoryRequest) {
    this.queue = queue
    this.connection = request.connection ?? CONNECTION
    this.method = request.method
    this.target = request.target
    this.rawHeaders = [...request.rawHeaders]
    this.hasBody = request.hasBody
    this.isUpgrade = this.#header('upgrade') !== undefined
    const expect = this.#header('expect')?.toLowerCase()
    this.expectation = expect === undefined ? 0 : expect === '100-continue' ? 1 : 2
    this.#isBodyEndPending = false
    this.#isBodyDone = !request.hasBody
  }

  get queuedBytes(): number {
    return this.#pending.reduce((total, piece) => total + piece.length, 0)
  }

  // The client's side

  /** Sends a piece of the body, or of an opaque connection. */
  write(bytes: Buffer): void {
    this.#bodyPending.push(bytes)
    this.#pumpBody()
  }

  /** Ends the body, or the client's side of an opaque connection. */
  end(): void {
    this.#isBodyEndPending = true
    this.#pumpBody()
  }

  /** The client goes away. */
  disconnect(kind: DisconnectKind): void {
    if (this.#isBodyDone && this.#isDone) return
    this.#isBodyDone = true
    this.queue.listener.onDisconnect(this, kind)
  }

  /** The client stops and goes on reading. */
  setReading(isReading: boolean): void {
    this.#isReading = isReading
    if (!isReading) return
    this.#window = WINDOW_BYTES
    this.#pump(true)
  }

  /** How much of the request's body has not been taken yet. */
  get unsentBytes(): number {
    return this.#bodyPending.reduce((total, piece) => total + piece.length, 0)
  }

  // The owner's side

  grantBody(bytes: number): void {
    this.#bodyCredit += bytes
    this.#pumpBody()
  }

  discardBody(): void {
    this.#isDiscarding = true
    this.#pumpBody()
  }

  setCachePolicy(secondsToLive: number): void {
    this.received.secondsToLive = secondsToLive
  }

  sendInformational(status: number, fields: string): void {
    this.received.informational.push({ status, fields })
    this.onProgress()
  }

  sendResponse(
    status: number,
    reason: string,
    fields: string,
    contentLength: number,
    flags: number,
    chunk: Chunk | null,
    encoding: BufferEncoding | null,
    isLast: boolean,
  ): boolean {
    const isOpaque = (flags & RESPONSE_OPAQUE) !== 0
    if (isOpaque) this.#isBodyDone = false
    Object.assign(this.received, {
      status,
      reason,
      fields,
      contentLength,
      isOpaque,
      closes: (flags & RESPONSE_CLOSE) !== 0,
    })
    return this.sendBody(chunk, encoding, isLast, '')
  }

  beginRaw(): boolean {
    return false
  }

  sendBody(chunk: Chunk | null, encoding: BufferEncoding | null, isLast: boolean, trailers: string): boolean {
    if (this.#isDone) return false
    if (chunk !== null)
      this.#pending.push(typeof chunk === 'string' ? Buffer.from(chunk, encoding ?? 'utf8') : Buffer.from(chunk))
    if (isLast) {
      this.#isEndPending = true
      this.received.trailers = trailers
    }
    return this.#pump(false)
  }

  commit(): void {}

  cancel(): void {
    if (this.#isDone && this.#isBodyDone) return
    this.#isDone = true
    this.#isBodyDone = true
    this.#pending = []
    this.received.isBroken = !this.received.isComplete
    this.onProgress()
  }

  #pump(wasWaiting: boolean): boolean {
    while (this.#pending.length > 0 && this.#window > 0) {
      const piece = this.#pending.shift()!
      const taken = piece.subarray(0, this.#window)
      if (taken.length < piece.length) this.#pending.unshift(piece.subarray(taken.length))
      if (!this.#isReading) this.#window -= taken.length
      this.received.body.push(taken)
    }
    if (this.#pending.length === 0 && this.#isEndPending) {
      this.#isDone = true
      this.received.isComplete = true
    }
    this.onProgress()
    const hasRoom = this.#pending.length === 0 && this.#window > 0
    if (wasWaiting && hasRoom) this.queue.listener.onWritable(this)
    return hasRoom
  }

  #pumpBody(): void {
    while (this.#bodyPending.length > 0 && (this.#bodyCredit > 0 || this.#isDiscarding) && !this.#isBodyDone) {
      const piece = this.#bodyPending.shift()!
      if (this.#isDiscarding) continue
      this.#bodyCredit -= piece.length
      this.queue.listener.onBody(this, piece)
    }
    if (this.#bodyPending.length > 0 || !this.#isBodyEndPending || this.#isBodyDone) return
    this.#isBodyDone = true
    this.queue.listener.onBodyEnd(this, [])
  }

  #header(name: string): string | undefined {
    const index = this.rawHeaders.findIndex((text, at) => at % 2 === 0 && text.toLowerCase() === name)
    return index === -1 ? undefined : this.rawHeaders[index + 1]
  }
}
