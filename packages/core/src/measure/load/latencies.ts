const LONGEST_US = 1_000_000

/** Latencies counted by the microsecond, in bounded memory however many there are. */
export class Latencies {
  readonly #counts = new Uint32Array(LONGEST_US)
  /** The few that took a second or more, in milliseconds. */
  readonly #long: number[] = []
  #total = 0

  add(milliseconds: number): void {
    const microseconds = Math.max(0, Math.floor(milliseconds * 1e3))
    if (microseconds < LONGEST_US) this.#counts[microseconds]!++
    else this.#long.push(milliseconds)
    this.#total++
  }

  /** The latency in milliseconds that a share of them, 0 to 1, does not exceed; 0 when there are none. */
  percentile(share: number): number {
    const wanted = Math.ceil(this.#total * share)
    let seen = 0
    for (let microseconds = 0; microseconds < LONGEST_US; microseconds++) {
      seen += this.#counts[microseconds]!
      if (seen >= wanted && seen > 0) return microseconds / 1e3
    }
    return this.#long.toSorted((a, b) => a - b)[wanted - seen - 1] ?? 0
  }
}
