/** Lets so many things happen at once, and so many a second after that. */
export class TokenBucket {
  readonly #size: number
  readonly #perSecond: number
  #tokens: number
  #filledAt = performance.now()

  constructor(size: number, perSecond: number) {
    this.#size = size
    this.#perSecond = perSecond
    this.#tokens = size
  }

  /** Whether one more may happen now. */
  take(): boolean {
    const now = performance.now()
    this.#tokens = Math.min(this.#size, this.#tokens + ((now - this.#filledAt) / 1000) * this.#perSecond)
    this.#filledAt = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
