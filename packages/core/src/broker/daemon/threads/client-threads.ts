import { randomBytes } from 'node:crypto'
import { closeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import type { ThreadTicket } from '../../protocol/hello.ts'
import type { CacheState } from '../../protocol/status.ts'
import type { Acceptors, Listening } from '../bound-address.ts'
import { ClientCounts } from '../client-counts.ts'
import { claimedBy } from '../claims.ts'
import type { ClaimsMirror } from '../claims.ts'
import type { OwnerPeer } from '../owner-peer.ts'
import { QueueCounts } from '../queue-counts.ts'
import type { OwnerClaim, RequestQueueEntry } from '../request-queue-entry.ts'
import type { FromThread, ThreadStart, ThreadStatus, ToThread } from './thread-messages.ts'

/** What threads ask of the broker. */
export interface ThreadsHost {
  /** Serves a client that another thread has accepted. */
  adopt(descriptor: number, isSecure: boolean): void
  /** In one of the threads an owner has broken the protocol, or closed its connection. */
  onOwnerLost(peer: OwnerPeer, violation: string | undefined): void
}

type Answer = ThreadStatus | CacheState

interface Question {
  readonly answers: Answer[]
  readonly done: (answers: Answer[]) => void
}

/** How threads are started. */
export type ThreadsOptions = Omit<ThreadStart, 'thread' | 'threads' | 'posted' | 'clients'>

/**
 * The broker's other threads, which have clients of their own and a connection to each owner of their own.
 *
 * The first thread decides about claims, and tells the others in order. A message counts from the moment in which it was posted: a
 * thread looks at the number of messages before each request, and reads those that it has not read yet. So there is one view of the
 * routes, and what an owner has been told of its claim holds in every thread.
 */
export class ClientThreads implements ClaimsMirror, Acceptors {
  host!: ThreadsHost
  /** All threads, the first included. */
  readonly count: number
  /** Client connections of all threads. */
  readonly clients: ClientCounts
  readonly #options: ThreadsOptions
  readonly #workers: Worker[] = []
  /** What is to be told to threads that have not been started. */
  readonly #untold: (() => void)[] = []
  /** Of the other threads: those that run, so that a client need not wait for that. */
  #readyCount = 0
  #onReady = (): void => {}
  /** By number: called when the socket is closed. */
  readonly #listeners = new Map<number, () => void>()
  #lastListener = 0
  readonly #posted = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  readonly #queues = new Map<RequestQueueEntry, number>()
  #lastQueue = 0
  readonly #keys = new Map<OwnerPeer, string>()
  readonly #peers = new Map<string, OwnerPeer>()
  /** By key: connections to other threads that the owner has still to make. */
  readonly #awaited = new Map<string, number>()
  #onLinked = (): void => {}
  readonly #questions = new Map<number, Question>()
  #lastQuestion = 0
  #emptyCount = 0
  #onEmpty = (): void => {}
  #closedCount = 0
  #onClosed = (): void => {}

  /** @param count - all threads of the broker, the first included */
  constructor(count: number, options: ThreadsOptions) {
    this.count = count
    this.#options = options
    this.clients = ClientCounts.of(count)
  }

  /** Starts them, which keep the process from ending by itself from here on, and which takes so long that a broker which is not needed had better not; resolves when all run. */
  async start(): Promise<void> {
    const ready = new Promise<void>((resolve) => (this.#onReady = resolve))
    for (let thread = 1; thread < this.count; thread++) this.#start(thread)
    for (const tell of this.#untold.splice(0)) tell()
    await ready
  }

  /** The first thread alone until all run. */
  get acceptorCount(): number {
    return this.#readyCount === this.count - 1 ? this.count : 1
  }

  /** Processes that have said HELLO. */
  get ownerCount(): number {
    return this.#peers.size
  }

  /** Connections to other threads that they have still to make. */
  get awaitedLinks(): number {
    let sum = 0
    for (const count of this.#awaited.values()) sum += count
    return sum
  }

  /** Resolves when all owners have connected to all threads, or after so many milliseconds. */
  whenLinked(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#onLinked = () => {
        if (this.#awaited.size > 0) return
        clearTimeout(timer)
        resolve()
      }
      this.#onLinked()
    })
  }

  /** A client is another thread's, or the first one's, from now on. */
  give(thread: number, descriptor: number, isSecure: boolean): void {
    if (thread === 0) this.host.adopt(descriptor, isSecure)
    else this.#post(thread, { kind: 'client', descriptor, isSecure })
  }

  listen(thread: number, descriptor: number, isSecure: boolean): Listening {
    const listener = ++this.#lastListener
    this.#post(thread, { kind: 'listen', listener, descriptor, isSecure })
    const close = (): Promise<void> => {
      this.#post(thread, { kind: 'unlisten', listener })
      return new Promise((resolve) => this.#listeners.set(listener, resolve))
    }
    return { descriptor, close }
  }

  /** An owner has said HELLO: it is to connect to every thread. */
  onOwner(peer: OwnerPeer): ThreadTicket {
    const key = randomBytes(16).toString('hex')
    this.#keys.set(peer, key)
    this.#peers.set(key, peer)
    this.#awaited.set(key, this.count - 1)
    this.#tell({ kind: 'owner', key, pid: peer.pid })
    return { key, thread: this.count }
  }

  /** It does so; the descriptor is the thread's from now on. */
  onLink({ key, thread }: ThreadTicket, flags: number, descriptor: number): void {
    if (!this.#peers.has(key) || thread < 1 || thread >= this.count) return closeSync(descriptor)
    const awaited = (this.#awaited.get(key) ?? 0) - 1
    if (awaited > 0) this.#awaited.set(key, awaited)
    else this.#awaitNoMore(key)
    this.#post(thread, { kind: 'link', key, descriptor, flags })
  }

  /** @param isCut - it has broken the protocol: nothing that it has sent counts any more */
  onOwnerGone(peer: OwnerPeer, isCut: boolean): void {
    const key = this.#keys.get(peer)
    if (key === undefined) return
    this.#keys.delete(peer)
    this.#peers.delete(key)
    this.#awaitNoMore(key)
    this.#tell({ kind: 'owner-gone', key, isCut })
  }

  #awaitNoMore(key: string): void {
    this.#awaited.delete(key)
    this.#onLinked()
  }

  // What becomes of claims

  onQueue(entry: RequestQueueEntry): void {
    const queue = ++this.#lastQueue
    this.#queues.set(entry, queue)
    entry.counts = QueueCounts.shared()
    const { prefix, port, counts } = entry
    this.#tell({ kind: 'queue', queue, href: prefix.withPort(port).href, port, counts: counts.cells })
    this.onSettings(entry)
  }

  onSettings(entry: RequestQueueEntry): void {
    this.#tell({ kind: 'settings', queue: this.#queues.get(entry)!, settings: entry.settings })
  }

  onClaim(claim: OwnerClaim): void {
    const { entry, peer, id, mode, epoch } = claim
    const key = this.#keys.get(peer)
    if (key === undefined) return
    this.#tell({
      kind: 'claim',
      queue: this.#queues.get(entry)!,
      key,
      claim: id,
      mode,
      epoch,
      claimed: claimedBy(claim),
    })
  }

  onClaimOver(peer: OwnerPeer, claim: number, frame: number): void {
    const key = this.#keys.get(peer)
    if (key !== undefined) this.#tell({ kind: 'claim-over', key, claim, frame })
  }

  onPrivatePort(port: number, isPrivate: boolean): void {
    this.#tell({ kind: 'private-port', port, isPrivate })
  }

  onRetired(entry: RequestQueueEntry): void {
    this.#tell({ kind: 'retired', queue: this.#queues.get(entry)!, hasWaited: entry.isOrphaned })
    this.#queues.delete(entry)
  }

  /** Forgets what was cached for a claim at a path. */
  flush(peer: OwnerPeer, claim: number, path: string): void {
    const key = this.#keys.get(peer)
    if (key !== undefined) this.#tell({ kind: 'flush', key, claim, path })
  }

  onPortClosed(port: number): void {
    this.#tell({ kind: 'port-closed', port })
  }

  /** Finishes what is under way and lets go of the clients; resolves when the last has gone, or after so many milliseconds, 0 for no limit. */
  async leave(timeoutMs: number): Promise<void> {
    if (this.#workers.length === 0) return
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve
      if (timeoutMs > 0) setTimeout(resolve, timeoutMs)
    })
    this.#tell({ kind: 'close-caches' })
    this.#tell({ kind: 'leave' })
    await empty
  }

  /** Cuts owners and clients off; resolves when the last has gone, or after so many milliseconds. The threads end with the process. */
  async close(timeoutMs: number): Promise<void> {
    if (this.#workers.length === 0) return
    const closed = new Promise<void>((resolve) => {
      this.#onClosed = resolve
      setTimeout(resolve, timeoutMs)
    })
    this.#tell({ kind: 'close' })
    await closed
  }

  /** What each of the other threads has done. */
  async status(): Promise<ThreadStatus[]> {
    return (await this.#ask((question) => ({ kind: 'status', question }))) as ThreadStatus[]
  }

  /** What each of them has cached of a URL; it is then forgotten, if that is asked for. */
  async cache(url: string, isDeleted: boolean): Promise<CacheState[]> {
    return (await this.#ask((question) => ({ kind: 'cache', question, url, isDeleted }))) as CacheState[]
  }

  /** Resolves to the answers of all. */
  async #ask(message: (question: number) => ToThread): Promise<Answer[]> {
    if (this.#workers.length === 0) return []
    const question = ++this.#lastQuestion
    return new Promise((done) => {
      this.#questions.set(question, { answers: [], done })
      this.#tell(message(question))
    })
  }

  /** The number of a queue in {@link ThreadStatus.queues}. */
  numberOf(entry: RequestQueueEntry): number {
    return this.#queues.get(entry) ?? 0
  }

  /** The key of an owner in {@link ThreadStatus.queuedBytes}. */
  keyOf(peer: OwnerPeer): string {
    return this.#keys.get(peer) ?? ''
  }

  #start(thread: number): void {
    const start: ThreadStart = {
      ...this.#options,
      thread,
      threads: this.count,
      posted: this.#posted,
      clients: this.clients.cells,
    }
    // Descriptors come and go by other ways than node:fs, which would warn of each.
    const options = { workerData: start, trackUnmanagedFds: false }
    const worker = new Worker(new URL('./thread-main.js', import.meta.url), options)
    this.#workers.push(worker)
    // What is wrong with one of the threads is wrong with the broker, which a new one replaces.
    worker.on('error', (error) => {
      throw error
    })
    worker.on('message', (message: FromThread) => this.#onMessage(message))
  }

  #onMessage(message: FromThread): void {
    switch (message.kind) {
      case 'ready':
        if (++this.#readyCount === this.count - 1) this.#onReady()
        return
      case 'client':
        return this.give(message.thread, message.descriptor, message.isSecure)
      case 'unlistened':
        this.#listeners.get(message.listener)!()
        this.#listeners.delete(message.listener)
        return
      case 'owner-lost': {
        const peer = this.#peers.get(message.key)
        if (peer !== undefined) this.host.onOwnerLost(peer, message.violation)
        return
      }
      case 'empty':
        if (++this.#emptyCount === this.#workers.length) this.#onEmpty()
        return
      case 'closed':
        if (++this.#closedCount === this.#workers.length) this.#onClosed()
        return
      case 'answer': {
        const question = this.#questions.get(message.question)
        if (question === undefined || question.answers.push(message.answer) < this.#workers.length) return
        this.#questions.delete(message.question)
        return question.done(question.answers)
      }
    }
  }

  #tell(message: ToThread): void {
    if (this.#workers.length === 0) return void this.#untold.push(() => this.#tell(message))
    for (let thread = 1; thread < this.count; thread++) this.#workers[thread - 1]!.postMessage(message)
    // Only now: who sees the new number finds the message.
    Atomics.add(this.#posted, 0, 1)
  }

  #post(thread: number, message: ToThread): void {
    if (this.#workers.length === 0) return void this.#untold.push(() => this.#post(thread, message))
    this.#workers[thread - 1]!.postMessage(message)
  }
}
