import type { ResponseCache } from './response-cache.ts'
import type { ReceivedHead, ReceivedResponse } from './stored-response.ts'

/**
 * A response that may be stored, while it comes in; its bytes are reserved in the cache until `close`.
 */
export class Recording {
  readonly #head: ReceivedHead
  readonly #body: Buffer
  readonly #store: ResponseCache
  #length = 0

  /** @param contentLength - bytes of the whole body, reserved */
  constructor(head: ReceivedHead, contentLength: number, store: ResponseCache) {
    this.#head = head
    this.#store = store
    // Not from a pool, which would be kept whole for a part of it.
    this.#body = Buffer.allocUnsafeSlow(contentLength)
  }

  append(bytes: Buffer, start: number, end: number): void {
    bytes.copy(this.#body, this.#length, start, end)
    this.#length += end - start
  }

  /** The response, once it is complete; null when bytes are missing or there were too many. */
  finish(): ReceivedResponse | null {
    return this.#length === this.#body.length ? { ...this.#head, body: this.#body } : null
  }

  close(): void {
    this.#store.release(this.#body.length)
  }
}
