import { randomBytes } from 'node:crypto'
import { closeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import type { Divert } from '../../engine/engine.ts'
import type { ThreadTicket } from '../../protocol/hello.ts'
import type { CacheState } from '../../protocol/status.ts'
import { claimedBy } from '../claims.ts'
import type { ClaimsMirror } from '../claims.ts'
import type { OwnerPeer } from '../owner-peer.ts'
import { QueueCounts } from '../queue-counts.ts'
import type { OwnerClaim, RequestQueueEntry } from '../request-queue-entry.ts'
import type { FromThread, ThreadStart, ThreadStatus, ToThread } from './thread-messages.ts'

/** What threads ask of the broker. */
export interface ThreadsHost {
  /** Client connections of the first thread. */
  readonly connectionCount: number
  /** Whether one more client may be let in. */
  mayAccept(): boolean
  /** Whether clients of the port stay with the first thread. */
  isPrivate(port: number): boolean
  /** In one of the threads an owner has broken the protocol, or closed its connection. */
  onOwnerLost(peer: OwnerPeer, violation: string | undefined): void
}

type Answer = ThreadStatus | CacheState

interface Question {
  readonly answers: Answer[]
  readonly done: (answers: Answer[]) => void
}

/** How threads are started. */
export type ThreadsOptions = Omit<ThreadStart, 'thread' | 'posted' | 'connections'>

/**
 * The broker's other threads, which have clients of their own and a connection to each owner of their own.
 *
 * The first thread decides about claims, and tells the others in order. A message counts from the moment in which it was posted: a
 * thread looks at the number of messages before each request, and reads those that it has not read yet. So there is one view of the
 * routes, and what an owner has been told of its claim holds in every thread.
 */
export class ClientThreads implements ClaimsMirror {
  host!: ThreadsHost
  /** All threads, the first included. */
  readonly count: number
  readonly #options: ThreadsOptions
  readonly #workers: Worker[] = []
  /** What is to be told to threads that have not been started. */
  readonly #untold: (() => void)[] = []
  /** By thread: it runs, so that a client need not wait for that. */
  readonly #isReady: boolean[] = []
  readonly #posted = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  readonly #connections: Int32Array
  #turn = 0
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
    this.#connections = new Int32Array(new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT))
  }

  /** Starts them; which takes so long that a broker which is not needed had better not. */
  start(): void {
    for (let thread = 1; thread < this.count; thread++) this.#start(thread)
    for (const tell of this.#untold.splice(0)) tell()
  }

  /** Client connections of each of the other threads. */
  get connections(): number[] {
    return Array.from(this.#connections.subarray(1))
  }

  /** Client connections of the other threads together. */
  get connectionCount(): number {
    return this.connections.reduce((sum, count) => sum + count, 0)
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

  /** Gives each client that has just connected to the thread that has fewest. */
  divertTo(isSecure: boolean): Divert {
    return (descriptor, port) => {
      if (this.host.isPrivate(port) || !this.host.mayAccept()) return false
      const thread = this.#idlest()
      if (thread === 0) return false
      Atomics.add(this.#connections, thread, 1)
      this.#post(thread, { kind: 'client', descriptor, isSecure })
      return true
    }
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
    // Their clients may be the last thing that this process is there for.
    for (const worker of this.#workers) worker.ref()
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
    const start: ThreadStart = { ...this.#options, thread, posted: this.#posted, connections: this.#connections }
    // Descriptors come and go by other ways than node:fs, which would warn of each.
    const options = { workerData: start, trackUnmanagedFds: false }
    const worker = new Worker(new URL('./thread-main.js', import.meta.url), options)
    this.#workers.push(worker)
    // What is wrong with one of the threads is wrong with the broker, which a new one replaces.
    worker.on('error', (error) => {
      throw error
    })
    worker.on('message', (message: FromThread) => this.#onMessage(thread, message))
    worker.unref()
  }

  #onMessage(thread: number, message: FromThread): void {
    switch (message.kind) {
      case 'ready':
        this.#isReady[thread] = true
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

  /** In turn among those that have equally few. */
  #idlest(): number {
    const { count } = this
    this.#turn = (this.#turn + 1) % count
    let best = 0
    let fewest = Infinity
    for (let step = 0; step < count; step++) {
      const thread = (this.#turn + step) % count
      const connections = thread === 0 ? this.host.connectionCount : Atomics.load(this.#connections, thread)
      if (connections >= fewest || (thread > 0 && this.#isReady[thread] !== true)) continue
      fewest = connections
      best = thread
    }
    return best
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
