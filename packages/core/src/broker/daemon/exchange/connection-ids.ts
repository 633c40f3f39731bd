import type { AnnouncedConnection, OwnerPeer } from '../owner-peer.ts'

/** The owners that know a client's connection, and by which id. */
export class ConnectionIds {
  readonly #connection: AnnouncedConnection
  /** Most connections have one owner, which needs no table. */
  #first: OwnerPeer | null = null
  #firstId = -1
  #others: Map<OwnerPeer, number> | null = null

  constructor(connection: AnnouncedConnection) {
    this.#connection = connection
  }

  /** The id for an owner, which is told of the connection if it is new there; -1 when it has no id left. */
  announce(peer: OwnerPeer): number {
    if (peer === this.#first) return this.#firstId
    const known = this.#others?.get(peer)
    if (known !== undefined) return known
    const id = peer.announce(this.#connection)
    if (id === -1) return -1
    if (this.#first === null) {
      this.#first = peer
      this.#firstId = id
    } else {
      this.#others ??= new Map()
      this.#others.set(peer, id)
    }
    return id
  }

  /** The owner has gone. */
  forget(peer: OwnerPeer): void {
    if (peer === this.#first) this.#first = null
    else this.#others?.delete(peer)
  }

  /** The connection has ended. */
  close(): void {
    const first = this.#first
    const others = this.#others
    this.#first = null
    this.#others = null
    first?.forget(this.#firstId)
    if (others !== null) for (const [peer, id] of others) peer.forget(id)
  }
}
