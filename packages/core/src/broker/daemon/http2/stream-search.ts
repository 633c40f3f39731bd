import type { TlsInfo } from '../../../base/tls-info.ts'
import { OwnerSearch } from '../exchange/owner-search.ts'
import type { PortRoutes } from '../router.ts'
import type { RequestQueueEntry } from '../request-queue-entry.ts'

/** The prefixes at which one client's connection counts, once each, for all of its streams. */
export class EntryVisits {
  readonly #counts = new Map<RequestQueueEntry, number>()

  enter(entry: RequestQueueEntry): void {
    const count = this.#counts.get(entry) ?? 0
    if (count === 0) entry.counts.addConnection()
    this.#counts.set(entry, count + 1)
  }

  leave(entry: RequestQueueEntry): void {
    const count = this.#counts.get(entry)! - 1
    if (count > 0) return void this.#counts.set(entry, count)
    this.#counts.delete(entry)
    entry.counts.removeConnection()
  }
}

/** Finds owners for streams of one connection. */
export class StreamSearch extends OwnerSearch {
  readonly #visits: EntryVisits

  constructor(
    routes: PortRoutes<RequestQueueEntry>,
    localAddress: string,
    isMisdirected: ((host: string | undefined) => boolean) | undefined,
    tls: TlsInfo | undefined,
    visits: EntryVisits,
  ) {
    super(routes, localAddress, isMisdirected, tls)
    this.#visits = visits
  }

  protected override visit(entry: RequestQueueEntry): void {
    this.leave()
    this.entry = entry
    this.#visits.enter(entry)
  }

  protected override leave(): void {
    if (this.entry !== null) this.#visits.leave(this.entry)
  }
}
