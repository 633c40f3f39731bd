import { HttpSysError } from '../../base/errors.ts'
import type { UrlPrefix } from '../../base/url-prefix.ts'
import type { ExchangeListener, RequestQueue } from '../../queue/exchange.ts'
import { decodeClaimed, decodeRefused, encodeClaim } from '../protocol/claims.ts'
import {
  FRAME_CLAIM,
  FRAME_CLAIMED,
  FRAME_FLUSH,
  FRAME_FLUSHED,
  FRAME_LEAVING,
  FRAME_REFUSED,
  FRAME_RELEASE,
  FRAME_RELEASED,
  FRAME_REVOKED,
  RELEASE_HOLD,
} from '../protocol/frames.ts'
import type { BoundPort } from './bound-port.ts'
import { BrokerLink } from './broker-link.ts'
import type { LinkHome } from './broker-link.ts'
import { BrokerQueue } from './broker-queue.ts'
import type { QueueHome } from './broker-queue.ts'
import { handOver } from './hand-over.ts'
import { lost } from './open-connection.ts'

const MAX_ATTEMPTS = 5
/** A broker answers at once, unless it waits for its successor: that may take half of it. */
const CLAIM_TIMEOUT_MS = 60_000

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * The claims of this process at the broker, whichever it is at the time.
 *
 * idle ──first claim──▶ connecting ──▶ open ──last claim and exchange gone──▶ idle
 *                            ▲            │ broker lost, or leaving: claims are made again
 *                            └────────────┘
 */
export class BrokerSession implements LinkHome, QueueHome {
  readonly #directory: string
  #link: BrokerLink | null = null
  #connecting: Promise<BrokerLink> | null = null
  /** To brokers that have handed their ports over and finish what they have. */
  readonly #leaving = new Set<BrokerLink>()
  /** Of no use any more, with something still to send. */
  readonly #closing = new Set<BrokerLink>()
  #nextClaimId = 0
  readonly #queues = new Map<number, BrokerQueue>()
  readonly #claiming = new Map<number, Waiter>()
  /** Over which links brokers are still to say that no request comes any more for a claim. */
  readonly #releasing = new Map<BrokerLink, Map<number, () => void>>()
  /** The broker answers in the order in which it was asked. */
  readonly #flushing: (() => void)[] = []

  constructor(directory: string) {
    this.#directory = directory
  }

  /**
   * Claims a prefix.
   *
   * @throws HttpSysError with the broker's reason, `ETIMEDOUT` when no broker can be started or it does not answer, `EPROTO` when it is of another version.
   */
  async open(prefix: UrlPrefix, listener: ExchangeListener, port?: BoundPort): Promise<RequestQueue> {
    const queue = new BrokerQueue(this, this.#nextClaimId++, prefix, listener, port)
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
    // When the broker is lost now, the claim is not made again.
    queue.isLive = false
    const links = this.#link === null ? [...this.#leaving] : [...this.#leaving, this.#link]
    await Promise.all(links.map((link) => this.#releaseAt(link, queue, isHeld)))
    this.#queues.delete(queue.id)
    // Whoever was just making the claim again.
    this.#settle(queue.id)
    this.updateRef()
    this.#closeIfUnused()
  }

  #releaseAt(link: BrokerLink, queue: BrokerQueue, isHeld: boolean): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#releasing.get(link) ?? new Map<number, () => void>()
      this.#releasing.set(link, waiting.set(queue.id, resolve))
      link.writer.signal(FRAME_RELEASE, isHeld ? RELEASE_HOLD : 0, 0, queue.id)
      // Its socket is shut down next: a broker that saw that first would try to accept from it until it hears why.
      if (queue.privatePort !== undefined) link.writer.flush()
      // Also an unref'd server's `close` is waited for.
      this.updateRef()
    })
  }

