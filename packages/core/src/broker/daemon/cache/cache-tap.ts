import { fieldValues } from '../../../base/field-lines.ts'
import { WINDOW_BYTES } from '../../protocol/limits.ts'
import type { OwnerClaim } from '../request-queue-entry.ts'
import { CacheRequest } from './cache-request.ts'
import type { Fill } from './fill.ts'
import type { FillOutcome } from './queue-cache.ts'
import type { Recording } from './recording.ts'

/** What the cache asks of the connection, or the stream, of a request. */
export interface RequestKeeper {
  /** Reads the request under way once more; returns false when it has not been kept, or the cache has nothing to do with it. */
  rereadRequest(request: CacheRequest): boolean
}

/** An owner may send so much of a body that is to be stored, however slow the client is; all of it waits here for the client. */
const MAX_AHEAD_BYTES = 1024 * 1024

const request = new CacheRequest()

/** Where the responses of one exchange pass by the cache, each on its way to the client. */
export class CacheTap {
  readonly #keeper: RequestKeeper
  #claim: OwnerClaim | null = null
  #fill: Fill | null = null
  /** Of the queue, when the request was handed over. */
  #flushes = 0
  /** The path whose responses are out of date once the request has succeeded. */
  #changedPath: string | null = null
  #secondsToLive = 0
  #isAnonymous = false
  #recording: Recording | null = null

  constructor(keeper: RequestKeeper) {
    this.#keeper = keeper
  }

  /** The response, or the rest of it, is of no interest. */
  get isIdle(): boolean {
    return this.#secondsToLive === 0 && this.#fill === null && this.#changedPath === null
  }

  /**
   * A request is handed over.
   *
   * @param fill - what its response may be stored as
   * @param changedPath - what it wants to change; null for a request that is safe
   * @param isAnonymous - the client has not shown who it is on its connection: what it gets may be for others as well
   */
  start(claim: OwnerClaim, fill: Fill | null, changedPath: string | null, isAnonymous: boolean): void {
    this.#isAnonymous = isAnonymous
    this.#claim = claim
    this.#changedPath = changedPath
    this.#fill = fill
    this.#flushes = claim.entry.flushes
    this.#secondsToLive = 0
  }

  /** The owner allows that the response is stored. */
  allow(secondsToLive: number): void {
    if (this.#isAnonymous) this.#secondsToLive = secondsToLive
  }

  /**
   * The head of the response, with the first piece of its body.
   *
   * @param fields - complete field lines without any framing, Date included
   * @param contentLength - bytes, or -1 when unknown
   * @returns how much more of the body than the window the owner may send at once: who fills the cache must not be as slow as its client
   */
  onHead(
    status: number,
    reason: string,
    fields: string,
    contentLength: number,
    bytes: Buffer,
    start: number,
    end: number,
    isLast: boolean,
  ): number {
    const claim = this.#claim
    // An answer to what could not be read.
    if (claim === null) return 0
    if (this.#changedPath !== null) this.#invalidate(status, fields)
    if (this.#secondsToLive === 0) {
      this.#settle(status >= 500 ? 'released' : 'passed')
      return 0
    }
    const length = contentLength === -1 && isLast ? end - start : contentLength
    const received = { claim, status, reason, fields, secondsToLive: this.#secondsToLive }
    this.#recording = length === -1 ? null : (claim.entry.openCache()?.record(received, length) ?? null)
    if (this.#recording === null) {
      this.#settle('passed')
      return 0
    }
    this.onBody(bytes, start, end, isLast)
    return isLast ? 0 : Math.max(0, Math.min(length, MAX_AHEAD_BYTES) - WINDOW_BYTES)
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

  /**
   * Something has changed, so that what is stored of it is out of date; before the client is told. Not when the app has refused: a
   * cache that anyone can empty helps nobody.
   *
   * @see https://www.rfc-editor.org/rfc/rfc9111#section-4.4
   */
  #invalidate(status: number, fields: string): void {
    if (status >= 400) return
    const { entry } = this.#claim!
    entry.invalidate(this.#changedPath!)
    for (const name of ['location', 'content-location']) {
      for (const value of fieldValues(fields, name)) if (/^\/(?!\/)/.test(value)) entry.invalidate(pathOf(value))
    }
  }

  #settle(outcome: FillOutcome): void {
    const fill = this.#fill
    this.#fill = null
    this.#changedPath = null
    this.#secondsToLive = 0
    this.#recording?.close()
    this.#recording = null
    if (fill !== null) this.#claim!.entry.cache?.settle(fill, outcome, performance.now())
  }
}

/** Of a reference that begins with a slash. */
function pathOf(reference: string): string {
  const end = reference.search(/[?#]/)
  return end === -1 ? reference : reference.slice(0, end)
}
