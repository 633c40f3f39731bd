import type { Duplex } from 'node:stream'
import type { PipeApi, PipeEar } from './win32-api.ts'

/** Whoever may connect must not fill the process's memory; who is sent away looks for the URLs by himself. */
const MAX_WATCHERS = 256
/** Until the pipe is tried again whose name the holder before this one has not given back yet. */
const RETRY_MS = 1000

/** What those who wait are told right before the URLs are free. */
const URLS_FREE = 'u'

function holderName(stem: string): string {
  return `${stem}-urls`
}

/**
 * The process that has registered the URLs of a queue, as far as those who have opened the queue wait for them: HTTP.SYS tells nobody that a
 * URL has become free, but a pipe breaks when its other end dies.
 */
export class UrlHolder {
  readonly #pipes: PipeApi
  readonly #stem: string
  readonly #watchers = new Set<Duplex>()
  #ear: PipeEar | null = null
  #retry: NodeJS.Timeout | undefined
  #isClosed = false

  /** @param stem - what the queue's names begin with */
  constructor(pipes: PipeApi, stem: string) {
    this.#pipes = pipes
    this.#stem = stem
    void this.#listen()
  }

  /** Called right before the URLs are given back. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#retry)
    this.#ear?.close()
    for (const watcher of this.#watchers) watcher.end(URLS_FREE)
  }

  async #listen(): Promise<void> {
    this.#ear = await this.#pipes.listen(holderName(this.#stem), (watcher) => this.#onWatcher(watcher))
    if (this.#isClosed) this.#ear?.close()
    else if (this.#ear === null) this.#retry = setTimeout(() => void this.#listen(), RETRY_MS).unref()
  }

  /** Nothing is read of what he says: others than this user and administrators may connect as well. */
  #onWatcher(watcher: Duplex): void {
    // He may have gone already. Unless he is read from, that would not be seen.
    watcher.on('error', () => {}).resume()
    if (this.#isClosed) return void watcher.end(URLS_FREE)
    if (this.#watchers.size === MAX_WATCHERS) return void watcher.destroy()
    this.#watchers.add(watcher)
    watcher.once('close', () => this.#watchers.delete(watcher))
  }
}

/**
 * Waits for the URLs of a queue with the process that has them.
 *
 * @param onFree - they may be free at any moment now: they are given back, or their process has died; nobody is waited with any more
 * @returns how to stop; null when nobody can be waited with
 */
export async function watchUrls(pipes: PipeApi, stem: string, onFree: () => void): Promise<(() => void) | null> {
  const call = await pipes.call(holderName(stem))
  if (call === null) return null
  let isWatching = true
  const end = (): void => {
    if (!isWatching) return
    isWatching = false
    call.destroy()
    onFree()
  }
  call.once('data', end).once('close', end)
  return () => {
    isWatching = false
    call.destroy()
  }
}
