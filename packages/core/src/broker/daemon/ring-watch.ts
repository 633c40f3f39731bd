import type { Engine, Watched } from '../engine/engine.ts'
import type { RingLink } from '../rings/ring-link.ts'

/** An owner that has been silent for so many turns has to ring again. */
const MAX_SILENT_TURNS = 4

/**
 * The rings of busy owners, which the thread looks at as long as it is awake, so that they need not ring for every batch: a doorbell
 * costs both sides a system call. Idle owners are not looked at, however many there are.
 *
 * idle ──something goes to it, or it rings──▶ watched ──silent for some turns──▶ idle
 */
export class RingWatch implements Watched {
  #links: RingLink[] = []
  readonly #begin: () => void

  constructor(engine: Engine) {
    this.#begin = engine.watch(this)
  }

  /** This owner has rung, or has something to do. */
  notice(link: RingLink): void {
    link.silentTurns = 0
    if (!link.isWatched) {
      link.isWatched = true
      link.wake()
      this.#links.push(link)
    }
    // Also for one that is watched: its doorbell has taken back what was said when the thread went to sleep.
    this.#begin()
  }

  wake(): void {
    for (const link of this.#links) link.wake()
  }

  poll(): boolean {
    let hasFound = false
    for (const link of this.#links) {
      if (!link.poll()) continue
      link.silentTurns = 0
      hasFound = true
    }
    return hasFound
  }

  sleep(): boolean {
    let hasMissed = false
    let isAnySilent = false
    for (const link of this.#links) {
      if (link.sleep()) hasMissed = true
      else if (++link.silentTurns > MAX_SILENT_TURNS) isAnySilent = true
    }
    if (isAnySilent) this.#forgetSilent()
    return hasMissed
  }

  #forgetSilent(): void {
    this.#links = this.#links.filter((link) => {
      link.isWatched = link.silentTurns <= MAX_SILENT_TURNS
      return link.isWatched
    })
  }
}