  #onReleased(link: BrokerLink, id: number): void {
    const waiting = this.#releasing.get(link)
    const resolve = waiting?.get(id)
    waiting?.delete(id)
    if (waiting?.size === 0) this.#releasing.delete(link)
    resolve?.()
  }

  /** Also a broker that leaves had a cache: it emptied it when it said so. */
  async flush(queue: BrokerQueue, path: string): Promise<void> {
    const link = this.#link
    // A claim that is being made anew comes to a broker that knows no response of it yet.
    if (link === null || !queue.isLive || !this.#queues.has(queue.id)) return
    await new Promise<void>((resolve) => {
      this.#flushing.push(resolve)
      link.writer.text(FRAME_FLUSH, 0, 0, queue.id, path, 'utf8')
      this.updateRef()
    })
    this.updateRef()
  }

  /** The process stays alive for open exchanges and for queues that want it to. */
  updateRef(): void {
    for (const link of this.#leaving) link.setRef(link.isBusy || this.#releasing.has(link))
    const link = this.#link
    if (link === null) return
    link.setRef(link.isBusy || this.#releasing.has(link) || this.#flushing.length > 0 || this.#hasRefQueue())
  }

  /** Asked whenever the last request of a batch is done: the first queue nearly always is one, of however many. */
  #hasRefQueue(): boolean {
    for (const { isRef } of this.#queues.values()) if (isRef) return true
    return false
  }

  async whenSent(): Promise<void> {
    const links = [...this.#leaving, ...this.#closing]
    if (this.#link !== null) links.push(this.#link)
    await Promise.all(links.map((link) => link.whenSent()))
  }

  queueOf(id: number): BrokerQueue | undefined {
    return this.#queues.get(id)
  }

  onBusyChange(link: BrokerLink): void {
    this.updateRef()
    if (!link.isBusy) this.#closeIfUnused()
  }

  /** What was under way is lost; if it was the broker that has the claims, they are made again. */
  onLinkLost(link: BrokerLink): void {
    this.#leaving.delete(link)
    const releasing = this.#releasing.get(link)
    this.#releasing.delete(link)
    for (const resolve of releasing?.values() ?? []) resolve()
    if (this.#link !== link) return
    this.#link = null
    this.#rejectWaiters()
    this.#reopenAll()
  }

  onControl(link: BrokerLink, type: number, id: number, payload: string): void {
    if (type === FRAME_RELEASED) return this.#onReleased(link, id)
    // What else a broker says that leaves, or has left, is out of date: another has been asked the same.
    if (link !== this.#link) return
    switch (type) {
      case FRAME_CLAIMED:
        return this.#onClaimed(id, payload)
      case FRAME_REFUSED:
        return this.#onRefused(link, id, decodeRefused(payload))
      case FRAME_FLUSHED:
        return this.#flushing.shift()?.()
      case FRAME_REVOKED:
        return this.#onRevoked(id)
      case FRAME_LEAVING:
        return this.#onLeaving(link)
    }
  }

  #connected(): Promise<BrokerLink> {
    if (this.#link !== null) return Promise.resolve(this.#link)
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = null
    })
    return this.#connecting
  }

  async #connect(): Promise<BrokerLink> {
    this.#link = await BrokerLink.open(this.#directory, this)
    this.updateRef()
    return this.#link
  }

  /** Claims until the broker answers: one that was just leaving breaks the connection, and the next one is started. */
  async #claim(queue: BrokerQueue, port?: BoundPort, isAgain = false): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#connected()
        const name = port && (await handOver(this.#directory, port))
        const link = await this.#connected()
        // Closed meanwhile.
        if (isAgain && !(queue.isLive && this.#queues.has(queue.id))) return
        await this.#askFor(link, queue, name)
        return
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || (error as HttpSysError).code !== 'ECONNRESET') throw error
      }
    }
  }

  async #askFor(link: BrokerLink, queue: BrokerQueue, handOver?: string): Promise<void> {
    const { href, mode, settings } = queue.prefix
    const { epoch } = queue
    const timer = setTimeout(() => {
      // Whatever becomes of the broker, it has no use for what nobody waits for.
      link.writer.signal(FRAME_RELEASE, 0, 0, queue.id)
      this.#settle(queue.id, unanswered(href))
    }, CLAIM_TIMEOUT_MS)
    try {
      await new Promise<void>((resolve, reject) => {
        this.#claiming.set(queue.id, { resolve, reject })
        const claim = encodeClaim({ href, mode, settings, epoch, handOver, privatePort: queue.privatePort?.() })
        link.writer.text(FRAME_CLAIM, 0, 0, queue.id, claim, 'utf8')
      })
    } finally {
      clearTimeout(timer)
    }
  }

  #closeIfUnused(): void {
    if (this.#queues.size > 0) return
    for (const link of this.#leaving) {
      if (link.isBusy) continue
      this.#leaving.delete(link)
      this.#close(link)
    }
    if (this.#link === null || this.#link.isBusy) return
    this.#close(this.#link)
    this.#link = null
  }

  #close(link: BrokerLink): void {
    this.#closing.add(link)
    void link.whenSent().then(() => this.#closing.delete(link))
    link.close()
  }

  /** The broker finishes what it has, also what its clients ask of a claim that is being given back; its successor has the ports. */
  #onLeaving(link: BrokerLink): void {
    if (this.#link !== link) return
    this.#link = null
    this.#leaving.add(link)
    this.#rejectWaiters()
    this.#reopenAll()
  }

  #rejectWaiters(): void {
    for (const resolve of this.#flushing.splice(0)) resolve()
    for (const waiter of this.#claiming.values()) waiter.reject(lost())
    this.#claiming.clear()
  }

  #reopenAll(): void {
    for (const queue of this.#queues.values()) {
      if (!queue.isLive) continue
      queue.releasePort()
      void this.#reopen(queue)
    }
    this.updateRef()
  }

  async #reopen(queue: BrokerQueue): Promise<void> {
    try {
      await this.#claim(queue, undefined, true)
    } catch (error) {
      if (this.#queues.delete(queue.id)) queue.listener.onQueueLost(queue, error as Error)
    }
    // It may have been closed while the broker was being looked for.
    this.#closeIfUnused()
  }

  #onClaimed(id: number, payload: string): void {
    const queue = this.#queues.get(id)
    if (queue === undefined) return
    const { address, family, port, epoch } = decodeClaimed(payload)
    queue.address = { address, family, port }
    queue.epoch = epoch
    // At once: the broker may say in the same breath that it leaves.
    queue.isLive = true
    // A claim that is made again, after the broker was lost, must come back to the same port.
    if (queue.prefix.port === 0) queue.prefix = queue.prefix.withPort(port)
    this.#settle(id)
  }

  /** One that refuses since it has handed its ports over says so to everybody later, and may have said so before it could be heard. */
  #onRefused(link: BrokerLink, id: number, reason: HttpSysError): void {
    if (reason.code === 'ECONNRESET') this.#onLeaving(link)
    else this.#settle(id, reason)
  }

  /** Another process has taken the prefix over; what was begun here goes on. */
  #onRevoked(id: number): void {
    const queue = this.#queues.get(id)
    if (queue === undefined) return
    queue.isLive = false
    // From a broker that leaves requests may come until it has been told as well, which the listener does by shutting the queue down.
    if (this.#leaving.size === 0) this.#queues.delete(id)
    this.#settle(id)
    queue.listener.onQueueRevoked(queue)
    this.updateRef()
    this.#closeIfUnused()
  }

  #settle(id: number, error?: HttpSysError): void {
    const waiter = this.#claiming.get(id)
    this.#claiming.delete(id)
    if (error === undefined) waiter?.resolve()
    else waiter?.reject(error)
  }
}

function unanswered(href: string): HttpSysError {
  return new HttpSysError({
    code: 'ETIMEDOUT',
    syscall: 'listen',
    subject: href,
    reason: `the broker has not said within ${CLAIM_TIMEOUT_MS / 1000} s whether the prefix is free`,
    remedy: 'Look whether its process is stopped or very busy; when it is killed a new one is started.',
  })
}
