import type { PeerCredentials } from '../../sockets/peer-credentials.ts'
import { isAdministrator } from './authorization.ts'

/**
 * Descriptors that no client gets: for the ring, files, a successor, owners that come later, and whoever asks for the status. A broker
 * has 23 of its own, and 7 for each further thread.
 */
const RESERVED_DESCRIPTORS = 64
const RESERVED_FOR_THREAD = 8
/** Of a limit that is hardly larger, the reserve is a part. */
const MAX_RESERVED_SHARE = 1 / 2
/** Owners' local sockets take no more of the descriptors, and those of one other user no more of these. */
const PEERS_SHARE = 1 / 4
const USER_SHARE = 1 / 4

/** Who is connected. */
export interface Occupancy {
  readonly clients: number
  readonly peers: number
  /** Sockets that listen. */
  readonly listeners: number
}

/**
 * Who is let in: so many that the broker never runs out of descriptors. Without any it could neither accept an owner, nor start a
 * successor, nor tell anyone what is wrong.
 */
export class Admission {
  readonly #maxClients: number
  /** Clients, owners and what listens, together. */
  readonly #room: number
  readonly #maxPeers: number
  /** Connections of other users, who may connect to a broker that is shared, by their numbers. */
  readonly #ofUsers = new Map<number, number>()

  /**
   * @param maxClients - 0 for no limit
   * @param descriptors - that the broker may have
   * @param threads - that it has, the first included
   */
  constructor(maxClients: number, descriptors: number, threads = 1) {
    this.#maxClients = maxClients === 0 ? Infinity : maxClients
    const reserve = RESERVED_DESCRIPTORS + (threads - 1) * RESERVED_FOR_THREAD
    this.#room = descriptors - Math.min(reserve, Math.floor(descriptors * MAX_RESERVED_SHARE))
    this.#maxPeers = Math.floor(descriptors * PEERS_SHARE)
  }

  /** Whether another client may come. */
  mayConnect({ clients, peers, listeners }: Occupancy): boolean {
    return clients < this.#maxClients && clients + peers + listeners < this.#room
  }

  /**
   * Lets an owner process in, or not; those that were let in {@link Admission.leave}.
   *
   * @param isAwaited - it may be an owner's connection to another thread, which has its place
   */
  enter({ peers }: Pick<Occupancy, 'peers'>, credentials: PeerCredentials | undefined, isAwaited = false): boolean {
    if (peers >= this.#maxPeers && !isAwaited) return false
    if (credentials === undefined || isAdministrator(credentials)) return true
    const before = this.#ofUsers.get(credentials.uid) ?? 0
    if (before >= Math.max(1, this.#maxPeers * USER_SHARE) && !isAwaited) return false
    this.#ofUsers.set(credentials.uid, before + 1)
    return true
  }

  /** Whether an owner that has been let in may have so many connections besides. */
  mayHaveMore({ peers }: Pick<Occupancy, 'peers'>, connections: number): boolean {
    return peers + connections <= this.#maxPeers
  }

  /** A process that was let in has gone. */
  leave(credentials: PeerCredentials | undefined): void {
    if (credentials === undefined || isAdministrator(credentials)) return
    const left = (this.#ofUsers.get(credentials.uid) ?? 1) - 1
    if (left > 0) this.#ofUsers.set(credentials.uid, left)
    else this.#ofUsers.delete(credentials.uid)
  }
}
