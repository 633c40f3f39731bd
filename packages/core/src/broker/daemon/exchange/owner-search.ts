import { latin1 } from '../../../base/latin1.ts'
import { DEFAULT_QUEUE_SETTINGS } from '../../../base/queue-settings.ts'
import type { CompleteQueueSettings } from '../../../base/queue-settings.ts'
import type { TlsInfo } from '../../../base/tls-info.ts'
import { CacheRequest } from '../cache/cache-request.ts'
import type { CacheTap } from '../cache/cache-tap.ts'
import { CachedAnswer } from '../cache/cached-answer.ts'
import type { Fill } from '../cache/fill.ts'
import type { QueueCache } from '../cache/queue-cache.ts'
import { clock } from '../coarse-clock.ts'
import { equalsExactly } from '../http1/characters.ts'
import { FORM_ABSOLUTE } from '../http1/head-parser.ts'
import type { HeadParser } from '../http1/head-parser.ts'
import type { HeldRequest, OwnerClaim, RequestQueueEntry } from '../request-queue-entry.ts'
import { MISS_AMBIGUOUS, MISS_BAD_HOST, MISS_HOST } from '../router.ts'
import type { PortRoutes, RouteMiss } from '../router.ts'
import { refusalOf } from './head-limits.ts'
import {
  AMBIGUOUS_PATH,
  BAD_HOST,
  MISDIRECTED,
  NO_PREFIX,
  QUEUE_FULL,
  REJECT_BODY_TOO_LONG,
  TIMER_REQUEST_QUEUE,
  TOO_MANY_CONNECTIONS,
  UNKNOWN_HOST,
  rejectOf,
} from './reject.ts'
import type { Reject } from './reject.ts'
import { isSafe } from './request-method.ts'
import { hasPassed } from './timers.ts'

/** A search is over before the next one begins, whatever carrier it is for. */
const request = new CacheRequest()
/** What the search has found in the cache; until the next search. */
export const cachedAnswer = new CachedAnswer()

/**
 * Finds the owner of each request that one carrier has, one at a time: a connection, or a stream of one.
 *
 * searching ──no owner can take it──▶ held ──owner ready, or turned away──▶ searching
 */
export class OwnerSearch {
  /** Of the request under way, or of the last one: there the connection counts. */
  entry: RequestQueueEntry | null = null
  /** Why the request that is searched for next is to be turned away. */
  #unavailable: Reject | null = null
  /** Since when the request waits, for an owner or for the response to another request; seconds. */
  #heldSince = 0
  /** The request whose response the one that is held waits for. */
  #awaited: Fill | null = null
  /** It has waited long enough. */
  #hasWaited = false
  /** What the request that has just been found an owner for is to bring. */
  #fill: Fill | null = null
  /** The path whose responses are out of date once that request has succeeded; null when it changes nothing. */
  #changedPath: string | null = null
  readonly #routes: PortRoutes<RequestQueueEntry>
  readonly #localAddress: string
  readonly #isLoopback: boolean
  readonly #isMisdirected: ((host: string | undefined) => boolean) | undefined
  /** The client has not shown on its connection who it is, trusted or not: what it gets may be for others as well. */
  readonly #isAnonymous: boolean

  /**
   * @param isMisdirected - whether a request for this host may not come this way; undefined where every one may
   * @param tls - undefined when the client speaks none
   */
  constructor(
    routes: PortRoutes<RequestQueueEntry>,
    localAddress: string,
    isMisdirected: ((host: string | undefined) => boolean) | undefined,
    tls: TlsInfo | undefined,
  ) {
    this.#routes = routes
    this.#isMisdirected = isMisdirected
    this.#localAddress = localAddress
    this.#isLoopback = isLoopbackAddress(localAddress)
    this.#isAnonymous = tls === undefined || (!tls.authorized && tls.peerCertificates.length === 0)
  }

  /** Of the request's prefix. */
  get settings(): CompleteQueueSettings {
    return this.entry?.settings ?? DEFAULT_QUEUE_SETTINGS
  }

  /**
   * The owner of the longest matching prefix, or what the client is told instead; `cached` when that is {@link cachedAnswer};
   * `hold` when the request has to wait, until `waiting` is called.
   *
   * @param head - the parser that has just read `bytes`
   */
  find(head: HeadParser, bytes: Buffer, waiting: HeldRequest): OwnerClaim | Reject | 'cached' | 'hold' {
    const found = this.#find(head, bytes, waiting)
    if (found !== 'hold') this.#endWait()
    return found
  }

