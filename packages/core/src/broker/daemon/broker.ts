import { HttpSysError } from '../../base/errors.ts'
import { packageVersion } from '../../base/package-version.ts'
import { completeQueueSettings } from '../../base/queue-settings.ts'
import { UrlPrefix } from '../../base/url-prefix.ts'
import type { Engine, EngineConnection, EngineConnectionHandler, EngineListener } from '../engine/engine.ts'
import { decodeClaim, encodeClaimed, encodeRefused } from '../protocol/claims.ts'
import {
  FRAME_CLAIMED,
  FRAME_LEAVING,
  FRAME_REFUSED,
  FRAME_RELEASED,
  FRAME_REVOKED,
  FRAME_STATUS_REPLY,
  FRAME_UPGRADED,
} from '../protocol/frames.ts'
import type { Estate } from '../rendezvous/estate.ts'
import type { BrokerStatus } from '../protocol/status.ts'
import type { PeerCredentials } from '../../sockets/peer-credentials.ts'
import { startClock } from './coarse-clock.ts'
import { HandOvers } from './hand-overs.ts'
import { Http1Connection } from './http1/http1-connection.ts'
import type { Http1Host } from './http1/http1-connection.ts'
import type { PrivatePort } from './http1/private-port.ts'
import { Listeners } from './listeners.ts'
import { isAdministrator, notAdministrator } from './authorization.ts'
import { OwnerPeer } from './owner-peer.ts'
import type { PeerHost } from './owner-peer.ts'
import { PrivatePorts } from './private-ports.ts'
import { RequestQueueEntry } from './request-queue-entry.ts'
import type { Departure, OwnerClaim } from './request-queue-entry.ts'
import { Router } from './router.ts'
import { DEFAULT_SERVER_LIMITS } from './server-limits.ts'
import type { ServerLimits } from './server-limits.ts'

/** Settings of a {@link Broker}. */
export interface BrokerOptions {
  readonly engine: Engine
  /** Where owner processes connect. */
  readonly socketPath: string
  /** Those not given are HTTP.SYS's. */
  readonly limits?: Partial<ServerLimits>
  /** Says why a process of these credentials may not claim a prefix. @throws HttpSysError `EACCES` */
  readonly authorize?: (credentials: PeerCredentials | undefined, prefix: UrlPrefix) => void
  /** Called when an owner process broke the protocol and was cut off. */
  readonly onViolation?: (pid: number, error: unknown) => void
  /** Starts a successor as the payload of UPGRADE says, which resolves to its process, and lets this broker leave. */
  readonly onUpgrade?: (payload: string) => Promise<number>
  /** Called whenever a prefix was claimed or is free again. */
  readonly onClaimsChanged?: () => void
  /** Called whenever the last owner process and the last claim have gone, and once at the start. */
  readonly onIdle?: () => void
}

/** In which owners find the successor of a broker that died; they notice at once, and it starts within some 100 ms. */
const RECOVERY_MS = 3000

/** How long a broker that leaves waits for its peers to take what it has sent. */
const LAST_WORD_MS = 1000

/** Of connections that are not let in. */
const REFUSED: EngineConnectionHandler = { onData() {}, onEnd() {}, onDrain() {}, onClose() {} }

/**
 * The broker: owns the TCP ports and hands every request to the process that claimed the longest matching prefix.
 *
 * It is HTTP.SYS's part of the work: a URL group and a request queue for each claim, one router for all of them.
 */
export class Broker implements PeerHost, Http1Host {
  readonly limits: ServerLimits
  readonly #options: BrokerOptions
  readonly #router = new Router<RequestQueueEntry>()
  readonly #entries = new Set<RequestQueueEntry>()
  readonly #listeners: Listeners
  readonly #handOvers = new HandOvers()
  readonly #privatePorts = new PrivatePorts()
  readonly #peers = new Set<OwnerPeer>()
  readonly #claims = new Map<OwnerPeer, Map<number, OwnerClaim>>()
  readonly #connections = new Set<Http1Connection>()
  readonly #stopClock: () => void
  #local: EngineListener | undefined
  #lastEpoch = 0
  #isLeaving = false
  /** The last connection has gone, or the last peer. */
  #onEmpty = (): void => {}
  /** How often the broker has answered or ended something by itself, by HTTPERR's names. */
  readonly #reasons = new Map<string, number>()

