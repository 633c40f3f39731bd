import { closeSync } from 'node:fs'
import type { TLSSocket } from 'node:tls'
import { receiveMessageOnPort } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { MemberList } from '../../../base/member-list.ts'
import { completeQueueSettings } from '../../../base/queue-settings.ts'
import type { TlsInfo } from '../../../base/tls-info.ts'
import { UrlPrefix } from '../../../base/url-prefix.ts'
import type { Divert, Engine, EngineConnection, EngineListener } from '../../engine/engine.ts'
import { addressesOf } from '../../engine/net/socket-connection.ts'
import { descriptorLimit } from '../../../sockets/descriptor-limit.ts'
import { openEngine } from '../../engine/open-engine.ts'
import { broken } from '../../protocol/broken.ts'
import type { ConnectionFacts } from '../../protocol/connection-facts.ts'
import { FRAME_FLUSHED } from '../../protocol/frames.ts'
import { Admission } from '../admission.ts'
import { CacheQuestion } from '../cache/cache-state.ts'
import { ResponseCache } from '../cache/response-cache.ts'
import { ClientCounts } from '../client-counts.ts'
import { startClock } from '../coarse-clock.ts'
import type { ClientConnection } from '../exchange/client-host.ts'
import { Http1Connection } from '../http1/http1-connection.ts'
import type { Http1Host } from '../http1/http1-connection.ts'
import { Http2Connection } from '../http2/http2-connection.ts'
import { OwnerPeer } from '../owner-peer.ts'
import type { PeerHost } from '../owner-peer.ts'
import type { DeliveryOptions } from '../peer-channel.ts'
import { QueueCounts } from '../queue-counts.ts'
import { RequestQueueEntry } from '../request-queue-entry.ts'
import { RingWatch } from '../ring-watch.ts'
import { Router } from '../router.ts'
import type { ServerLimits } from '../server-limits.ts'
import { Certificates } from '../tls/certificates.ts'
import { SecureEngine } from '../tls/secure-engine.ts'
import type { SecureHost } from '../tls/secure-engine.ts'
import { ClientPlacement } from './client-placement.ts'
import type { PlacementHost } from './client-placement.ts'
import type { FromThread, ThreadStart, ThreadStatus, ToThread } from './thread-messages.ts'
import { ThreadOwner } from './thread-owner.ts'

/** Serves its share of the broker's clients, by the claims that the first thread tells of. */
export class ClientThread implements PeerHost, Http1Host, SecureHost, PlacementHost {
  readonly limits: ServerLimits
  readonly #start: ThreadStart
  readonly #port: MessagePort
  readonly #engine: Engine
  readonly #certificates: Certificates
  readonly #secureEngine: SecureEngine
  readonly #delivery: DeliveryOptions
  readonly #responses: ResponseCache
  readonly #router = new Router<RequestQueueEntry>()
  readonly #queues = new Map<number, RequestQueueEntry>()
  readonly #owners = new Map<string, ThreadOwner>()
  readonly #ofPeers = new Map<OwnerPeer, ThreadOwner>()
  readonly #clients: ClientCounts
  readonly #admission: Admission
  readonly #divert: Divert
  readonly #listeners = new Map<number, Promise<EngineListener>>()
  readonly #privatePorts = new Set<number>()
  readonly #connections = new MemberList<ClientConnection>()
  readonly #reasons = new Map<string, number>()
  /** Messages read so far, or more. */
  #read = 0
  #isHandling = false
  #isLeaving = false
  #isClosing = false

