import { closeSync } from 'node:fs'
import type { Divert } from '../../engine/engine.ts'
import type { ClientCounts } from '../client-counts.ts'
import type { Reason } from '../exchange/reasons.ts'

/** What placing clients needs of a thread. */
export interface PlacementHost {
  /** Whether one more client may be let in, by any thread, when there are so many. */
  mayAccept(clients: number): boolean
  /** Which thread alone has the clients of a port; undefined: each may have them. */
  threadOf(port: number): number | undefined
  /** A client is another thread's from now on. */
  give(thread: number, descriptor: number, isSecure: boolean): void
  /** The broker has ended something by itself. */
  count(reason: Reason): void
}

/** Decides which thread gets a client that one of them has accepted. The lot that the kernel draws is uneven, for few clients very much so. */
export class ClientPlacement {
  readonly #thread: number
  readonly #counts: ClientCounts
  readonly #host: PlacementHost

  /** @param thread - the one that accepts */
  constructor(thread: number, counts: ClientCounts, host: PlacementHost) {
    this.#thread = thread
    this.#counts = counts
    this.#host = host
  }

  /** Counts each client as that of the thread which gets it. */
  divertTo(isSecure: boolean): Divert {
    return (descriptor, port) => {
      if (!this.#host.mayAccept(this.#counts.reserve())) {
        this.#counts.giveBack()
        this.#host.count('Connections_Refused')
        closeSync(descriptor)
        return true
      }
      const thread = this.#host.threadOf(port) ?? this.#counts.placeFor(this.#thread)
      this.#counts.enter(thread)
      if (thread === this.#thread) return false
      this.#host.give(thread, descriptor, isSecure)
      return true
    }
  }
}
