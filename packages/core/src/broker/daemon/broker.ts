import type { TLSSocket } from 'node:tls'
import { HttpSysError } from '../../base/errors.ts'
import { MemberList } from '../../base/member-list.ts'
import type { TlsInfo } from '../../base/tls-info.ts'
import { UrlPrefix } from '../../base/url-prefix.ts'
import type { Endpoint, EngineConnection, EngineConnectionHandler, EngineListener } from '../engine/engine.ts'
import { addressesOf } from '../engine/net/socket-connection.ts'
import type { ConnectionFacts } from '../protocol/connection-facts.ts'
import { encodeRefused } from '../protocol/claims.ts'
import { FRAME_CLAIMED, FRAME_FLUSHED, FRAME_LEAVING, FRAME_REFUSED } from '../protocol/frames.ts'
import type { ThreadTicket } from '../protocol/hello.ts'
import type { Estate, InheritedClaim } from '../rendezvous/estate.ts'
import type { BrokerStatus } from '../protocol/status.ts'
import { descriptorLimit } from '../../sockets/descriptor-limit.ts'
import { Administration } from './administration.ts'
import type { AdministrationHost } from './administration.ts'
import { Admission } from './admission.ts'
import type { BrokerOptions } from './broker-options.ts'
import { Claims, claimedBy } from './claims.ts'
import type { ClaimsHost } from './claims.ts'
import { ResponseCache } from './cache/response-cache.ts'
import { ClientCounts } from './client-counts.ts'
import { startClock } from './coarse-clock.ts'
import type { ClientConnection } from './exchange/client-host.ts'
import { Http1Connection } from './http1/http1-connection.ts'
import type { Http1Host } from './http1/http1-connection.ts'
import type { PrivatePort } from './http1/private-port.ts'
import { Http2Connection } from './http2/http2-connection.ts'
import type { SessionSocket } from './http2/http2-connection.ts'
import { PrefaceReader } from './http2/preface-reader.ts'
import type { PrefaceHost } from './http2/preface-reader.ts'
import { Listeners } from './listeners.ts'
import type { InheritedAddress } from './listeners.ts'
import { OwnerPeer } from './owner-peer.ts'
import type { PeerHost } from './owner-peer.ts'
import type { DeliveryOptions } from './peer-channel.ts'
import { RingWatch } from './ring-watch.ts'
import type { Departure, OwnerClaim } from './request-queue-entry.ts'
import { DEFAULT_SERVER_LIMITS } from './server-limits.ts'
import type { ServerLimits } from './server-limits.ts'
import type { Inheritance } from './successor.ts'
import { Certificates } from './tls/certificates.ts'
import { ClientPlacement } from './threads/client-placement.ts'
import type { PlacementHost } from './threads/client-placement.ts'
import { ClientThreads } from './threads/client-threads.ts'
import type { ThreadsHost } from './threads/client-threads.ts'
import { SecureEngine } from './tls/secure-engine.ts'
import type { SecureHost, SecureSettings } from './tls/secure-engine.ts'
import type { Reason } from './exchange/reasons.ts'

/** How long a broker that leaves waits for owners to connect to all of its threads; they do so at once, unless they are stopped. */
const LINKS_MS = 5000
/** How long it waits for its peers to take what it has sent. */
const LAST_WORD_MS = 1000

/** Of connections that are not let in. */
const REFUSED: EngineConnectionHandler = { onData() {}, onEnd() {}, onDrain() {}, onClose() {} }

/**
 * The broker: owns the TCP ports and hands every request to the process that claimed the longest matching prefix.
 *
 * It is HTTP.SYS's part of the work: a URL group and a request queue for each claim, one router for all of them.
 */
