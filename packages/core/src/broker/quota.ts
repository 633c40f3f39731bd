/** So many of something at most: whoever takes one gives it back. */
export class Quota {
  #free: number

  /**
   * @param total - what all together may use
   * @param each - what one of them uses, in the same unit
   */
  constructor(total: number, each: number) {
    this.#free = Math.floor(total / each)
  }

  /** Takes one, if one is left. */
  take(): boolean {
    if (this.#free === 0) return false
    this.#free--
    return true
  }

  giveBack(): void {
    this.#free++
  }
}
