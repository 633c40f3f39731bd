import type { UrlPrefix } from '../../base/url-prefix.ts'
import type { OwnerPeer } from './owner-peer.ts'

/** One owner's share of a request queue. */
export interface OwnerClaim {
  readonly peer: OwnerPeer
  /** The owner's own number for the claim. */
  readonly id: number
  readonly entry: RequestQueueEntry
}

/** A registered prefix and the processes that serve it: one, or several that attached to the same queue. */
export class RequestQueueEntry {
  readonly prefix: UrlPrefix
  /** The real port. */
  readonly port: number
  readonly owners: OwnerClaim[] = []
  #next = 0

  constructor(prefix: UrlPrefix, port: number) {
    this.prefix = prefix
    this.port = port
  }

  /** The owner that gets the next request: in turn. */
  pick(): OwnerClaim {
    const owners = this.owners
    if (owners.length === 1) return owners[0]!
    this.#next = (this.#next + 1) % owners.length
    return owners[this.#next]!
  }

  /** Takes an owner out; returns whether any is left. */
  remove(claim: OwnerClaim): boolean {
    const index = this.owners.indexOf(claim)
    if (index !== -1) this.owners.splice(index, 1)
    return this.owners.length > 0
  }
}
