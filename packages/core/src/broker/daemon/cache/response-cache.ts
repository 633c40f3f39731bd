import type { CacheStatus } from '../../protocol/status.ts'
import type { ServerLimits } from '../server-limits.ts'
import type { StoredResponse } from './stored-response.ts'

/**
 * The responses that a broker keeps, of all prefixes: bounded in bytes, and when they are used up the response that has not been
 * used for longest goes.
 */
export class ResponseCache {
  readonly #limits: ServerLimits
  #newest: StoredResponse | null = null
  #oldest: StoredResponse | null = null
  #bytes = 0
  #count = 0
  /** Of responses that are coming in. */
  #recordedBytes = 0
  #isClosed = false
  // Since the broker began.
  hits = 0
  misses = 0
  waits = 0
  stored = 0
  evicted = 0
  flushed = 0

  constructor(limits: ServerLimits) {
    this.#limits = limits
  }

  /** Whether anything is kept. */
  get isOpen(): boolean {
    return !this.#isClosed && this.#limits.responseCacheBytes > 0
  }

  get maxBodyBytes(): number {
    return this.#limits.uriMaxUriBytes
  }

  /** How long a request waits for the response to another, milliseconds. */
  get waitLimit(): number {
    return this.#limits.responseCacheWait
  }

  get status(): CacheStatus {
    const { hits, misses, waits, stored, evicted, flushed } = this
    const maxBytes = this.#limits.responseCacheBytes
    return { responses: this.#count, bytes: this.#bytes, maxBytes, hits, misses, waits, stored, evicted, flushed }
  }

  /** From the one that was used last to the one that will go first. */
  *[Symbol.iterator](): Iterator<StoredResponse> {
    for (let response = this.#newest; response !== null; response = response.older) yield response
  }

  /** Begins to record a response; returns false when those that are coming in have as many bytes as the cache may have. */
  reserve(bytes: number): boolean {
    if (this.#recordedBytes + bytes > this.#limits.responseCacheBytes) return false
    this.#recordedBytes += bytes
    return true
  }

  /** It is recorded no more. */
  release(bytes: number): void {
    this.#recordedBytes -= bytes
  }

  /** Whether a response alone fits. */
  hasRoomFor(response: StoredResponse): boolean {
    return response.size <= this.#limits.responseCacheBytes
  }

  /** Keeps a response that a queue's cache has just taken in; others go if there is no room. */
  add(response: StoredResponse): void {
    this.#link(response)
    this.#bytes += response.size
    this.#count++
    this.stored++
    while (this.#bytes > this.#limits.responseCacheBytes && this.#oldest !== null) {
      this.evicted++
      this.#oldest.resource!.cache.remove(this.#oldest)
    }
  }

  /** A queue's cache has let go of a response. */
  delete(response: StoredResponse): void {
    this.#unlink(response)
    this.#bytes -= response.size
    this.#count--
  }

  /** The response has been used. */
  touch(response: StoredResponse): void {
    if (response === this.#newest) return
    this.#unlink(response)
    this.#link(response)
  }

  /** Nothing is kept from now on; what is there the queues' caches let go of. */
  close(): void {
    this.#isClosed = true
  }

  #link(response: StoredResponse): void {
    response.older = this.#newest
    if (this.#newest !== null) this.#newest.newer = response
    this.#newest = response
    this.#oldest ??= response
  }

  #unlink(response: StoredResponse): void {
    const { newer, older } = response
    if (newer === null) this.#newest = older
    else newer.older = older
    if (older === null) this.#oldest = newer
    else older.newer = newer
    response.newer = null
    response.older = null
  }
}