  static start(port: MessagePort, start: ThreadStart): void {
    const thread = new ClientThread(port, start)
    port.on('message', (message: ToThread) => thread.#handle(message))
    thread.#say({ kind: 'ready' })
  }

  private constructor(port: MessagePort, start: ThreadStart) {
    this.#port = port
    this.#start = start
    this.limits = start.limits
    // The first thread has it.
    this.#engine = openEngine('uring').engine
    // Of files that can't be read the first thread tells.
    this.#certificates = new Certificates(start.configDirectory, () => {})
    this.#clients = new ClientCounts(start.clients)
    this.#admission = new Admission(start.limits.maxServerConnections, descriptorLimit(), start.threads)
    const placement = new ClientPlacement(start.thread, this.#clients, this)
    this.#divert = placement.divertTo(false)
    const accepting = { engine: this.#engine, divert: placement.divertTo(true) }
    this.#secureEngine = new SecureEngine(this.#certificates, start.secure, this, accepting)
    this.#delivery = { choice: start.delivery, watch: new RingWatch(this.#engine) }
    this.#responses = new ResponseCache(start.limits)
    startClock(() => {
      for (const connection of this.#connections) connection.checkTimeouts()
    })
  }

  // Requests of connections

  refresh(): void {
    // One that ends requests goes through those that wait, and must not meet connections which the next one has closed meanwhile.
    if (this.#isHandling) return
    const { posted } = this.#start
    while (Atomics.load(posted, 0) !== this.#read) {
      this.#read = Atomics.load(posted, 0)
      for (;;) {
        const received = receiveMessageOnPort(this.#port) as { message: ToThread } | undefined
        if (received === undefined) break
        this.#handle(received.message)
      }
    }
  }

  onConnectionClosed(connection: ClientConnection): void {
    this.#connections.delete(connection)
    this.#onClientGone()
  }

  misdirection(connection: ConnectionFacts): ((host: string | undefined) => boolean) | undefined {
    return this.#certificates.misdirectionOf(connection)
  }

  // Requests of those who place clients

  mayAccept(clients: number): boolean {
    const { threads } = this.#start
    // Each owner has a connection to each thread, or is about to; most sockets that listen have one beside them for each thread.
    const [peers, listeners] = [this.#owners.size * threads, this.#listeners.size * threads]
    return this.#admission.mayConnect({ clients, peers, listeners })
  }

  threadOf(port: number): number | undefined {
    this.refresh()
    return this.#privatePorts.has(port) ? 0 : undefined
  }

  give(thread: number, descriptor: number, isSecure: boolean): void {
    this.#say({ kind: 'client', thread, descriptor, isSecure })
  }

  // Requests of TLS

  letIn(): boolean {
    return true
  }

  onHttp2(socket: TLSSocket, tls: TlsInfo): void {
    const facts = { ...addressesOf(socket), tls }
    this.#onConnected(new Http2Connection(socket, facts, this.#router.routesOf(facts.localPort), this))
  }

  onHandshakeEnd(isSecure: boolean): void {
    if (!isSecure) this.#onClientGone()
  }

  /** Clients of private ports stay with the first thread. */
  privatePort(): undefined {
    return undefined
  }

  count(reason: string): void {
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1)
  }

  // Requests of owners: those about claims go to the first thread

  onClaim(peer: OwnerPeer): void {
    peer.violate(misplaced())
  }

  onRelease(peer: OwnerPeer): void {
    peer.violate(misplaced())
  }

  onFlush(peer: OwnerPeer): void {
    peer.violate(misplaced())
  }

  onCache(peer: OwnerPeer): void {
    peer.violate(misplaced())
  }

  onStatus(peer: OwnerPeer): void {
    peer.violate(misplaced())
  }

  onUpgrade(peer: OwnerPeer): void {
    peer.violate(misplaced())
  }

  onOpen(): undefined {
    return undefined
  }

  onHandOver(_peer: OwnerPeer, _name: string, connection: EngineConnection): void {
    connection.destroy()
  }

  onTicket(_peer: OwnerPeer, _ticket: unknown, _flags: number, connection: EngineConnection): void {
    connection.destroy()
  }

  onPeerClosed(peer: OwnerPeer): void {
    const owner = this.#ofPeers.get(peer)
    this.#ofPeers.delete(peer)
    owner?.disconnect()
    if (owner !== undefined) this.#say({ kind: 'owner-lost', key: owner.key, violation: undefined })
    this.#tellIfClosed()
  }

  onPeerDrained(peer: OwnerPeer): void {
    this.#ofPeers.get(peer)?.wake()
  }

  onViolation(peer: OwnerPeer, error: unknown): void {
    const owner = this.#ofPeers.get(peer)
    if (owner !== undefined) this.#say({ kind: 'owner-lost', key: owner.key, violation: String(error) })
  }

  // Messages of the first thread

  #handle(message: ToThread): void {
    this.#isHandling = true
    try {
      this.#onMessage(message)
    } finally {
      this.#isHandling = false
    }
  }

  #onMessage(message: ToThread): void {
    switch (message.kind) {
      case 'client': {
        const engine = message.isSecure ? this.#secureEngine : this.#engine
        return engine.adopt!(message.descriptor, false, this.#onClient)
      }
      case 'listen':
        return this.#onListen(message.listener, message.descriptor, message.isSecure)
      case 'unlisten':
        return void this.#onUnlisten(message.listener)
      case 'owner':
        return void this.#owners.set(message.key, new ThreadOwner(message.key, message.pid))
      case 'link':
        return this.#onLink(message.key, message.descriptor, message.flags)
      case 'owner-gone':
        return this.#onOwnerGone(message.key, message.isCut)
      case 'queue':
        return this.#onQueue(message.queue, UrlPrefix.parse(message.href), message.port, message.counts)
      case 'settings':
        this.#queues.get(message.queue)!.settings = completeQueueSettings(message.settings)
        return
      case 'claim':
        return this.#owners
          .get(message.key)
          ?.claim(message.claim, this.#queues.get(message.queue)!, message.mode, message.epoch, message.claimed)
      case 'claim-over':
        return this.#owners.get(message.key)?.endClaim(message.claim, message.frame)
      case 'retired':
        return this.#onRetired(message.queue, message.hasWaited)
      case 'flush':
        return this.#onFlush(message.key, message.claim, message.path)
      case 'private-port':
        if (!message.isPrivate) return void this.#privatePorts.delete(message.port)
        this.#privatePorts.add(message.port)
        // Its owner speaks with clients as one that has the port to itself, and they are not the first thread's: they may come again.
        return this.#closePort(message.port)
      case 'close-caches':
        this.#responses.close()
        for (const entry of this.#queues.values()) entry.closeCache()
        return
      case 'port-closed':
        return this.#closePort(message.port)
      case 'leave':
        return this.#leave()
      case 'close':
        return this.#close()
      case 'status':
        return this.#say({ kind: 'answer', question: message.question, answer: this.#status() })
      case 'cache':
        return this.#onCache(message.question, new CacheQuestion(message.url), message.isDeleted)
    }
  }

  #onListen(listener: number, descriptor: number, isSecure: boolean): void {
    const endpoint = { kind: 'descriptor', descriptor } as const
    const listening = isSecure
      ? this.#secureEngine.listen(endpoint, this.#onClient)
      : this.#engine.listen(endpoint, this.#onClient, this.#divert)
    this.#listeners.set(listener, listening)
  }

  async #onUnlisten(listener: number): Promise<void> {
    const listening = this.#listeners.get(listener)!
    this.#listeners.delete(listener)
    await (await listening).close()
    this.#say({ kind: 'unlistened', listener })
  }

  readonly #onClient = (connection: EngineConnection): void => {
    const client = new Http1Connection(connection, this.#router.routesOf(connection.localPort), this)
    connection.handler = client
    this.#onConnected(client)
    client.start()
  }

  #onConnected(client: ClientConnection): void {
    this.#connections.add(client)
    if (this.#isLeaving) client.leave()
  }

  /** A client on its way here, or here, has gone. */
  #onClientGone(): void {
    this.#clients.leave(this.#start.thread)
    if (this.#isLeaving && this.#isEmpty) this.#say({ kind: 'empty' })
    this.#tellIfClosed()
  }

  get #isEmpty(): boolean {
    return this.#connections.size === 0 && this.#secureEngine.pending.size === 0
  }

  #onLink(key: string, descriptor: number, flags: number): void {
    const owner = this.#owners.get(key)
    if (owner === undefined || owner.peer !== null) return closeSync(descriptor)
    this.#engine.adopt!(descriptor, true, (connection) => {
      const peer = new OwnerPeer(connection, this, this.#delivery)
      connection.handler = peer
      this.#ofPeers.set(peer, owner)
      peer.greet(owner.pid, flags)
      owner.connect(peer)
    })
  }

  #onOwnerGone(key: string, isCut: boolean): void {
    const owner = this.#owners.get(key)
    if (owner === undefined) return
    this.#owners.delete(key)
    const { peer } = owner
    if (peer === null) return
    this.#ofPeers.delete(peer)
    owner.disconnect()
    if (isCut) peer.cut()
    else peer.letGo()
  }

  #closePort(port: number): void {
    for (const connection of this.#connections) if (connection.localPort === port) connection.shutdown()
  }

  #onQueue(queue: number, prefix: UrlPrefix, port: number, cells: Int32Array): void {
    const entry = new RequestQueueEntry(prefix, port, this.#responses)
    entry.counts = new QueueCounts(cells)
    this.#queues.set(queue, entry)
    this.#router.add(prefix, port, entry)
  }

  #onRetired(queue: number, hasWaited: boolean): void {
    const entry = this.#queues.get(queue)!
    this.#queues.delete(queue)
    this.#router.remove(entry.prefix, entry.port)
    // Came here between two messages: the end of the last claim, and this one.
    if (!hasWaited) entry.disperse()
    entry.retire()
  }

