import { HttpSysError } from '../../base/errors.ts'
import { completeQueueSettings } from '../../base/queue-settings.ts'
import { UrlPrefix } from '../../base/url-prefix.ts'
import type { ResponseCache } from './cache/response-cache.ts'
import type { EngineConnection } from '../engine/engine.ts'
import { decodeClaim, encodeClaimed } from '../protocol/claims.ts'
import { FRAME_RELEASED, FRAME_REVOKED } from '../protocol/frames.ts'
import type { Estate, InheritedClaim } from '../rendezvous/estate.ts'
import { isAdministrator } from './authorization.ts'
import { ClaimGate } from './claim-gate.ts'
import { HandOvers } from './hand-overs.ts'
import { PrivatePort } from './http1/private-port.ts'
import { Listeners } from './listeners.ts'
import type { InheritedAddress } from './listeners.ts'
import type { OwnerPeer } from './owner-peer.ts'
import { PrivatePorts } from './private-ports.ts'
import { RequestQueueEntry } from './request-queue-entry.ts'
import type { Departure, OwnerClaim } from './request-queue-entry.ts'
import { Router } from './router.ts'
import type { PortRoutes } from './router.ts'

/** What claims need of the broker. */
export interface ClaimsHost {
  /** Says why a process may not claim a prefix. @throws HttpSysError `EACCES` */
  authorize(peer: OwnerPeer, prefix: UrlPrefix): void
  /** Whether clients of the port can be shown a certificate. */
  hasCertificate(port: number): boolean
  /** A prefix is claimed, and its process will be told next, or is free again. */
  onClaimsChanged(claimed?: InheritedClaim): void
  /** The last claim has gone. */
  onNoClaims(): void
  /** Nobody listens on the port any more. */
  onPortClosed(port: number): void
}

/** Who repeats for the broker's other threads what becomes of claims; see there for the order that it relies on. */
export interface ClaimsMirror {
  /** There is a queue of this prefix now; its counts may be replaced. */
  onQueue(entry: RequestQueueEntry): void
  onSettings(entry: RequestQueueEntry): void
  onClaim(claim: OwnerClaim): void
  /** @param frame - the type of frame by which its owner is told; 0: it is not */
  onClaimOver(peer: OwnerPeer, claimId: number, frame: number): void
  onRetired(entry: RequestQueueEntry): void
  /** Clients of the port are the first thread's alone, or all threads' again. */
  onPrivatePort(port: number, isPrivate: boolean): void
}

/** In which owners find the successor of a broker that died; they notice at once, and it starts within some 100 ms. */
const RECOVERY_MS = 3000
/** In which owners that a broker has handed over come: none has died, but one may be blocked, or the machine be busy. */
const HAND_OVER_MS = 30_000

/** Of one process: far above what any has, and what can be borne of those that may claim. */
const MAX_CLAIMS = 10_000

/**
 * Which process has which prefix: an entry for each registered prefix, in the router, and its owners' shares of it. Ports are open
 * for as long as a claim, or an orphaned entry, needs them.
 */
export class Claims {
  readonly #host: ClaimsHost
  readonly #listeners: Listeners
  readonly #responses: ResponseCache
  readonly #mirror: ClaimsMirror | null
  /** Closed while a successor is being started: what is claimed meanwhile it would not know. */
  readonly gate = new ClaimGate()
  readonly #router = new Router<RequestQueueEntry>()
  readonly #entries = new Set<RequestQueueEntry>()
  readonly #handOvers = new HandOvers()
  readonly #privatePorts: PrivatePorts
  /** Those whose owners do not listen any more, and have still connections there. */
  readonly #drainingPorts = new Set<PrivatePort>()
  /** What owners have asked for, have not given back, and do not have yet: their numbers of the claims. */
  readonly #asked = new WeakMap<OwnerPeer, Set<number>>()
  readonly #ofPeers = new Map<OwnerPeer, Map<number, OwnerClaim>>()
  /** Of ports whose sockets came from processes of other users: these users. */
  readonly #makers = new Map<number, number>()
  #lastEpoch = 0

