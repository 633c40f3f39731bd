import { packageVersion } from '../../base/package-version.ts'
import { encodeRefused } from '../protocol/claims.ts'
import { FRAME_CACHE_REPLY, FRAME_REFUSED, FRAME_STATUS_REPLY, FRAME_UPGRADED } from '../protocol/frames.ts'
import type { BrokerStatus, CacheState } from '../protocol/status.ts'
import { isAdministrator, notAdministrator } from './authorization.ts'
import type { BrokerOptions } from './broker-options.ts'
import { CacheQuestion } from './cache/cache-state.ts'
import type { ResponseCache } from './cache/response-cache.ts'
import type { Claims } from './claims.ts'
import type { ClientCounts } from './client-counts.ts'
import type { Reason } from './exchange/reasons.ts'
import type { Listeners } from './listeners.ts'
import type { OwnerPeer } from './owner-peer.ts'
import type { ServerLimits } from './server-limits.ts'
import type { ClientThreads } from './threads/client-threads.ts'
import { mergeCache, mergeCacheStates, mergeQueue, mergeReasons } from './threads/merge-status.ts'
import type { ThreadStatus } from './threads/thread-messages.ts'

/** What only the broker itself knows of what is asked. */
export interface AdministrationHost {
  readonly limits: ServerLimits
  /** Client connections. */
  readonly clients: ClientCounts
  /** How often the broker has answered or ended something by itself, by HTTPERR's names. */
  readonly reasons: ReadonlyMap<Reason, number>
}

/** What a broker answers to commands: its state, its cache, and to be replaced. */
export class Administration {
  readonly #options: BrokerOptions
  readonly #host: AdministrationHost
  readonly #claims: Claims
  readonly #listeners: Listeners
  readonly #responses: ResponseCache
  readonly #threads: ClientThreads | null
  #upgrading: Promise<number> | undefined

  constructor(
    options: BrokerOptions,
    host: AdministrationHost,
    claims: Claims,
    listeners: Listeners,
    responses: ResponseCache,
    threads: ClientThreads | null,
  ) {
    this.#options = options
    this.#host = host
    this.#claims = claims
    this.#listeners = listeners
    this.#responses = responses
    this.#threads = threads
  }

  /**
   * What is going on.
   *
   * @param shares - of the other threads
   */
  status(shares: readonly ThreadStatus[] = []): BrokerStatus {
    const { clients, limits, reasons } = this.#host
    const threads = this.#threads
    const queues = [...this.#claims.entries]
    return {
      pid: process.pid,
      version: packageVersion(),
      node: process.version,
      engine: this.#options.engine.name,
      ...(this.#options.engineNote === undefined ? {} : { engineNote: this.#options.engineNote }),
      uptime: Math.round(process.uptime()),
      threads: clients.all.map((connections) => ({ connections })),
      connections: clients.total,
      ports: this.#listeners.status,
      queues: queues.map((entry) => (threads === null ? entry.status : mergeQueue(entry, threads, shares))),
      cache: mergeCache(this.#responses.status, shares),
      limits: { ...limits },
      reasons: mergeReasons(reasons, shares),
    }
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
    if (credentials !== undefined && !isAdministrator(credentials)) throw notAdministrator(credentials, 'upgrade')
    // Whoever asks meanwhile, or while this one leaves, gets the same: two successors would both accept clients.
    this.#upgrading ??= this.#startSuccessor(onUpgrade, payload)
    return this.#upgrading
  }

  async #startSuccessor(start: (payload: string) => Promise<number>, payload: string): Promise<number> {
    const { gate } = this.#claims
    try {
      // A port that was opened while the successor starts would not be among those that it inherits.
      await gate.close()
      return await start(payload)
    } catch (error) {
      gate.open()
      this.#upgrading = undefined
      throw error
    }
  }

  onStatus(peer: OwnerPeer): void {
    const reply = (status: BrokerStatus): void => {
      peer.writer.text(FRAME_STATUS_REPLY, 0, 0, 0, JSON.stringify(status), 'utf8')
    }
    const threads = this.#threads
    if (threads === null) reply(this.status())
    else void threads.status().then((shares) => reply(this.status(shares)))
  }

  onCache(peer: OwnerPeer, url: string, isDeleted: boolean): void {
    try {
      // URLs may hold secrets of other users' apps.
      const { credentials } = peer
      if (credentials !== undefined && !isAdministrator(credentials)) throw notAdministrator(credentials, 'cachestate')
      const question = new CacheQuestion(url)
      const state = question.answer(this.#responses, performance.now())
      if (isDeleted) question.flush(this.#claims.entries)
      const reply = (others: readonly CacheState[]): void => {
        const text = JSON.stringify(mergeCacheStates(state, others))
        peer.writer.text(FRAME_CACHE_REPLY, 0, 0, 0, text, 'utf8')
      }
      if (this.#threads === null) reply([])
      else void this.#threads.cache(url, isDeleted).then(reply)
    } catch (error) {
      peer.writer.text(FRAME_REFUSED, 0, 0, 0, encodeRefused(error), 'utf8')
    }
  }
}
