import { isCacheableResponse, varyOf } from '../../../base/cacheability.ts'
import { PATH_AMBIGUOUS, shapeOf } from '../path-readings.ts'
import type { HeldRequest, OwnerClaim } from '../request-queue-entry.ts'
import type { CacheRequest } from './cache-request.ts'
import { CachedResource, MAX_VARIANTS } from './cached-resource.ts'
import { Fill } from './fill.ts'
import { FlushPath, comparablePath } from './flush-path.ts'
import { Recording } from './recording.ts'
import type { ResponseCache } from './response-cache.ts'
import { StoredResponse } from './stored-response.ts'
import type { ReceivedHead, ReceivedResponse } from './stored-response.ts'

/** More request fields than this are not told apart: such a response is as good as one for a single client. */
const MAX_VARY_NAMES = 16
/** For so long requests for a URL whose response was for one client only do not wait for each other again. */
const PASS_MS = 60_000
const MAX_PASSES = 1000
const MAX_PASS_KEY = 512

/**
 * How a request ended whose response might have been stored: it was; it is for nobody else, as later ones will be; it is an error of
 * the moment; or there was none, so that the next request may do better.
 */
export type FillOutcome = 'stored' | 'passed' | 'released' | 'failed'

/** The responses that are kept of one queue, and the requests that may bring more. */
export class QueueCache {
  hits = 0
  readonly #store: ResponseCache
  readonly #resources = new Map<string, CachedResource>()
  /** The same by comparable path, for flushes. */
  readonly #ofPath = new Map<string, Set<CachedResource>>()
  /** By URL and, where it is known, what its responses vary with. */
  readonly #fills = new Map<string, Fill>()
  /** URLs whose responses are not stored at the moment, and until when requests for them do not wait. */
  readonly #passes = new Map<string, number>()

  constructor(store: ResponseCache) {
    this.#store = store
  }

  get waitLimit(): number {
    return this.#store.waitLimit
  }

  /**
   * Begins to record a response; null when it is too large for the cache, or for what is left beside others that come in.
   *
   * @param contentLength - bytes of the whole body
   */
  record(received: ReceivedHead, contentLength: number): Recording | null {
    const store = this.#store
    if (contentLength > store.maxBodyBytes || !store.reserve(contentLength)) return null
    return new Recording(received, contentLength, store)
  }

  /** The response for a request, fresh; null when there is none. */
  find(request: CacheRequest, now: number): StoredResponse | null {
    const resource = this.#resources.get(request.key)
    const response = resource?.variants.get(request.selectorsOf(resource.vary))
    if (response === undefined) return null
    if (response.expiresAt <= now) {
      this.remove(response)
      return null
    }
    this.#store.touch(response)
    this.#store.hits++
    this.hits++
    response.hits++
    return response
  }

