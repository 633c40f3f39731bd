import { latin1 } from '../../../base/latin1.ts'
import { DEFAULT_QUEUE_SETTINGS } from '../../../base/queue-settings.ts'
import type { CompleteQueueSettings } from '../../../base/queue-settings.ts'
import { clock } from '../coarse-clock.ts'
import { FORM_ABSOLUTE } from '../http1/head-parser.ts'
import type { HeadParser } from '../http1/head-parser.ts'
import type { HeldRequest, OwnerClaim, RequestQueueEntry } from '../request-queue-entry.ts'
import { MISS_AMBIGUOUS, MISS_BAD_HOST, MISS_HOST } from '../router.ts'
import type { PortRoutes, RouteMiss } from '../router.ts'
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
import { hasPassed } from './timers.ts'

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
  /** Since when the request waits for an owner; seconds. */
  #heldSince = 0
  readonly #routes: PortRoutes<RequestQueueEntry>
  readonly #localAddress: string
  readonly #isLoopback: boolean
  readonly #isMisdirected: ((host: string | undefined) => boolean) | undefined

  /** @param isMisdirected - whether a request for this host may not come this way; undefined where every one may */
  constructor(
    routes: PortRoutes<RequestQueueEntry>,
    localAddress: string,
    isMisdirected: ((host: string | undefined) => boolean) | undefined,
  ) {
    this.#routes = routes
    this.#isMisdirected = isMisdirected
    this.#localAddress = localAddress
    this.#isLoopback = isLoopbackAddress(localAddress)
  }

  /** Of the request's prefix. */
  get settings(): CompleteQueueSettings {
    return this.entry?.settings ?? DEFAULT_QUEUE_SETTINGS
  }

  /**
   * The owner of the longest matching prefix, or what the client is told instead; `hold` when the request has to wait, until
   * `waiting` is called.
   *
   * @param head - the parser that has just read `bytes`
   */
  find(head: HeadParser, bytes: Buffer, waiting: HeldRequest): OwnerClaim | Reject | 'hold' {
    const unavailable = this.#unavailable
    if (unavailable !== null) {
      this.#unavailable = null
      return unavailable
    }
    let host: string | undefined
    if (head.targetForm === FORM_ABSOLUTE) host = latin1(bytes, head.authorityStart, head.authorityEnd)
    else if (head.hostStart !== -1) host = latin1(bytes, head.hostStart, head.hostEnd)
    if (this.#isMisdirected?.(host) === true) return MISDIRECTED
    const path = head.pathEnd > head.pathStart ? latin1(bytes, head.pathStart, head.pathEnd) : '/'
    const entry = this.#routes.find(host, path, this.#localAddress, this.#isLoopback)
    if (typeof entry === 'number') return describeMiss(entry)
    const { maxBodySize } = entry.settings
    if (maxBodySize > 0 && head.contentLength > maxBodySize) return rejectOf(REJECT_BODY_TOO_LONG)
    if (entry !== this.entry) this.visit(entry)
    const { maxConnections } = entry.settings
    if (maxConnections > 0 && entry.connections > maxConnections) return TOO_MANY_CONNECTIONS
    const claim = entry.pick()
    if (claim !== null) return claim
    this.#heldSince = clock.seconds
    return entry.hold(waiting) ? 'hold' : QUEUE_FULL
  }

  /** A held request is not going to be served: the next search says so. */
  turnAway(waiting: HeldRequest, reject: Reject): void {
    this.entry?.forget(waiting)
    this.#unavailable = reject
  }

  /** Turns a held request away when it has waited too long; returns whether it has. */
  isOverdue(waiting: HeldRequest): boolean {
    if (!hasPassed(this.settings.requestQueueTimeout, this.#heldSince)) return false
    this.turnAway(waiting, TIMER_REQUEST_QUEUE)
    return true
  }

  /** The client is gone. */
  close(waiting: HeldRequest, isHeld: boolean): void {
    if (isHeld) this.entry?.forget(waiting)
    this.leave()
  }

  /** The connection counts at this prefix from now on. */
  protected visit(entry: RequestQueueEntry): void {
    this.leave()
    this.entry = entry
    entry.connections++
  }

  protected leave(): void {
    if (this.entry !== null) this.entry.connections--
  }
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
