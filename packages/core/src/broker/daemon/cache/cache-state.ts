import { HttpSysError } from '../../../base/errors.ts'
import { UrlPrefix } from '../../../base/url-prefix.ts'
import type { CacheState, CachedResponseStatus } from '../../protocol/status.ts'
import type { RequestQueueEntry } from '../request-queue-entry.ts'
import { FlushPath } from './flush-path.ts'
import type { ResponseCache } from './response-cache.ts'
import type { StoredResponse } from './stored-response.ts'

/** More is not listed, in characters: an answer is one frame of at most 331,776 bytes, and each may take two. */
const MAX_LISTED_LENGTH = 150_000

const URL_FORM = /^(https?:\/\/[^/]+)(\/.*)$/i

/**
 * The responses that a URL is about: all queries, and with a slash at its end also what is below; an empty one is about all. Of a prefix
 * for many hosts those of all of them.
 */
export class CacheQuestion {
  readonly #site: UrlPrefix | null = null
  readonly #path: FlushPath | null = null
  readonly #text: string

  /** @throws HttpSysError `EINVAL` */
  constructor(url: string) {
    this.#text = url
    if (url === '') return
    const match = URL_FORM.exec(url)
    if (match === null) throw notUrl(url)
    this.#site = UrlPrefix.parse(`${match[1]!.toLowerCase()}/`)
    this.#path = new FlushPath(match[2]!)
  }

  /** Lists them. */
  answer(store: ResponseCache, now: number): CacheState {
    const responses: CachedResponseStatus[] = []
    let total = 0
    let room = MAX_LISTED_LENGTH
    for (const response of store) {
      if (!this.#isAbout(response.claim.entry) || !this.#matches(response.resource!.path)) continue
      total++
      if (room <= 0) continue
      const described = describe(response, now)
      room -= JSON.stringify(described).length
      if (room > 0) responses.push(described)
    }
    return { cache: store.status, total, responses }
  }

  /** Has them forgotten, and what is on its way to the cache. */
  flush(entries: Iterable<RequestQueueEntry>): void {
    for (const entry of entries) if (this.#isAbout(entry)) entry.flush(this.#pathIn(entry))
  }

  #isAbout({ prefix, port }: RequestQueueEntry): boolean {
    const site = this.#site
    if (site === null) return true
    if (site.scheme !== prefix.scheme || site.port !== port) return false
    // What is cached for every host can be named by any, as clients do.
    return site.host === prefix.host || prefix.category.endsWith('wildcard')
  }

  #matches(path: string): boolean {
    return this.#path === null || this.#path.matches(path)
  }

  #pathIn({ prefix }: RequestQueueEntry): string {
    return this.#path === null ? prefix.path : URL_FORM.exec(this.#text)![2]!
  }
}

function describe(response: StoredResponse, now: number): CachedResponseStatus {
  const { claim, resource, status, body, size, expiresAt, hits } = response
  const { entry, peer } = claim
  const [authority, target] = resource!.key.split('\n', 1)[0]!.split(' ') as [string, string]
  return {
    url: `${entry.prefix.scheme}://${authority}${target}`,
    prefix: entry.prefix.withPort(entry.port).href,
    pid: peer.pid,
    status,
    bytes: body.length,
    size,
    age: response.ageAt(now),
    timeToLive: expiresAt === Infinity ? null : Math.max(0, Math.ceil((expiresAt - now) / 1000)),
    hits,
    vary: resource!.vary,
  }
}

function notUrl(url: string): HttpSysError {
  return new HttpSysError({
    code: 'EINVAL',
    syscall: 'cachestate',
    subject: url.slice(0, 200),
    reason: 'it is no URL of a prefix or of what is below one',
    remedy: 'Write url=http://localhost:8080/2/ for a prefix, or url=http://localhost:8080/2/news for one path.',
  })
}