  private constructor(options: BrokerOptions) {
    this.#options = options
    this.limits = { ...DEFAULT_SERVER_LIMITS, ...options.limits }
    this.#listeners = new Listeners(options.engine, (connection, port) => this.#onClient(connection, port))
    this.#stopClock = startClock(() => {
      for (const connection of this.#connections) connection.checkTimeouts()
    })
  }

  /** Starts a broker that owner processes can reach at `options.socketPath`. */
  static async start(options: BrokerOptions): Promise<Broker> {
    const broker = new Broker(options)
    const endpoint = { kind: 'local', path: options.socketPath } as const
    broker.#local = await options.engine.listen(endpoint, (connection) => broker.#onPeer(connection))
    options.onIdle?.()
    return broker
  }

  /** Whether no owner process is connected, and no request may be waiting for one. */
  get isIdle(): boolean {
    return this.#peers.size === 0 && this.#entries.size === 0
  }

  /** What is going on. */
  status(): BrokerStatus {
    return {
      pid: process.pid,
      version: packageVersion(),
      node: process.version,
      engine: this.#options.engine.name,
      uptime: Math.round(process.uptime()),
      connections: this.#connections.size,
      ports: this.#listeners.status,
      queues: [...this.#entries].map((entry) => entry.status),
      limits: { ...this.limits },
      reasons: Object.fromEntries(this.#reasons),
    }
  }

  /** The claims as a successor needs them to keep their places. */
  get estate(): Estate {
    return [...this.#entries].map(({ prefix, port, settings }) => ({ href: prefix.withPort(port).href, settings }))
  }

  /**
   * Keeps the places of claims that another broker had: it has died, and its owners are on their way here. Requests for them wait; a
   * request must not be told 404, or get the owner of a shorter prefix, for being faster than its owner. Called before owners can
   * come.
   */
  inherit(estate: Estate): void {
    for (const { href, settings } of estate) {
      const prefix = UrlPrefix.parse(href, settings)
      const entry = new RequestQueueEntry(prefix, prefix.port)
      if (this.#router.add(prefix, prefix.port, entry) !== undefined) continue
      entry.settings = completeQueueSettings(settings)
      entry.holdsPort = false
      this.#entries.add(entry)
      entry.awaitOwner(RECOVERY_MS, () => this.#retire(entry))
    }
  }

  /**
   * Opens the ports of what was inherited, for clients that are faster than the owners.
   *
   * @param descriptors - sockets that listen, from a broker that hands over; those of one that died are gone
   */
  async openInheritedPorts(descriptors: readonly number[]): Promise<void> {
    const entries = [...this.#entries].filter((entry) => entry.isOrphaned && !entry.holdsPort)
    await this.#listeners.inherit(
      descriptors,
      entries.map(({ prefix }) => prefix),
    )
    for (const entry of entries) {
      if (entry.isOrphaned) entry.holdsPort = true
      else await this.#release(entry.prefix, entry.port)
    }
  }

  /** Keeps ports open on all addresses, whether or not somebody claims them. @throws HttpSysError `EADDRINUSE`, `EACCES` */
  async keepPorts(ports: readonly number[]): Promise<void> {
    for (const port of ports) await this.#listeners.acquire(UrlPrefix.parse(`http://*:${port}/`))
  }

  /** The sockets that listen for clients, for a successor that inherits them. */
  get descriptors(): number[] {
    return this.#listeners.descriptors
  }

  /**
   * A successor has the ports: lets nobody in any more, tells the owners, and finishes what is under way.
   *
   * @returns when the last client has gone
   */
  async leave(): Promise<void> {
    this.#isLeaving = true
    await this.#local?.close()
    await this.#listeners.close()
    for (const peer of this.#peers) peer.writer.signal(FRAME_LEAVING, 0, 0, 0)
    for (const connection of this.#connections) connection.leave()
    while (this.#connections.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve))
    for (const peer of this.#peers) peer.close()
    if (this.#peers.size === 0) return
    // A process that is stopped does not close its side.
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve
      setTimeout(resolve, LAST_WORD_MS)
    })
  }

  /** Stops listening, cuts owners and clients off, and frees every port. */
  async close(): Promise<void> {
    this.#stopClock()
    await this.#local?.close()
    this.#handOvers.close()
    for (const peer of this.#peers) peer.close()
    await this.#listeners.close()
    for (const connection of this.#connections) connection.shutdown()
  }

  onConnectionClosed(connection: Http1Connection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#onEmpty()
  }

  onClaim(peer: OwnerPeer, claimId: number, payload: string): void {
    this.#claim(peer, claimId, payload).then(
      (claim) => this.#onClaimed(claim),
      (error: unknown) => peer.writer.text(FRAME_REFUSED, 0, 0, claimId, encodeRefused(error), 'utf8'),
    )
  }

  onRelease(peer: OwnerPeer, claimId: number, departure: Departure): void {
    const claims = this.#claims.get(peer)
    const claim = claims?.get(claimId)
    if (claims !== undefined && claim !== undefined) {
      claims.delete(claimId)
      this.#unregister(claim, departure)
    }
    peer.writer.signal(FRAME_RELEASED, 0, 0, claimId)
  }

  onUpgrade(peer: OwnerPeer, payload: string): void {
    this.#upgrade(peer, payload).then(
      (pid) => peer.writer.text(FRAME_UPGRADED, 0, 0, 0, String(pid), 'latin1'),
      (error: unknown) => peer.writer.text(FRAME_REFUSED, 0, 0, 0, encodeRefused(error), 'utf8'),
    )
  }

  async #upgrade({ credentials }: OwnerPeer, payload: string): Promise<number> {
    const { onUpgrade } = this.#options
    if (onUpgrade === undefined) throw new Error('this broker can not be replaced')
    if (credentials !== undefined && !isAdministrator(credentials)) throw notAdministrator(credentials)
    return onUpgrade(payload)
  }

  onStatus(peer: OwnerPeer): void {
    peer.writer.text(FRAME_STATUS_REPLY, 0, 0, 0, JSON.stringify(this.status()), 'utf8')
  }

  onPeerClosed(peer: OwnerPeer): void {
    this.#peers.delete(peer)
    const claims = this.#claims.get(peer)
    this.#claims.delete(peer)
    for (const claim of claims?.values() ?? []) this.#unregister(claim, 'left')
    if (this.isIdle) this.#options.onIdle?.()
    if (this.#peers.size === 0) this.#onEmpty()
  }

  onPeerDrained(peer: OwnerPeer): void {
    for (const { entry } of this.#claims.get(peer)?.values() ?? []) entry.wake()
  }

  privatePort(port: number, localAddress: string): PrivatePort | undefined {
    return this.#privatePorts.find(port, localAddress)
  }

  onHandOver(peer: OwnerPeer, name: string, connection: EngineConnection): void {
    this.#peers.delete(peer)
    this.#claims.delete(peer)
    this.#handOvers.admit(name, connection)
  }

  onViolation(peer: OwnerPeer, error: unknown): void {
    this.#options.onViolation?.(peer.pid, error)
  }

  #onPeer(connection: EngineConnection): void {
    const peer = new OwnerPeer(connection, this)
    connection.handler = peer
    this.#peers.add(peer)
    this.#claims.set(peer, new Map())
  }

  count(reason: string): void {
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1)
  }

  #onClient(connection: EngineConnection, port: number): void {
    const { maxServerConnections } = this.limits
    if (maxServerConnections > 0 && this.#connections.size >= maxServerConnections) {
      this.count('Connections_Refused')
      connection.handler = REFUSED
      return connection.destroy()
    }
    const client = new Http1Connection(connection, this.#router.routesOf(port), this)
    connection.handler = client
    this.#connections.add(client)
    client.start()
  }

  async #claim(peer: OwnerPeer, claimId: number, payload: string): Promise<OwnerClaim | null> {
    const { href, mode, settings, epoch, handOver, privatePort } = decodeClaim(payload)
    if (this.#isLeaving) throw left(href)
    const prefix = UrlPrefix.parse(href, { mode, ...settings })
    if (prefix.scheme === 'https') throw notYetSecure(prefix)
    this.#options.authorize?.(peer.credentials, prefix)
    const port = await (handOver === undefined
      ? this.#listeners.acquire(prefix)
      : this.#listeners.adopt(prefix, this.#handOvers.take(handOver)))
    try {
      if (this.#privatePorts.isTaken(prefix, port, privatePort !== undefined)) {
        throw taken(prefix, `port ${port} belongs to one process alone`)
      }
      const claims = this.#claims.get(peer)
      // The peer may have gone while the port was being bound.
      if (claims === undefined) throw taken(prefix, 'its process has ended')
      if (claims.has(claimId)) throw taken(prefix, `claim id ${claimId} is in use`)
      const entry = this.#entryFor(prefix, port, epoch)
      if (entry === null) {
        await this.#release(prefix, port)
        peer.writer.signal(FRAME_REVOKED, 0, 0, claimId)
        return null
      }
      const claim: OwnerClaim = { peer, id: claimId, entry, mode, epoch: epoch ?? this.#nextEpoch() }
      // Nobody waits for the owner of a private port: it is gone with the process, as a socket of its own is.
      const queue = completeQueueSettings(prefix.settings)
      entry.settings = privatePort === undefined ? queue : { ...queue, holdFor: 0 }
      if (entry.isOrphaned && entry.holdsPort) void this.#release(entry.prefix, port)
      entry.holdsPort = true
      entry.join(claim)
      claims.set(claimId, claim)
      if (privatePort !== undefined) this.#privatePorts.add({ claim, limits: privatePort })
      return claim
    } catch (error) {
      await this.#release(prefix, port)
      throw error
    }
  }

  #onClaimed(claim: OwnerClaim | null): void {
    // Revoked, or its process has gone, since.
    if (claim === null || !claim.entry.owners.includes(claim)) return
    const { entry, peer, id, epoch } = claim
    const text = encodeClaimed({ ...Listeners.addressOf(entry.prefix), port: entry.port, epoch })
    peer.writer.text(FRAME_CLAIMED, 0, 0, id, text, 'utf8')
    entry.wake()
  }

  /**
   * The entry that a new claim joins, made if there is none.
   *
   * @param epoch - of a claim that is made again
   * @returns null when a later claim has taken the prefix over meanwhile
   * @throws HttpSysError `EADDRINUSE`
   */
  #entryFor(prefix: UrlPrefix, port: number, epoch: number | undefined): RequestQueueEntry | null {
    const fresh = new RequestQueueEntry(prefix, port)
    const entry = this.#router.add(prefix, port, fresh)
    if (entry === undefined) {
      this.#entries.add(fresh)
      this.#options.onClaimsChanged?.()
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
    this.#claims.get(peer)?.delete(id)
    entry.remove(claim)
    void this.#release(entry.prefix, entry.port)
    peer.writer.signal(FRAME_REVOKED, 0, 0, id)
  }

  /** Later than every one before, those of earlier brokers included. */
  #nextEpoch(): number {
    this.#lastEpoch = Math.max(Date.now(), this.#lastEpoch + 1)
    return this.#lastEpoch
  }

  #unregister(claim: OwnerClaim, departure: Departure): void {
    const { entry } = claim
    this.#privatePorts.remove(claim)
    if (entry.remove(claim)) void this.#release(entry.prefix, entry.port)
    else if (!entry.orphan(departure, () => this.#retire(entry))) this.#retire(entry)
  }

  /** The prefix is nobody's any more. */
  #retire(entry: RequestQueueEntry): void {
    this.#router.remove(entry.prefix, entry.port)
    this.#entries.delete(entry)
    this.#options.onClaimsChanged?.()
    entry.retire()
    if (this.isIdle) this.#options.onIdle?.()
    if (entry.holdsPort) void this.#release(entry.prefix, entry.port)
  }

  async #release(prefix: UrlPrefix, port: number): Promise<void> {
    await this.#listeners.release(prefix, port)
    if (this.#listeners.has(port)) return
    for (const connection of this.#connections) if (connection.localPort === port) connection.shutdown()
  }
}

/** The owner will have been told, and asks the successor. */
function left(href: string): HttpSysError {
  return new HttpSysError({
    code: 'ECONNRESET',
    syscall: 'listen',
    subject: href,
    reason: 'the broker has handed its ports over',
    remedy: 'Ask again: its successor answers.',
  })
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

function notYetSecure(prefix: UrlPrefix): HttpSysError {
  return new HttpSysError({
    code: 'ENOTSUP',
    syscall: 'listen',
    subject: prefix.href,
    reason: 'the broker has no certificate for this port',
    remedy: 'Use an http:// prefix.',
  })
}