  #onFlush(key: string, claim: number, path: string): void {
    const owner = this.#owners.get(key)
    owner?.entryOf(claim)?.flush(path)
    owner?.tell(claim, FRAME_FLUSHED)
  }

  #onCache(question: number, about: CacheQuestion, isDeleted: boolean): void {
    const answer = about.answer(this.#responses, performance.now())
    if (isDeleted) about.flush(this.#queues.values())
    this.#say({ kind: 'answer', question, answer })
  }

  #leave(): void {
    this.#isLeaving = true
    if (this.#isEmpty) return this.#say({ kind: 'empty' })
    for (const connection of this.#connections) connection.leave()
  }

  /** For clients that are still there their owner has gone: WebSockets are closed with 1012. */
  #close(): void {
    for (const peer of this.#ofPeers.keys()) peer.close()
    for (const connection of this.#connections) connection.shutdown()
    this.#isClosing = true
    this.#tellIfClosed()
  }

  #tellIfClosed(): void {
    if (!this.#isClosing || !this.#isEmpty || this.#ofPeers.size > 0) return
    this.#isClosing = false
    this.#say({ kind: 'closed' })
  }

  #status(): ThreadStatus {
    const queues: Record<number, { requests: number; cacheHits: number }> = {}
    for (const [queue, { requests, cacheHits }] of this.#queues) queues[queue] = { requests, cacheHits }
    const queuedBytes: Record<string, number> = {}
    for (const [peer, owner] of this.#ofPeers) queuedBytes[owner.key] = peer.writer.queuedBytes
    return { queues, queuedBytes, reasons: Object.fromEntries(this.#reasons), cache: this.#responses.status }
  }

  #say(message: FromThread): void {
    this.#port.postMessage(message)
  }
}

function misplaced(): Error {
  return broken('a frame that belongs to the first connection came over that of a thread')
}
