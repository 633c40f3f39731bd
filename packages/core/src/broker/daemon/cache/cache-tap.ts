import { RESPONSE_FLAG_NO_DATE } from '../../protocol/frames.ts'
import { WINDOW_BYTES } from '../../protocol/limits.ts'
import { dateLine } from '../coarse-clock.ts'
import type { OwnerClaim } from '../request-queue-entry.ts'
import { CacheRequest } from './cache-request.ts'
import type { Fill } from './fill.ts'
import type { FillOutcome } from './queue-cache.ts'
import { Recording } from './recording.ts'

/** What the cache asks of the connection, or the stream, of a request. */
export interface RequestKeeper {
  /** Reads the request under way once more; returns false when it has not been kept, or the cache has nothing to do with it. */
  rereadRequest(request: CacheRequest): boolean
}

/** Answers to a condition or a part of the one request: the next one may bring what can be stored. */
const PARTIAL = new Set([206, 304, 412, 416])

const request = new CacheRequest()

/** Where the responses of one exchange pass by the cache, each on its way to the client. */
export class CacheTap {
  readonly #keeper: RequestKeeper
  #claim: OwnerClaim | null = null
  #fill: Fill | null = null
  /** Of the queue, when the request was handed over. */
  #flushes = 0
  #secondsToLive = 0
  #isAnonymous = false
  #recording: Recording | null = null

  constructor(keeper: RequestKeeper) {
    this.#keeper = keeper
  }

  /** The response, or the rest of it, is of no interest. */
  get isIdle(): boolean {
    return this.#secondsToLive === 0 && this.#fill === null
  }

  /**
   * A request is handed over.
   *
   * @param fill - what its response may be stored as
   * @param isAnonymous - the client has not shown who it is: what it gets may be for others as well
   */
  start(claim: OwnerClaim, fill: Fill | null, isAnonymous: boolean): void {
    this.#isAnonymous = isAnonymous
    this.#claim = claim
    this.#fill = fill
    this.#flushes = claim.entry.flushes
    this.#secondsToLive = 0
    this.#recording = null
  }

  /** The owner allows that the response is stored. */
  allow(secondsToLive: number): void {
    if (this.#isAnonymous) this.#secondsToLive = secondsToLive
  }

  /**
   * The head of the response, with the first piece of its body.
   *
   * @param contentLength - bytes, or -1 when unknown
   * @returns how much more of the body than the window the owner may send at once: who fills the cache must not be as slow as its client
   */
  onHead(
    status: number,
    reason: string,
    fields: string,
    flags: number,
    contentLength: number,
    bytes: Buffer,
    start: number,
    end: number,
    isLast: boolean,
  ): number {
    const claim = this.#claim
    // An answer to what could not be read.
    if (claim === null) return 0
    if (this.#secondsToLive === 0) {
      this.#settle(PARTIAL.has(status) ? 'failed' : status >= 500 ? 'released' : 'passed')
      return 0
    }
    const length = contentLength === -1 && isLast ? end - start : contentLength
    const cache = claim.entry.openCache()
    if (cache === null || length === -1 || length > cache.maxBodyBytes) {
      this.#settle('passed')
      return 0
    }
    const date = (flags & RESPONSE_FLAG_NO_DATE) === 0 ? dateLine() : ''
    this.#recording = new Recording(claim, status, reason, fields + date, length, this.#secondsToLive)
    this.onBody(bytes, start, end, isLast)
    return isLast ? 0 : Math.max(0, length - WINDOW_BYTES)
  }

  onBody(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    const recording = this.#recording
    if (recording === null) return
    recording.append(bytes, start, end)
    if (isLast) this.#settle(this.#store(recording) ? 'stored' : 'passed')
  }

  /** There is no response, or it comes to nothing. */
  fail(): void {
    if (!this.isIdle) this.#settle('failed')
  }

  #store(recording: Recording): boolean {
    const claim = this.#claim!
    const { cache, owners, flushes } = claim.entry
    const isCurrent = this.#fill === null ? flushes === this.#flushes : !this.#fill.isStale
    const response = recording.finish()
    if (response === null || cache === null || !isCurrent || !owners.includes(claim)) return false
    return this.#keeper.rereadRequest(request) && cache.store(request, response, performance.now())
  }

  #settle(outcome: FillOutcome): void {
    const fill = this.#fill
    this.#fill = null
    this.#secondsToLive = 0
    this.#recording = null
    if (fill !== null) this.#claim!.entry.cache?.settle(fill, outcome, performance.now())
  }
}
