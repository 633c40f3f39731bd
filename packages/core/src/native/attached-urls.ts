import type { UrlPrefix } from '../base/url-prefix.ts'
import { queueStemOf } from './queue-names.ts'
import type { UrlGroup } from './url-group.ts'
import { watchUrls } from './url-holder.ts'
import { urlsOf } from './urls.ts'
import type { PipeApi } from './win32-api.ts'

/** How soon an attached process notices that the one that had registered the URLs has gone, where that one does not tell. */
const ATTEMPT_INTERVAL_MS = 50
/** Where it does, since whoever listens at its pipe may be a stranger. */
const WATCHED_INTERVAL_MS = 1000
/** How long it is tried in every turn when they are about to be free. */
const HURRY_MS = 20

/** What {@link AttachedUrls} needs of whoever attaches. */
export interface AttachedUrlsHome {
  readonly pipes: PipeApi
  /** They are this process's by now. */
  readonly onRegistered: () => void
}

/**
 * The URLs of a queue that another process has made. They belong to that process as long as it lives; when it has closed or died,
 * one of those that are attached registers them, and the queue goes on.
 *
 * polling ──somebody has them who tells──▶ watching ──he gives them back, or dies──▶ hurrying ──somebody else was faster──▶ polling
 */
export class AttachedUrls {
  /** Whether they are this process's by now. */
  hasUrls = false
  readonly #group: UrlGroup
  readonly #prefix: UrlPrefix
  readonly #home: AttachedUrlsHome
  #timer: NodeJS.Timeout | null = null
  #stopWatching: (() => void) | null = null
  #isStopped = false
  #isLooking = false
  /** When somebody was last looked for who tells. */
  #lookedAt = -Infinity

  constructor(group: UrlGroup, prefix: UrlPrefix, home: AttachedUrlsHome) {
    this.#group = group
    this.#prefix = prefix
    this.#home = home
    this.#attemptEvery(ATTEMPT_INTERVAL_MS)
    void this.#watch()
  }

  /** They are free at any moment now: in between, clients are refused. */
  hurry(): void {
    const end = performance.now() + HURRY_MS
    const attempt = (): void => {
      if (this.#isStopped) return
      this.#attempt()
      if (performance.now() < end) setImmediate(attempt)
    }
    attempt()
  }

  stop(): void {
    this.#isStopped = true
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#stopWatching?.()
  }

  #attemptEvery(milliseconds: number): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = setInterval(() => this.#onTimer(), milliseconds).unref()
  }

  #onTimer(): void {
    this.#attempt()
    if (this.#isStopped || this.#isLooking || this.#stopWatching !== null) return
    if (performance.now() >= this.#lookedAt + WATCHED_INTERVAL_MS) void this.#watch()
  }

  #attempt(): void {
    const [url, ...others] = urlsOf(this.#prefix)
    if (!this.#group.tryAdd(url!)) return
    for (const other of others) this.#group.tryAdd(other)
    this.hasUrls = true
    this.stop()
    this.#home.onRegistered()
  }

  async #watch(): Promise<void> {
    this.#lookedAt = performance.now()
    this.#isLooking = true
    const stopWatching = await watchUrls(this.#home.pipes, queueStemOf(this.#prefix), () => this.#onFree())
    this.#isLooking = false
    if (this.#isStopped) return stopWatching?.()
    if (stopWatching === null) return
    this.#stopWatching = stopWatching
    this.#attemptEvery(WATCHED_INTERVAL_MS)
  }

  #onFree(): void {
    this.#stopWatching = null
    this.#attemptEvery(ATTEMPT_INTERVAL_MS)
    this.hurry()
  }
}
