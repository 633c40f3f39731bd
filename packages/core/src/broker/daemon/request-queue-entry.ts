import { DEFAULT_QUEUE_SETTINGS } from '../../base/queue-settings.ts'
import type { CompleteQueueSettings } from '../../base/queue-settings.ts'
import type { ClaimMode, UrlPrefix } from '../../base/url-prefix.ts'
import { QueueCache } from './cache/queue-cache.ts'
import type { ResponseCache } from './cache/response-cache.ts'
import type { QueueStatus } from '../protocol/status.ts'
import { headLimitsOf } from './exchange/head-limits.ts'
import type { HeadLimits } from './exchange/head-limits.ts'
import type { OwnerPeer } from './owner-peer.ts'
import { QueueCounts } from './queue-counts.ts'

const DEFAULT_HOLD_MS = 2000

/** One owner's share of a request queue. */
export interface OwnerClaim {
  readonly peer: OwnerPeer
  /** The owner's own number for the claim. */
  readonly id: number
  readonly entry: RequestQueueEntry
  readonly mode: ClaimMode
  /** Of two claims that can't both stand the one with the greater number counts. */
  readonly epoch: number
}

/** A request that waits for an owner; it stays with the connection that it came over. */
export interface HeldRequest {
  /** An owner can take it now. */
  onOwnerReady(): void
  /** The last owner has gone and no other has come in time. */
  onQueueGone(): void
}

/** How an owner went: `released` gave its prefix back; `left` for the next one, or died. */
export type Departure = 'released' | 'left'

/**
 * A registered prefix: the processes that serve it, one or several that attached to the same queue, and the requests that wait
 * because none of them can take any now.
 *
 * owned ──last owner gone──▶ orphaned ──claimed again──▶ owned
 *   └──last owner gone, nothing is held──▶ gone ◀──time is up──┘
 */
export class RequestQueueEntry {
  readonly prefix: UrlPrefix
  /** The real port. */
  readonly port: number
  readonly owners: OwnerClaim[] = []
  #settings = DEFAULT_QUEUE_SETTINGS
  /** What they say of heads; null when that is nothing. */
  headLimits: HeadLimits | null = null
  counts = new QueueCounts()
  /** Requests handed to owners so far. */
  requests = 0
  isGone = false
  /** What is kept of its responses; null until one may be kept, so that apps without a cache pay nothing. */
  cache: QueueCache | null = null
  /** Requests answered out of it so far. */
  get cacheHits(): number {
    return this.#earlierHits + (this.cache?.hits ?? 0)
  }
  #earlierHits = 0
  /** How often a part of it was to be forgotten: responses to requests from before are not kept. */
  flushes = 0
  /** While it is orphaned: the port is kept open for it. */
  holdsPort = true
  #next = 0
  readonly #waiting = new Set<HeldRequest>()
  #holdTimer: NodeJS.Timeout | undefined
  readonly #responses: ResponseCache | null

  /** @param responses - where responses are kept, if any are */
  constructor(prefix: UrlPrefix, port: number, responses: ResponseCache | null = null) {
    this.prefix = prefix
    this.port = port
    this.#responses = responses
  }

  /** The newest claim's. */
  get settings(): CompleteQueueSettings {
    return this.#settings
  }

  set settings(settings: CompleteQueueSettings) {
    this.#settings = settings
    this.headLimits = headLimitsOf(settings)
  }

