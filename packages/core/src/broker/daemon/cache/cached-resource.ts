import type { QueueCache } from './queue-cache.ts'
import type { StoredResponse } from './stored-response.ts'

/** More than this many versions of one URL are not kept: the oldest makes room, so that one URL can't fill the cache. */
export const MAX_VARIANTS = 64

/** What is stored for one URL: a response for each combination of the request fields that its responses vary with. */
export class CachedResource {
  readonly cache: QueueCache
  readonly key: string
  /** The path in the form in which paths are compared. */
  readonly path: string
  /** Names of request fields, in lower case: of all its responses so far. */
  vary: readonly string[] = []
  /** By the values of those fields, in the order in which they came. */
  readonly variants = new Map<string, StoredResponse>()

  constructor(cache: QueueCache, key: string, path: string) {
    this.cache = cache
    this.key = key
    this.path = path
  }

  /** The names that its variants are told apart by once a response with these has come; the same array when nothing changes. */
  varyWith(names: readonly string[]): readonly string[] {
    if (names.every((name) => this.vary.includes(name))) return this.vary
    return [...new Set([...this.vary, ...names])].toSorted()
  }
}