  #find(head: HeadParser, bytes: Buffer, waiting: HeldRequest): OwnerClaim | Reject | 'cached' | 'hold' {
    const unavailable = this.#unavailable
    if (unavailable !== null) {
      this.#unavailable = null
      return unavailable
    }
    let host: string | undefined
    if (head.targetForm === FORM_ABSOLUTE) host = hostText(bytes, head.authorityStart, head.authorityEnd)
    else if (head.hostStart !== -1) host = hostText(bytes, head.hostStart, head.hostEnd)
    if (this.#isMisdirected?.(host) === true) return MISDIRECTED
    const path = head.pathEnd > head.pathStart ? latin1(bytes, head.pathStart, head.pathEnd) : '/'
    const entry = this.#routes.find(host, path, this.#localAddress, this.#isLoopback)
    if (typeof entry === 'number') return describeMiss(entry)
    const { maxBodySize } = entry.settings
    if (maxBodySize > 0 && head.contentLength > maxBodySize) return rejectOf(REJECT_BODY_TOO_LONG)
    const refusal = entry.headLimits === null ? null : refusalOf(entry.headLimits, head, bytes)
    if (refusal !== null) return refusal
    if (entry !== this.entry) this.visit(entry)
    const { maxConnections } = entry.settings
    if (maxConnections > 0 && entry.counts.connections > maxConnections) return TOO_MANY_CONNECTIONS
    const { cache } = entry
    const isCacheable = cache !== null && this.#isAnonymous && request.read(head, bytes, path, host)
    const now = isCacheable ? performance.now() : 0
    if (isCacheable) {
      const response = cache.find(request, now)
      if (response !== null) {
        cachedAnswer.prepare(response, request, now)
        return 'cached'
      }
    }
    this.#changedPath = cache === null || isSafe(head, bytes) ? null : path
    const claim = entry.pick()
    if (claim !== null) return isCacheable && !this.#fillFor(cache, claim, waiting, now) ? 'hold' : claim
    this.#heldSince = clock.seconds
    return entry.hold(waiting) ? 'hold' : QUEUE_FULL
  }

  /** Tells where the response passes by the cache what the request means to it, which has just been found an owner for. */
  startTap(tap: CacheTap, claim: OwnerClaim): void {
    tap.start(claim, this.#fill, this.#changedPath, this.#isAnonymous)
    this.#fill = null
    this.#changedPath = null
  }

  /** The app is asked only if nobody has asked the same already; returns false when the request waits for that response. */
  #fillFor(cache: QueueCache, claim: OwnerClaim, waiting: HeldRequest, now: number): boolean {
    const isImpatient = this.#hasWaited || this.#awaited?.isFruitless === true
    const pending = isImpatient ? null : cache.pendingFill(request, now)
    if (pending !== null && cache.wait(pending, waiting, claim.entry.settings.queueLength)) {
      // Of all the times that it waits for one response or another the first counts.
      if (this.#awaited === null) this.#heldSince = clock.seconds
      this.#awaited = pending
      return false
    }
    this.#fill = cache.begin(request, claim, now)
    return true
  }

  /** A held request is not going to be served: the next search says so. */
  turnAway(waiting: HeldRequest, reject: Reject): void {
    this.#forget(waiting)
    this.#unavailable = reject
  }

  /** Whether a held request has waited too long: for another's response, so that it asks itself; or for an owner, so that it is turned away. */
  isOverdue(waiting: HeldRequest): boolean {
    const awaited = this.#awaited
    const cache = this.entry?.cache ?? null
    if (awaited?.waiting.has(waiting) === true && cache !== null && hasPassed(cache.waitLimit, this.#heldSince)) {
      cache.giveUp(awaited, waiting, performance.now())
      this.#hasWaited = true
      return true
    }
    if (!hasPassed(this.settings.requestQueueTimeout, this.#heldSince)) return false
    this.turnAway(waiting, TIMER_REQUEST_QUEUE)
    return true
  }

  /** The client has given its request up; others may follow. */
  release(waiting: HeldRequest, isHeld: boolean): void {
    if (isHeld) this.#forget(waiting)
  }

  /** The client is gone. */
  close(waiting: HeldRequest, isHeld: boolean): void {
    this.release(waiting, isHeld)
    this.leave()
  }

  #forget(waiting: HeldRequest): void {
    this.entry?.forget(waiting)
    this.#awaited?.forget(waiting)
    this.#endWait()
  }

  /** The request does not wait for another's response any more. */
  #endWait(): void {
    this.#awaited = null
    this.#hasWaited = false
  }

  /** The connection counts at this prefix from now on. */
  protected visit(entry: RequestQueueEntry): void {
    this.leave()
    this.entry = entry
    entry.counts.addConnection()
  }

  protected leave(): void {
    this.entry?.counts.removeConnection()
  }
}

let latestHost = ''

/** The text of a Host field. Most clients of a port say the same, and to compare it costs less than to make a text of it. */
function hostText(bytes: Buffer, start: number, end: number): string {
  if (!equalsExactly(bytes, start, end, latestHost)) latestHost = latin1(bytes, start, end)
  return latestHost
}

function describeMiss(miss: RouteMiss): Reject {
  switch (miss) {
    case MISS_HOST:
      return UNKNOWN_HOST
    case MISS_BAD_HOST:
      return BAD_HOST
    case MISS_AMBIGUOUS:
      return AMBIGUOUS_PATH
    default:
      return NO_PREFIX
  }
}

function isLoopbackAddress(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.')
}