  /** Its cache, made if there is none; null when nothing is kept. */
  openCache(): QueueCache | null {
    if (this.#responses?.isOpen === true) this.cache ??= new QueueCache(this.#responses)
    return this.cache
  }

  /** Forgets the responses that a path names, all for the whole prefix; returns how many that were. */
  flush(path: string): number {
    this.flushes++
    return this.cache?.flush(path) ?? 0
  }

  /** Forgets what is stored for the raw path of a request, with any query. */
  invalidate(path: string): void {
    if (this.cache === null) return
    this.flushes++
    this.cache.invalidate(path)
  }

  /** Keeps nothing from now on. */
  closeCache(): void {
    const { cache } = this
    this.flushes++
    this.#earlierHits = this.cacheHits
    this.cache = null
    cache?.clear()
  }

  /** No process serves it; requests wait for the next. */
  get isOrphaned(): boolean {
    return this.#holdTimer !== undefined
  }

  get status(): QueueStatus {
    return {
      prefix: this.prefix.withPort(this.port).href,
      state: this.isOrphaned ? 'orphaned' : 'serving',
      owners: this.owners.map(({ peer, mode, epoch }) => {
        const since = new Date(epoch).toISOString()
        return { pid: peer.pid, mode, since, delivery: peer.delivery, queuedBytes: peer.writer.queuedBytes }
      }),
      requests: this.requests,
      cacheHits: this.cacheHits,
      waiting: this.counts.waiting,
      connections: this.counts.connections,
      settings: this.settings,
    }
  }

  /** The owner that gets the next request: in turn, without those that have too much waiting already; null when there is none. */
  pick(): OwnerClaim | null {
    const { owners } = this
    const count = owners.length
    if (count === 1) return owners[0]!.peer.isFull ? null : owners[0]!
    for (let tries = 0; tries < count; tries++) {
      this.#next = (this.#next + 1) % count
      const owner = owners[this.#next]!
      if (!owner.peer.isFull) return owner
    }
    return null
  }

  /** Adds an owner; requests that waited for one follow with {@link RequestQueueEntry.wake}. */
  join(owner: OwnerClaim): void {
    this.owners.push(owner)
    if (this.settings.responseCache) this.openCache()
    clearTimeout(this.#holdTimer)
    this.#holdTimer = undefined
  }

  /** Takes an owner out; returns whether any is left. */
  remove(owner: OwnerClaim): boolean {
    const index = this.owners.indexOf(owner)
    if (index !== -1) this.owners.splice(index, 1)
    this.cache?.dropClaim(owner)
    return this.owners.length > 0
  }

  /** Lets a request wait; returns false when the queue is full. */
  hold(request: HeldRequest): boolean {
    if (!this.counts.tryAddWaiting(this.settings.queueLength)) return false
    this.#waiting.add(request)
    return true
  }

  /** The request has gone: its client left, or its time is up. */
  forget(request: HeldRequest): void {
    if (this.#waiting.delete(request)) this.counts.removeWaiting()
  }

  /** Hands waiting requests out, the first first, as long as an owner can take any. */
  wake(): void {
    for (const request of this.#waiting) {
      if (!this.owners.some(({ peer }) => !peer.isFull)) return
      this.forget(request)
      request.onOwnerReady()
    }
  }

  /**
   * The last owner has gone: keeps the queue for the next one, if it is to be kept.
   *
   * @param onTimeUp - called when no owner has come in time
   * @returns whether it is kept
   */
  orphan(departure: Departure, onTimeUp: () => void): boolean {
    const holdFor = this.settings.holdFor ?? (departure === 'left' ? DEFAULT_HOLD_MS : 0)
    if (holdFor > 0) this.awaitOwner(holdFor, onTimeUp)
    return holdFor > 0
  }

  /** Keeps the queue for so many milliseconds. */
  awaitOwner(milliseconds: number, onTimeUp: () => void): void {
    this.#holdTimer = setTimeout(onTimeUp, milliseconds)
    this.#holdTimer.unref()
  }

  /** Lets what waits be routed anew. */
  disperse(): void {
    for (const request of this.#waiting) {
      this.forget(request)
      request.onOwnerReady()
    }
  }

  /** The prefix is nobody's any more: what waits is turned away. */
  retire(): void {
    this.isGone = true
    this.closeCache()
    clearTimeout(this.#holdTimer)
    this.#holdTimer = undefined
    const waiting = [...this.#waiting]
    for (const request of waiting) this.forget(request)
    for (const request of waiting) request.onQueueGone()
  }
}
