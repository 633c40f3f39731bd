import type { AnnouncedConnection, OwnerPeer } from '../owner-peer.ts'

/** The owners that know a client's connection, and by which id. */
export class ConnectionIds {
  readonly #connection: AnnouncedConnection
  readonly #ids = new Map<OwnerPeer, number>()

  constructor(connection: AnnouncedConnection) {
    this.#connection = connection
  }

  /** The id for an owner, which is told of the connection if it is new there; -1 when it has no id left. */
  announce(peer: OwnerPeer): number {
    const known = this.#ids.get(peer)
    if (known !== undefined) return known
    const id = peer.announce(this.#connection)
    if (id !== -1) this.#ids.set(peer, id)
    return id
  }

  /** The owner has gone. */
  forget(peer: OwnerPeer): void {
    this.#ids.delete(peer)
  }

  /** The connection has ended. */
  close(): void {
    for (const [peer, id] of this.#ids) peer.forget(id)
    this.#ids.clear()
  }
}
