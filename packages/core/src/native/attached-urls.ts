import type { UrlPrefix } from '../base/url-prefix.ts'
import type { UrlGroup } from './url-group.ts'
import { urlsOf } from './urls.ts'

/** How soon an attached process notices that the one that had registered the URLs has gone. */
const ATTEMPT_INTERVAL_MS = 50
/** How long it is tried in every turn when they are about to be free. */
const HURRY_MS = 20

/**
 * The URLs of a queue that another process has made. They belong to that process as long as it lives; when it has closed or died,
 * one of those that are attached registers them, and the queue goes on.
 *
 * HTTP.SYS tells nobody that a URL has become free, so it is asked.
 */
export class AttachedUrls {
  /** Whether they are this process's by now. */
  hasUrls = false
  readonly #group: UrlGroup
  readonly #prefix: UrlPrefix
  #timer: NodeJS.Timeout | null

  constructor(group: UrlGroup, prefix: UrlPrefix) {
    this.#group = group
    this.#prefix = prefix
    this.#timer = setInterval(() => this.#attempt(), ATTEMPT_INTERVAL_MS).unref()
  }

  /** They are free at any moment now: in between, clients are refused. */
  hurry(): void {
    const end = performance.now() + HURRY_MS
    const attempt = (): void => {
      if (this.#timer === null) return
      this.#attempt()
      if (performance.now() < end) setImmediate(attempt)
    }
    attempt()
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #attempt(): void {
    const [url, ...others] = urlsOf(this.#prefix)
    if (!this.#group.tryAdd(url!)) return
    for (const other of others) this.#group.tryAdd(other)
    this.hasUrls = true
    this.stop()
  }
}