  /** The request under way whose response this one can wait for; null when there is none. */
  pendingFill(request: CacheRequest, now: number): Fill | null {
    if (this.#fills.size === 0 || this.waitLimit === 0 || this.#isPassed(request.key, now)) return null
    const fill = this.#fills.get(this.#slotOf(request))
    return fill?.state === 'busy' ? fill : null
  }

  /**
   * The request goes to an owner, since there is no response for it.
   *
   * @returns what is to be settled with its response; null when that is of no use to others
   */
  begin(request: CacheRequest, claim: OwnerClaim, now: number): Fill | null {
    this.#store.misses++
    if (!request.canFill || this.#isPassed(request.key, now)) return null
    const slot = this.#slotOf(request)
    const present = this.#fills.get(slot)
    if (present !== undefined) return present.take(claim) ? present : null
    const { path } = request
    if (shapeOf(path) === PATH_AMBIGUOUS) return null
    const fill = new Fill(slot, request.key, comparablePath(path), claim)
    this.#fills.set(slot, fill)
    return fill
  }

  /** A request waits for the response to the one that fills; returns false when enough others do. */
  wait(fill: Fill, waiting: HeldRequest, maxWaiting: number): boolean {
    if (fill.waiting.size >= maxWaiting) return false
    this.#store.waits++
    fill.waiting.add(waiting)
    return true
  }

  /** A request has waited too long: its app takes its time, or sends no end of a response. Those to come do not wait. */
  giveUp(fill: Fill, waiting: HeldRequest, now: number): void {
    fill.forget(waiting)
    this.#pass(fill.key, now)
  }

  /** What has become of a request that was to fill the cache. */
  settle(fill: Fill, outcome: FillOutcome, now: number): void {
    if (fill.state !== 'busy') return
    if (outcome === 'failed') {
      fill.offer()
      if (fill.state === 'busy') return
    } else if (outcome === 'passed') this.#pass(fill.key, now)
    fill.isFruitless = outcome === 'passed' || outcome === 'released'
    if (this.#fills.get(fill.slot) === fill) this.#fills.delete(fill.slot)
    fill.finish()
  }

  /**
   * Keeps a response, if it is one that can be given to others.
   *
   * @param request - that it answers
   */
  store(request: CacheRequest, received: ReceivedResponse, now: number): boolean {
    const { status, fields } = received
    const { key, path } = request
    if (!this.#store.isOpen || !request.canFill || shapeOf(path) === PATH_AMBIGUOUS) return false
    if (!isCacheableResponse(status, fields)) return false
    const resource = this.#resources.get(key) ?? new CachedResource(this, key, comparablePath(path))
    const vary = resource.varyWith(varyOf(fields))
    if (vary.length > MAX_VARY_NAMES) return false
    const variant = request.selectorsOf(vary)
    const response = new StoredResponse(received, key.length + variant.length, now)
    if (!this.#store.hasRoomFor(response)) return false
    // Those before can't be told apart by what they now turn out to depend on.
    if (vary !== resource.vary) this.#removeAll(resource)
    resource.vary = vary
    const replaced =
      resource.variants.get(variant) ?? (resource.variants.size < MAX_VARIANTS ? null : oldestOf(resource))
    if (replaced !== null) this.remove(replaced)
    this.#insert(resource, variant, response)
    this.#passes.delete(key)
    this.#store.add(response)
    return true
  }

  /** Lets go of a response. */
  remove(response: StoredResponse): void {
    const { resource } = response
    if (resource === null) return
    response.resource = null
    this.#store.delete(response)
    resource.variants.delete(response.variant)
    if (resource.variants.size > 0) return
    this.#resources.delete(resource.key)
    const siblings = this.#ofPath.get(resource.path)
    siblings?.delete(resource)
    if (siblings?.size === 0) this.#ofPath.delete(resource.path)
  }

  /** Lets go of what a path names; returns how many responses that were. */
  flush(text: string): number {
    const wanted = new FlushPath(text)
    this.#spoilWhere(({ path }) => wanted.matches(path))
    if (wanted.isRecursive) return this.#removeWhere((path) => wanted.matches(path))
    return this.#removeAt(wanted.path)
  }

  /** Lets go of what the raw path of a request names, and of nothing below it. */
  invalidate(rawPath: string): void {
    const path = comparablePath(rawPath)
    this.#spoilWhere((fill) => fill.path === path)
    this.#removeAt(path)
  }

  /** An owner has lost the prefix: nothing that it has made is used any more. */
  dropClaim(claim: OwnerClaim): void {
    for (const resource of this.#resources.values()) {
      for (const response of resource.variants.values()) if (response.claim === claim) this.#flushOne(response)
    }
    this.#spoilWhere((fill) => fill.claim === claim)
  }

  /** Lets go of everything. */
  clear(): void {
    this.#removeWhere(() => true)
    this.#spoilWhere(() => true)
  }

  #slotOf(request: CacheRequest): string {
    const resource = this.#resources.get(request.key)
    return resource === undefined ? request.key : `${request.key}\r${request.selectorsOf(resource.vary)}`
  }

  #insert(resource: CachedResource, variant: string, response: StoredResponse): void {
    response.resource = resource
    response.variant = variant
    resource.variants.set(variant, response)
    this.#resources.set(resource.key, resource)
    const siblings = this.#ofPath.get(resource.path)
    if (siblings === undefined) this.#ofPath.set(resource.path, new Set([resource]))
    else siblings.add(resource)
  }

  /** Their responses will not be stored, and nobody waits for them any more: those who did take their places. */
  #spoilWhere(isMeant: (fill: Fill) => boolean): void {
    const spoiled = [...this.#fills.values()].filter((fill) => isMeant(fill))
    for (const fill of spoiled) {
      fill.isStale = true
      if (this.#fills.get(fill.slot) === fill) this.#fills.delete(fill.slot)
      fill.finish()
    }
  }

  /** @param path - in the form in which paths are compared */
  #removeAt(path: string): number {
    let count = 0
    for (const resource of this.#ofPath.get(path) ?? []) count += this.#removeAll(resource)
    this.#store.flushed += count
    return count
  }

  #removeWhere(isMeant: (path: string) => boolean): number {
    let count = 0
    for (const [path, resources] of this.#ofPath) {
      if (isMeant(path)) for (const resource of resources) count += this.#removeAll(resource)
    }
    this.#store.flushed += count
    return count
  }

  #removeAll(resource: CachedResource): number {
    const { size } = resource.variants
    for (const response of resource.variants.values()) this.remove(response)
    return size
  }

  #flushOne(response: StoredResponse): void {
    this.remove(response)
    this.#store.flushed++
  }

  #isPassed(key: string, now: number): boolean {
    const until = this.#passes.get(key)
    if (until === undefined) return false
    if (until > now) return true
    this.#passes.delete(key)
    return false
  }

  #pass(key: string, now: number): void {
    if (key.length > MAX_PASS_KEY) return
    if (this.#passes.size >= MAX_PASSES) this.#passes.delete(this.#passes.keys().next().value!)
    this.#passes.set(key, now + PASS_MS)
  }
}

function oldestOf({ variants }: CachedResource): StoredResponse | null {
  return variants.values().next().value ?? null
}
