import { debuglog } from 'node:util'
import type { UrlPrefix } from '../base/url-prefix.ts'
import type { ExchangeListener } from '../queue/exchange.ts'
import { HTTP_FLUSH_RESPONSE_FLAG_RECURSIVE } from './constants.ts'
import type { IoContext } from './io-context.ts'
import { HTTP_REQUEST } from './layout.ts'
import type { MemoryBlock } from './memory-block.ts'
import { NativeExchange } from './native-exchange.ts'
import type { ExchangeHome } from './native-exchange.ts'
import { NativeQueue } from './native-queue.ts'
import { ReceiveLoop } from './receive-loop.ts'
import type { ReceiveSink } from './receive-loop.ts'
import { copyEntityChunks, decodeRequest } from './request-decoder.ts'
import type { RequestQueueHandle } from './request-queue.ts'
import { urlsOf } from './urls.ts'

const debug = debuglog('httpsys')

/** What a member needs of whoever has registered its URLs. */
export interface MemberHome {
  /** Its claims are about to be revoked: others receive from the queue on. */
  onRevoked(member: QueueMember): void
  /** The URLs are to be given back: no further request is to come. Returns whether nobody else receives from the queue. */
  onLeaving(member: QueueMember): boolean
  /** Nothing of the member is open any more, and its queue is closed. */
  onMemberClosed(member: QueueMember): void
}

/**
 * This process's share of one of HTTP.SYS's request queues: its receives, and the claims that they are for, which get requests in turn.
 *
 * receiving ──last claim leaves, revoke──▶ draining ──last exchange closed──▶ closed
 */
export class QueueMember implements ReceiveSink, ExchangeHome {
  readonly prefix: UrlPrefix
  readonly handle: RequestQueueHandle
  readonly #io: IoContext
  readonly #home: MemberHome
  readonly #loop: ReceiveLoop
  /** How often the response cache was flushed: answers to requests from before are not kept. */
  flushCount = 0
  #claims: NativeQueue[] = []
  #turn = 0
  #openExchanges = 0
  #state: 'receiving' | 'draining' | 'closed' = 'receiving'
  #stopped: Promise<void> | null = null
  #isStopped = false

  constructor(io: IoContext, home: MemberHome, handle: RequestQueueHandle, prefix: UrlPrefix) {
    this.#io = io
    this.#home = home
    this.handle = handle
    this.prefix = prefix
    this.#loop = new ReceiveLoop(io, handle, this)
  }

  get isReceiving(): boolean {
    return this.#state === 'receiving'
  }

  get claimCount(): number {
    return this.#claims.length
  }

  /** Adds a claim; requests come from {@link start} on. */
  join(prefix: UrlPrefix, listener: ExchangeListener): NativeQueue {
    const queue = new NativeQueue(this, prefix, listener)
    this.#claims.push(queue)
    this.#io.port.hold()
    return queue
  }

  start(receives: number): void {
    this.#loop.start(receives)
  }

  /** One claim leaves; resolves when no further request arrives for it. */
  async leave(queue: NativeQueue): Promise<void> {
    const index = this.#claims.indexOf(queue)
    if (index !== -1 && this.#claims.length > 1) {
      this.#claims.splice(index, 1)
      this.#letGo(queue)
      return
    }
    if (index === -1) {
      await this.#stopped
      return
    }
    // What is received until the loop has stopped is still the last claim's.
    await this.#stop(this.#home.onLeaving(this))
  }

  /**
   * The claims of this process lose the prefix to another process; what was begun goes on, and the URLs stay as long. Resolves when no
   * request comes any more.
   */
  async revoke(): Promise<void> {
    const claims = this.#state === 'receiving' ? [...this.#claims] : []
    if (claims.length > 0) this.#home.onRevoked(this)
    await this.#stop(false)
    for (const queue of claims) queue.listener.onQueueRevoked(queue)
  }

  /** A claim of this process takes the prefix over from the others of this process. */
  replace(heir: NativeQueue): void {
    const others = this.#claims.filter((queue) => queue !== heir)
    this.#claims = [heir]
    for (const queue of others) {
      this.#letGo(queue)
      queue.listener.onQueueRevoked(queue)
    }
  }

  /** HTTP.SYS forgets what it keeps of the path and of what is below; it compares beginnings of URLs, which may be more than was meant. */
  flushResponseCache(path: string): void {
    this.flushCount++
    // What its responses left in the cache went with its URLs.
    if (this.#state === 'closed') return
    for (const url of urlsOf(this.prefix, path)) {
      // Whatever the status: a URL that HTTP.SYS keeps nothing of is flushed.
      const flags = HTTP_FLUSH_RESPONSE_FLAG_RECURSIVE
      this.#io.api.http.HttpFlushResponseCache?.(this.handle.handle, url, flags, 0)
    }
  }

  onRefChange(queue: NativeQueue): void {
    if (!this.#claims.includes(queue)) return
    if (queue.isRef) {
      this.#io.port.hold()
      this.#io.port.unwatch()
    } else {
      this.#io.port.watch()
      this.#io.port.release()
    }
  }

  onReceived(block: MemoryBlock): void {
    const queue = this.#claims[this.#turn++ % this.#claims.length]
    let request
    let pieces
    try {
      // Claims stay until no receive is under way.
      if (queue === undefined) throw new Error('a request arrived for nobody')
      request = decodeRequest(block)
      pieces = request.hasBody ? copyEntityChunks(block) : NO_PIECES
    } catch (error) {
      // Not of this world: neither HTTP.SYS nor a client can cause it.
      debug('%s', error)
      // SAFETY: the receive is over, and the id is a constant of the struct.
      this.#io.api.http.HttpCancelHttpRequest?.(this.handle.handle, block.readId(HTTP_REQUEST.RequestId), 0)
      return
    }
    const { connections } = this.#io
    const connection = connections.find(this.handle, block, request.connectionLow, request.connectionHigh)
    const exchange = new NativeExchange(this.#io, this, queue, connection, request)
    this.#openExchanges++
    queue.onExchangeOpened()
    this.#io.port.hold()
    if (request.hasBody && exchange.refuseLongBody()) return
    queue.listener.onRequest(exchange)
    if (request.hasBody) exchange.startBody(pieces, request.hasMoreBody)
  }

  onReceiveBroken(error: Error): void {
    const claims = [...this.#claims]
    this.#home.onLeaving(this)
    // The other receives are still Windows': the handle, the slabs and what keeps the port awake stay until they are back.
    void this.#stop(false)
    for (const queue of claims) queue.listener.onQueueLost(queue, error)
  }

  onExchangeClosed({ queue }: NativeExchange): void {
    this.#openExchanges--
    queue.onExchangeClosed()
    this.#io.port.release()
    this.#closeIfDone()
  }

  #stop(isLast: boolean): Promise<void> {
    if (this.#stopped !== null) return this.#stopped
    this.#state = 'draining'
    this.#stopped = this.#loop.stop(isLast).then(() => {
      this.#isStopped = true
      for (const queue of this.#claims.splice(0)) this.#letGo(queue)
      this.#closeIfDone()
    })
    return this.#stopped
  }

  #letGo(queue: NativeQueue): void {
    if (queue.isRef) this.#io.port.release()
    else this.#io.port.unwatch()
  }

  #closeIfDone(): void {
    if (this.#state !== 'draining' || !this.#isStopped || this.#openExchanges > 0) return
    this.#state = 'closed'
    this.#home.onLeaving(this)
    // The waits for disconnects on this handle come back now.
    this.handle.close()
    this.#home.onMemberClosed(this)
  }
}

const NO_PIECES: Buffer[] = []
