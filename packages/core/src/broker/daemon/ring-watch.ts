import type { RingLink } from '../rings/ring-link.ts'

/**
 * Looks at the rings of busy owners once a turn, so that they need not ring for every batch: a doorbell costs both sides a system
 * call. Idle owners are not looked at, however many there are.
 *
 * asleep ──doorbell──▶ watched ──a turn in which it was empty──▶ asleep
 */
export class RingWatch {
  #watched: RingLink[] = []
  #isScheduled = false
  readonly #onTurn = (): void => this.#turn()

  /** This owner has rung. */
  notice(link: RingLink): void {
    if (link.isWatched) return
    link.isWatched = true
    link.wake()
    this.#watched.push(link)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(this.#onTurn)
  }

  #turn(): void {
    this.#isScheduled = false
    const watched = this.#watched
    this.#watched = []
    for (const link of watched) {
      if (link.poll() || link.sleep()) this.#watched.push(link)
      else link.isWatched = false
    }
    if (this.#watched.length > 0) this.#schedule()
  }
}