export class Broker
  implements PeerHost, Http1Host, ClaimsHost, SecureHost, ThreadsHost, PlacementHost, PrefaceHost, AdministrationHost
{
  readonly limits: ServerLimits
  /** Client connections, those in the middle of a TLS handshake included. */
  readonly clients: ClientCounts
  readonly #options: BrokerOptions
  readonly #threads: ClientThreads | null
  readonly #listeners: Listeners
  readonly #administration: Administration
  readonly #claims: Claims
  readonly #certificates: Certificates
  readonly #secureEngine: SecureEngine
  readonly #peers = new Set<OwnerPeer>()
  readonly #connections = new MemberList<ClientConnection>()
  readonly #delivery: DeliveryOptions
  readonly #admission: Admission
  /** Clients are let in when they are accepted, before they have a connection. */
  readonly #isPlaced: boolean
  readonly #stopClock: () => void
  #local: EngineListener | undefined
  #running: Promise<void> | undefined
  #isLeaving = false
  /** The last connection has gone, or the last peer. */
  #onEmpty = (): void => {}
  readonly reasons = new Map<Reason, number>()

  private constructor(options: BrokerOptions, limits: ServerLimits, threads: ClientThreads | null) {
    this.#options = options
    this.limits = limits
    this.#threads = threads
    if (threads !== null) threads.host = this
    this.clients = threads?.clients ?? ClientCounts.of(1)
    this.#admission = new Admission(
      limits.maxServerConnections,
      options.descriptorLimit ?? descriptorLimit(),
      threads?.count,
    )
    this.#delivery = { choice: options.delivery, watch: new RingWatch(options.engine) }
    this.#certificates = new Certificates(options.configDirectory, options.onProblem ?? (() => {}))
    const { engine } = options
    const placement = engine.adopt === undefined ? undefined : new ClientPlacement(0, this.clients, this)
    this.#isPlaced = placement !== undefined
    const accepting = placement && { engine, divert: placement.divertTo(true) }
    this.#secureEngine = new SecureEngine(this.#certificates, options, this, accepting)
    const onConnection = (connection: EngineConnection, port: number): void => this.#onClient(connection, port)
    const divert = placement?.divertTo(false)
    this.#listeners = new Listeners(engine, onConnection, this.#secureEngine, divert, threads ?? undefined)
    const responses = new ResponseCache(this.limits)
    this.#claims = new Claims(this.#listeners, this, responses, threads)
    this.#administration = new Administration(options, this, this.#claims, this.#listeners, responses, threads)
    this.#stopClock = startClock(() => {
      for (const connection of this.#connections) connection.checkTimeouts()
    })
  }

  /** Starts a broker, which owner processes can reach at `options.local`. */
  static async start(options: BrokerOptions): Promise<Broker> {
    const { threads: count = 1, engine, delivery, configDirectory } = options
    const all = { ...DEFAULT_SERVER_LIMITS, ...options.limits }
    const limits = { ...all, responseCacheBytes: Math.floor(all.responseCacheBytes / count) }
    // What a client without TLS speaks shows in what it sends, when it is too late to give it to another thread.
    const canShare = engine.adopt !== undefined && options.http2 !== 'all'
    const threads =
      count > 1 && canShare
        ? new ClientThreads(count, { limits, delivery, configDirectory, secure: secureSettingsOf(options) })
        : null
    const broker = new Broker(options, threads === null ? all : limits, threads)
    if (options.local !== undefined) await broker.listenForOwners(options.local)
    return broker
  }

  /** Lets owner processes connect at a local socket. */
  async listenForOwners(local: Endpoint): Promise<void> {
    this.#local = await this.#options.engine.listen(local, (connection) => this.#onPeer(connection))
    if (this.isIdle) this.#options.onIdle?.()
  }

  /** Starts the other threads, if there are to be any: other brokers can't win any more. Resolves when they run. */
  startThreads(): Promise<void> {
    return (this.#running ??= this.#startThreads())
  }

  async #startThreads(): Promise<void> {
    await this.#threads?.start()
    await this.#listeners.grow()
  }

  /** Whether no owner process is connected, and no request may be waiting for one. */
  get isIdle(): boolean {
    return this.#peers.size === 0 && this.#claims.isEmpty
  }

  /** What is going on. */
  status(): BrokerStatus {
    return this.#administration.status()
  }

  /** The claims as a successor needs them to keep their places. */
  get estate(): Estate {
    return this.#claims.estate
  }

  /** Keeps the places of claims that another broker had; see {@link Claims.inherit}. */
  inherit(estate: Estate, isHandOver: boolean): void {
    this.#claims.inherit(estate, isHandOver)
  }

  /** Opens the ports of what was inherited; see {@link Claims.openInheritedPorts}. */
  openInheritedPorts(inherited: readonly InheritedAddress[], kept: readonly number[] = []): Promise<void> {
    return this.#claims.openInheritedPorts(inherited, kept.map(everywhere))
  }

  /** Keeps ports open on all addresses, whether or not somebody claims them. @throws HttpSysError `EADDRINUSE`, `EACCES` */
  async keepPorts(ports: readonly number[]): Promise<void> {
    for (const port of ports) await this.#listeners.acquire(everywhere(port))
  }

  /** The sockets that listen, for a successor that inherits them. */
  get inheritance(): Inheritance {
    return { local: this.#local?.descriptor ?? -1, ports: this.#listeners.inheritance }
  }

  /**
   * A successor waits for the ports: lets nobody in any more, tells the owners, and finishes what is under way.
   *
   * @param onLetGo - called when nobody connects here any more, neither client nor owner
   * @returns when the last client has gone, or the limit of time is up
   */
  async leave(onLetGo: () => void): Promise<void> {
    // The successor would not know them: connections of owners to other threads of this broker are made to this socket.
    await this.#threads?.whenLinked(LINKS_MS)
    this.#isLeaving = true
    await this.#local?.close()
    await this.#listeners.close()
    // Owners flush the successor's cache from now on.
    this.#claims.closeCaches()
    // Nobody expects it before HELLO; who says that later is told when he claims something.
    for (const peer of this.#peers) if (peer.state === 'open') peer.writer.signal(FRAME_LEAVING, 0, 0, 0)
    // Claims that waited are refused, and what they had handed over goes to the successor again.
    this.#claims.gate.open()
    this.#claims.close()
    onLetGo()
    for (const connection of this.#connections) connection.leave()
    const { shutdownTimeout } = this.limits
    const clients = [this.#connections, this.#secureEngine.pending]
    await Promise.all([this.#whenEmpty(clients, shutdownTimeout), this.#threads?.leave(shutdownTimeout)])
    // For clients that are still there their owner has gone: WebSockets are closed with 1012.
    const threadsClosed = this.#threads?.close(LAST_WORD_MS)
    for (const peer of this.#peers) peer.close()
    // A process that is stopped does not close its side, and a client need not close its own.
    await Promise.all([this.#whenEmpty([this.#peers, this.#connections], LAST_WORD_MS), threadsClosed])
  }

  /** Resolves when all of the sets are empty, or after so many milliseconds, 0 for no limit. */
  async #whenEmpty(sets: readonly { readonly size: number }[], timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    let isOver = false
    while (!isOver && sets.some((set) => set.size > 0)) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve
        if (timeoutMs === 0) return
        timer ??= setTimeout(() => {
          isOver = true
          this.#onEmpty()
        }, timeoutMs)
      })
    }
    clearTimeout(timer)
  }

  /** Stops listening, cuts owners and clients off, and frees every port. */
  async close(): Promise<void> {
    this.#stopClock()
    await this.#local?.close()
    this.#claims.close()
    void this.#threads?.close(0)
    for (const peer of this.#peers) peer.close()
    await this.#listeners.close()
    for (const connection of this.#connections) connection.shutdown()
  }

  onConnectionClosed(connection: ClientConnection): void {
    this.clients.leave(0)
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#onEmpty()
  }

  onRecognized(reader: ClientConnection): void {
    this.#connections.delete(reader)
  }

  onClaim(peer: OwnerPeer, claimId: number, payload: string): void {
    this.#claims.claim(peer, claimId, payload).then(
      (claim) => this.#onClaimed(claim),
      (error: unknown) => peer.writer.text(FRAME_REFUSED, 0, 0, claimId, encodeRefused(error), 'utf8'),
    )
  }

  hasCertificate(port: number): boolean {
    return this.#certificates.hasAny(port)
  }

  mayAccept(clients: number): boolean {
    return this.#admission.mayConnect({ clients, peers: this.#peerCount, listeners: this.#listeners.socketCount })
  }

  letIn(): boolean {
    const isIn = this.mayAccept(this.clients.reserve())
    if (isIn) this.clients.enter(0)
    else this.clients.giveBack()
    return isIn
  }

  /** Connections of owners; each has one to each thread, or is about to. */
  get #peerCount(): number {
    const threads = this.#threads
    return this.#peers.size + (threads === null ? 0 : threads.ownerCount * (threads.count - 1))
  }

  /** Whether a process that connects may be an owner on its way to another thread: there are not yet as many as are expected. */
  get #isLinkAwaited(): boolean {
    const threads = this.#threads
    return threads !== null && this.#peers.size - threads.ownerCount < threads.awaitedLinks
  }

  misdirection(connection: ConnectionFacts): ((host: string | undefined) => boolean) | undefined {
    return this.#certificates.misdirectionOf(connection)
  }

  onHttp2(socket: TLSSocket, tls: TlsInfo): void {
    const facts = { ...addressesOf(socket), tls }
    this.onHttp2Socket(socket, facts)
  }

  onHttp2Socket(socket: SessionSocket, facts: ConnectionFacts): void {
    const client = new Http2Connection(socket, facts, this.#claims.routesOf(facts.localPort), this)
    this.#connections.add(client)
    if (this.#isLeaving) client.leave()
  }

  onHandshakeEnd(isSecure: boolean): void {
    if (!isSecure) this.clients.leave(0)
    if (this.#secureEngine.pending.size === 0) this.#onEmpty()
  }

  authorize({ credentials }: OwnerPeer, prefix: UrlPrefix): void {
    if (this.#isLeaving) throw left(prefix.href)
    this.#options.authorize?.(credentials, prefix)
  }

  onClaimsChanged(claimed?: InheritedClaim): void {
    this.#options.onClaimsChanged?.(claimed)
  }

  onNoClaims(): void {
    if (this.isIdle) this.#options.onIdle?.()
  }

  onPortClosed(port: number): void {
    for (const connection of this.#connections) {
      if (connection.localPort === port && !connection.isOwners) connection.shutdown()
    }
    this.#threads?.onPortClosed(port)
  }

  onRelease(peer: OwnerPeer, claimId: number, departure: Departure): void {
    this.#claims.release(peer, claimId, departure)
  }

  onFlush(peer: OwnerPeer, claimId: number, path: string): void {
    this.#claims.flush(peer, claimId, path)
    this.#threads?.flush(peer, claimId, path)
    peer.writer.signal(FRAME_FLUSHED, 0, 0, claimId)
  }

  onUpgrade(peer: OwnerPeer, payload: string): void {
    this.#administration.onUpgrade(peer, payload)
  }

  onStatus(peer: OwnerPeer): void {
    this.#administration.onStatus(peer)
  }

  onCache(peer: OwnerPeer, url: string, isDeleted: boolean): void {
    this.#administration.onCache(peer, url, isDeleted)
  }

  onPeerClosed(peer: OwnerPeer): void {
    this.#peers.delete(peer)
    this.#admission.leave(peer.credentials)
    this.#claims.dismiss(peer)
    this.#threads?.onOwnerGone(peer, false)
    if (this.isIdle) this.#options.onIdle?.()
    if (this.#peers.size === 0) this.#onEmpty()
  }

  onPeerDrained(peer: OwnerPeer): void {
    this.#claims.wake(peer)
  }

  threadOf(port: number): number | undefined {
    return this.#threads?.acceptorCount === 1 || this.#claims.isPrivate(port) ? 0 : undefined
  }

  give(thread: number, descriptor: number, isSecure: boolean): void {
    // With one thread nobody is given away.
    this.#threads!.give(thread, descriptor, isSecure)
  }

  adopt(descriptor: number, isSecure: boolean): void {
    const engine = isSecure ? this.#secureEngine : this.#options.engine
    engine.adopt!(descriptor, false, (connection) => this.#onClient(connection, connection.localPort))
  }

  /** This thread knows what it has decided. */
  refresh(): void {}

  onOpen(peer: OwnerPeer): ThreadTicket | undefined {
    const threads = this.#threads
    if (threads === null) return undefined
    if (this.#admission.mayHaveMore({ peers: this.#peerCount }, threads.count - 1)) return threads.onOwner(peer)
    this.count('Peers_Refused')
    peer.cut()
    return undefined
  }

  onTicket(peer: OwnerPeer, ticket: ThreadTicket, flags: number, connection: EngineConnection): void {
    this.#peers.delete(peer)
    this.#admission.leave(peer.credentials)
    this.#claims.dismiss(peer)
    const threads = this.#threads
    if (threads === null || connection.detach === undefined) return connection.destroy()
    connection.detach((descriptor) => threads.onLink(ticket, flags, descriptor))
  }

  onOwnerLost(peer: OwnerPeer, violation: string | undefined): void {
    if (violation !== undefined) return peer.violate(violation)
    // A process that ends closes one connection after the other, and may have answered over this one just before.
    this.#claims.dismiss(peer)
    peer.letGo()
  }

  privatePort(port: number, localAddress: string): PrivatePort | undefined {
    return this.#claims.privatePort(port, localAddress)
  }

  onHandOver(peer: OwnerPeer, name: string, connection: EngineConnection): void {
    this.#peers.delete(peer)
    this.#admission.leave(peer.credentials)
    this.#claims.onHandOver(peer, name, connection)
  }

  onViolation(peer: OwnerPeer, error: unknown): void {
    this.count('Peer_Violation')
    this.#options.onViolation?.(peer.pid, error)
    this.#threads?.onOwnerGone(peer, true)
  }

  #onPeer(connection: EngineConnection): void {
    const peer = new OwnerPeer(connection, this, this.#delivery)
    connection.handler = peer
    if (!this.#admission.enter({ peers: this.#peerCount }, peer.credentials, this.#isLinkAwaited)) {
      this.count('Peers_Refused')
      connection.handler = REFUSED
      return connection.destroy()
    }
    this.#peers.add(peer)
    this.#claims.admit(peer)
  }

  count(reason: Reason): void {
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1)
  }

  #onClient(connection: EngineConnection, port: number): void {
    if (!this.#isPlaced && connection.tls === undefined && !this.letIn()) {
      this.count('Connections_Refused')
      connection.handler = REFUSED
      return connection.destroy()
    }
    const isCleartextHttp2 = this.#options.http2 === 'all' && connection.tls === undefined
    if (isCleartextHttp2 && this.privatePort(port, connection.localAddress) === undefined) {
      this.#connections.add(new PrefaceReader(connection, port, this.limits, this))
    } else this.onHttp1(connection, port)
  }

  onHttp1(connection: EngineConnection, port: number): Http1Connection {
    const client = new Http1Connection(connection, this.#claims.routesOf(port), this)
    connection.handler = client
    this.#connections.add(client)
    client.start()
    if (this.#isLeaving) client.leave()
    return client
  }

  #onClaimed(claim: OwnerClaim | null): void {
    // Revoked, or its process has gone, since.
    if (claim === null || !claim.entry.owners.includes(claim)) return
    const { entry, peer, id } = claim
    peer.writer.text(FRAME_CLAIMED, 0, 0, id, claimedBy(claim), 'utf8')
    entry.wake()
  }
}

function everywhere(port: number): UrlPrefix {
  return UrlPrefix.parse(`http://*:${port}/`)
}

function secureSettingsOf({ runtimeDirectory, http2, handshakeTimeout }: BrokerOptions): SecureSettings {
  return { runtimeDirectory, http2, handshakeTimeout }
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
