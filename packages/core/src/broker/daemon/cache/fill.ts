import type { HeldRequest, OwnerClaim } from '../request-queue-entry.ts'

/**
 * A request that has gone to an owner and whose response may be stored; others for the same thing wait for it, so that the app is
 * asked once.
 *
 * busy ──response stored──▶ done (those who wait find it)
 *  │▲──response is for nobody else──▶ done, fruitless (those who wait go to the app, all at once)
 *  ▼└─one of those who wait goes to the app
 * vacant (no response came) ──nobody waits──▶ done
 */
export class Fill {
  /** Its place among those of the queue. */
  readonly slot: string
  /** Of the URL. */
  readonly key: string
  /** The path in the form in which paths are compared. */
  readonly path: string
  /** Whose owner answers. */
  claim: OwnerClaim
  state: 'busy' | 'vacant' | 'done' = 'busy'
  /** What its response would tell is out of date by now, or its owner has lost the prefix: it is not stored. */
  isStale = false
  /** The response is for nobody else: those who waited do not wait for another one. */
  isFruitless = false
  readonly waiting = new Set<HeldRequest>()

  constructor(slot: string, key: string, path: string, claim: OwnerClaim) {
    this.slot = slot
    this.key = key
    this.path = path
    this.claim = claim
  }

  /** Another request goes to an owner in place of the one that failed; returns false when none has. */
  take(claim: OwnerClaim): boolean {
    if (this.state !== 'vacant') return false
    this.state = 'busy'
    this.claim = claim
    return true
  }

  /** The request has gone: its client left, or its time is up. */
  forget(request: HeldRequest): void {
    this.waiting.delete(request)
  }

  /** Those who wait look again, the first first, until one of them has taken the place. */
  offer(): void {
    this.state = 'vacant'
    for (const request of this.waiting) {
      this.waiting.delete(request)
      request.onOwnerReady()
      if (this.#isTaken) return
    }
    this.state = 'done'
  }

  /** Those who wait look again, all of them. */
  finish(): void {
    this.state = 'done'
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const request of waiting) request.onOwnerReady()
  }

  /** `onOwnerReady` may have changed it, which TypeScript can't know. */
  get #isTaken(): boolean {
    return this.state === 'busy'
  }
}