  /**
   * @param responses - where responses are kept
   * @param mirror - null when the broker has one thread only
   */
  constructor(listeners: Listeners, host: ClaimsHost, responses: ResponseCache, mirror: ClaimsMirror | null = null) {
    this.#mirror = mirror
    this.#privatePorts = new PrivatePorts((port, isPrivate) => mirror?.onPrivatePort(port, isPrivate))
    this.#listeners = listeners
    this.#responses = responses
    this.#host = host
  }

  /** Whether there is no prefix, not even one that waits for its next owner. */
  get isEmpty(): boolean {
    return this.#entries.size === 0
  }

  /** Of all prefixes. */
  get entries(): Iterable<RequestQueueEntry> {
    return this.#entries
  }

  /** The claims as a successor needs them to keep their places. */
  get estate(): Estate {
    return [...this.#entries].map(inheritable)
  }

  routesOf(port: number): PortRoutes<RequestQueueEntry> {
    return this.#router.routesOf(port)
  }

  privatePort(port: number, localAddress: string): PrivatePort | undefined {
    return this.#privatePorts.find(port, localAddress)
  }

  /** Whether the port, at any address, belongs to one process alone. */
  isPrivate(port: number): boolean {
    return this.#privatePorts.hasPort(port)
  }

  /** From here on the process may claim. */
  admit(peer: OwnerPeer): void {
    this.#ofPeers.set(peer, new Map())
  }

  /** The connection is no owner's: a later claim names it, and takes the descriptors that come over it. */
  onHandOver(peer: OwnerPeer, name: string, connection: EngineConnection): void {
    this.#ofPeers.delete(peer)
    this.#handOvers.admit(name, connection)
  }

  /**
   * Keeps the places of claims that another broker had: it has died, and its owners are on their way here. Requests for them wait; a
   * request must not be told 404, or get the owner of a shorter prefix, for being faster than its owner. Called before owners can
   * come.
   *
   * @param isHandOver - the other broker lives, and finishes what it has
   */
  inherit(estate: Estate, isHandOver: boolean): void {
    for (const { href, settings } of estate) {
      const prefix = UrlPrefix.parse(href, settings)
      const entry = new RequestQueueEntry(prefix, prefix.port, this.#responses)
      if (this.#router.add(prefix, prefix.port, entry) !== undefined) continue
      entry.settings = completeQueueSettings(settings)
      entry.holdsPort = false
      this.#add(entry)
      const least = isHandOver ? HAND_OVER_MS : RECOVERY_MS
      entry.awaitOwner(Math.max(least, settings.holdFor ?? 0), () => this.#retire(entry))
    }
  }

  /**
   * Opens the ports of what was inherited, for clients that are faster than the owners.
   *
   * @param inherited - what listens, from a broker that hands over; the sockets of one that died are gone
   * @param kept - what is kept open whoever claims it
   */
  async openInheritedPorts(inherited: readonly InheritedAddress[], kept: readonly UrlPrefix[]): Promise<void> {
    const entries = [...this.#entries].filter((entry) => entry.isOrphaned && !entry.holdsPort)
    await this.#listeners.inherit(inherited, [...entries.map(({ prefix }) => prefix), ...kept])
    for (const entry of entries) {
      if (entry.isOrphaned) entry.holdsPort = true
      else await this.#release(entry.prefix, entry.port)
    }
  }

  /**
   * Registers what the payload of a CLAIM frame asks for.
   *
   * @returns null when the peer has given it back meanwhile, or a later claim has taken the prefix over; the peer has been told
   * @throws HttpSysError `EADDRINUSE`, `EACCES`, `EINVAL`, `ENOTSUP`
   */
  async claim(peer: OwnerPeer, claimId: number, payload: string): Promise<OwnerClaim | null> {
    const asked = this.#askedBy(peer).add(claimId)
    try {
      return await this.gate.pass(() => this.#claim(peer, claimId, payload))
    } finally {
      asked.delete(claimId)
    }
  }

  async #claim(peer: OwnerPeer, claimId: number, payload: string): Promise<OwnerClaim | null> {
    const { href, mode, settings, epoch, handOver, privatePort } = decodeClaim(payload)
    const prefix = UrlPrefix.parse(href, { mode, ...settings })
    this.#host.authorize(peer, prefix)
    if (privatePort !== undefined && prefix.path !== '/') throw notWhole(prefix)
    if (prefix.scheme === 'https' && !this.#host.hasCertificate(prefix.port)) throw noCertificate(prefix)
    const wasOpen = this.#listeners.has(prefix.port)
    const port = await (handOver === undefined
      ? this.#listeners.acquire(prefix)
      : this.#listeners.adopt(prefix, this.#handOvers.take(handOver)))
    try {
      this.#checkMaker(peer, prefix, port, handOver !== undefined && wasOpen)
      if (handOver !== undefined && isStranger(peer)) this.#makers.set(port, peer.credentials!.uid)
      if (this.#privatePorts.isTaken(prefix, port, privatePort !== undefined)) {
        throw taken(prefix, `port ${port} belongs to one process alone`)
      }
      if (privatePort !== undefined && this.#isShared(port)) throw taken(prefix, `port ${port} has other prefixes`)
      const claims = this.#ofPeers.get(peer)
      // The peer may have gone while the port was being bound.
      if (claims === undefined) throw taken(prefix, 'its process has ended')
      if (claims.size >= MAX_CLAIMS) throw tooMany(prefix)
      if (claims.has(claimId)) throw taken(prefix, `claim id ${claimId} is in use`)
      if (!this.#askedBy(peer).has(claimId)) {
        await this.#release(prefix, port)
        return null
      }
      const entry = this.#entryFor(prefix, port, epoch)
      if (entry === null) {
        await this.#release(prefix, port)
        this.#tell(peer, claimId, FRAME_REVOKED)
        return null
      }
      const claim: OwnerClaim = { peer, id: claimId, entry, mode, epoch: epoch ?? this.#nextEpoch() }
      // Nobody waits for the owner of a private port: it is gone with the process, as a socket of its own is.
      const queue = completeQueueSettings(prefix.settings)
      entry.settings = privatePort === undefined ? queue : { ...queue, holdFor: 0 }
      this.#host.onClaimsChanged(inheritable(entry))
      if (entry.isOrphaned && entry.holdsPort) void this.#release(entry.prefix, port)
      entry.holdsPort = true
      entry.join(claim)
      claims.set(claimId, claim)
      if (privatePort !== undefined) this.#privatePorts.add(new PrivatePort(claim, privatePort))
      this.#mirror?.onSettings(entry)
      this.#mirror?.onClaim(claim)
      return claim
    } catch (error) {
      await this.#release(prefix, port)
      throw error
    }
  }

  /** An owner gives a claim back; one that it does not have is no fault, since it may have been revoked meanwhile. */
  release(peer: OwnerPeer, claimId: number, departure: Departure): void {
    const claims = this.#ofPeers.get(peer)
    const claim = claims?.get(claimId)
    claims?.delete(claimId)
    this.#askedBy(peer).delete(claimId)
    const port = claim && this.#privatePorts.remove(claim)
    if (port === undefined) this.#tell(peer, claimId, FRAME_RELEASED)
    else this.#mirror?.onClaimOver(peer, claimId, 0)
    if (claim !== undefined) this.#unregister(claim, departure)
    if (port !== undefined) this.#drain(port)
  }

  #askedBy(peer: OwnerPeer): Set<number> {
    const asked = this.#asked.get(peer) ?? new Set()
    this.#asked.set(peer, asked)
    return asked
  }

  /** The owner is told when no request can come any more. */
  #drain(port: PrivatePort): void {
    this.#drainingPorts.add(port)
    port.drain(() => {
      this.#drainingPorts.delete(port)
      this.#tell(port.claim.peer, port.claim.id, FRAME_RELEASED)
    })
  }

  /** The process has gone, and with it all its claims. */
  dismiss(peer: OwnerPeer): void {
    const claims = this.#ofPeers.get(peer)
    this.#ofPeers.delete(peer)
    for (const claim of claims?.values() ?? []) {
      this.#mirror?.onClaimOver(peer, claim.id, 0)
      const port = this.#privatePorts.remove(claim)
      this.#unregister(claim, 'left')
      port?.abandon()
    }
    for (const port of this.#drainingPorts) {
      if (port.claim.peer !== peer) continue
      this.#drainingPorts.delete(port)
      port.abandon()
    }
  }

  /** The peer can take requests again: hands it those that wait. */
  wake(peer: OwnerPeer): void {
    for (const { entry } of this.#ofPeers.get(peer)?.values() ?? []) entry.wake()
  }

  /** Forgets what was cached for a claim at a path. */
  flush(peer: OwnerPeer, claimId: number, path: string): void {
    this.#ofPeers.get(peer)?.get(claimId)?.entry.flush(path)
  }

  /** Keeps no responses from now on. */
  closeCaches(): void {
    this.#responses.close()
    for (const entry of this.#entries) entry.closeCache()
  }

  /** Drops what owners have handed over, and no claim has named. */
  close(): void {
    this.#handOvers.close()
  }

  /**
   * The entry that a new claim joins, made if there is none.
   *
   * @param epoch - of a claim that is made again
   * @returns null when a later claim has taken the prefix over meanwhile
   * @throws HttpSysError `EADDRINUSE`
   */
  #entryFor(prefix: UrlPrefix, port: number, epoch: number | undefined): RequestQueueEntry | null {
    const fresh = new RequestQueueEntry(prefix, port, this.#responses)
    const entry = this.#router.add(prefix, port, fresh)
    if (entry === undefined) {
      this.#add(fresh)
      return fresh
    }
    const { owners } = entry
    if (owners.length === 0 || prefix.mode === 'attach') return entry
    const isLatest = epoch === undefined || owners.every((owner) => owner.epoch < epoch)
    if (prefix.mode === 'takeover' && isLatest) {
      while (owners.length > 0) this.#revoke(owners[0]!)
      return entry
    }
    if (epoch !== undefined && owners.some((owner) => owner.mode === 'takeover')) return null
    throw taken(prefix, `process ${owners.map((owner) => owner.peer.pid).join(', ')} has claimed this prefix`)
  }

  /** Another process serves the prefix from now on; what this owner has begun it finishes. */
  #revoke(claim: OwnerClaim): void {
    const { entry, peer, id } = claim
    this.#ofPeers.get(peer)?.delete(id)
    entry.remove(claim)
    void this.#release(entry.prefix, entry.port)
    this.#tell(peer, id, FRAME_REVOKED)
  }

  #add(entry: RequestQueueEntry): void {
    this.#entries.add(entry)
    this.#mirror?.onQueue(entry)
  }

  /** Tells an owner that its claim is over. In each thread that comes behind the last request, which is what it must be told. */
  #tell(peer: OwnerPeer, claimId: number, frame: number): void {
    this.#mirror?.onClaimOver(peer, claimId, frame)
    peer.writer.signal(frame, 0, 0, claimId)
  }

  /**
   * Sockets that another user's process has made it may keep, and accept from: they are for that user's prefixes only.
   *
   * @param isAddition - it hands over one more for a port that is open
   */
  #checkMaker(peer: OwnerPeer, prefix: UrlPrefix, port: number, isAddition: boolean): void {
    const maker = this.#makers.get(port)
    if (maker === peer.credentials?.uid || (maker === undefined && !(isAddition && isStranger(peer)))) return
    throw taken(prefix, maker === undefined ? `port ${port} is open` : `port ${port} was opened by user ${maker}`)
  }

  /** Whether prefixes of a port are routed: a private claim on it would get their requests. */
  #isShared(port: number): boolean {
    const isRouted = (entry: RequestQueueEntry): boolean => entry.port === port && !this.#privatePorts.has(entry)
    // Nobody waits for the owner of a private port; only one that another broker had is kept for a while.
    return [...this.#entries].some((entry) => isRouted(entry) && (!entry.isOrphaned || entry.settings.holdFor !== 0))
  }

  /** Later than every one before, those of earlier brokers included. */
  #nextEpoch(): number {
    this.#lastEpoch = Math.max(Date.now(), this.#lastEpoch + 1)
    return this.#lastEpoch
  }

  #unregister(claim: OwnerClaim, departure: Departure): void {
    const { entry } = claim
    if (entry.remove(claim)) void this.#release(entry.prefix, entry.port)
    else if (!entry.orphan(departure, () => this.#retire(entry))) this.#retire(entry)
  }

  /** The prefix is nobody's any more. */
  #retire(entry: RequestQueueEntry): void {
    this.#router.remove(entry.prefix, entry.port)
    this.#entries.delete(entry)
    this.#host.onClaimsChanged()
    this.#mirror?.onRetired(entry)
    entry.retire()
    if (this.isEmpty) this.#host.onNoClaims()
    if (entry.holdsPort) void this.#release(entry.prefix, entry.port)
  }

  async #release(prefix: UrlPrefix, port: number): Promise<void> {
    await this.#listeners.release(prefix, port)
    if (this.#listeners.has(port)) return
    this.#makers.delete(port)
    this.#host.onPortClosed(port)
  }
}

/** The payload of CLAIMED. */
export function claimedBy({ entry, epoch }: OwnerClaim): string {
  return encodeClaimed({ ...Listeners.addressOf(entry.prefix), port: entry.port, epoch })
}

function taken(prefix: UrlPrefix, reason: string): HttpSysError {
  return new HttpSysError({
    code: 'EADDRINUSE',
    syscall: 'listen',
    subject: prefix.href,
    reason,
    remedy: "Stop that process, choose another prefix, or share the queue with { mode: 'attach' } in both.",
  })
}

/** Another user's process, who may do only what is reserved for him. */
function isStranger({ credentials }: OwnerPeer): boolean {
  return credentials !== undefined && !isAdministrator(credentials)
}

function tooMany({ href }: UrlPrefix): HttpSysError {
  return new HttpSysError({
    code: 'EMFILE',
    syscall: 'listen',
    subject: href,
    reason: `this process has ${MAX_CLAIMS} prefixes already`,
    remedy: 'Claim a shorter prefix, and route what is below it in the process.',
  })
}

/** Reservations are for paths, and a private port has them all. */
function notWhole({ href }: UrlPrefix): HttpSysError {
  return new HttpSysError({
    code: 'EINVAL',
    syscall: 'listen',
    subject: href,
    reason: 'a port that a server has to itself has no path',
    remedy: 'Leave the path out.',
  })
}

function noCertificate({ href, host, port }: UrlPrefix): HttpSysError {
  const isName = /^[^[*+]*[^\d.]/.test(host) || host.startsWith('*.')
  const place = isName ? `hostnameport=${host}:${port}` : `ipport=0.0.0.0:${port}`
  return new HttpSysError({
    code: 'ENOTSUP',
    syscall: 'listen',
    subject: href,
    reason: 'there is no certificate for this port',
    remedy: `Run: httpsys add sslcert ${place} cert=FILE key=FILE (for development: httpsys add sslcert ${place} --self-signed).`,
  })
}

/** A claim as a successor needs it to keep its place. */
function inheritable({ prefix, port, settings }: RequestQueueEntry): InheritedClaim {
  return { href: prefix.withPort(port).href, settings }
}
