import { libc } from '../../../sockets/libc.ts'
import type { Libc } from '../../../sockets/libc.ts'
import type { Divert, Endpoint, Engine, EngineConnection, EngineListener, Watched } from '../engine.ts'
import { openListeningDescriptor } from './listening-descriptor.ts'
import { threadReactor } from './reactor.ts'
import type { Reactor } from './reactor.ts'
import type { RingTier } from './ring.ts'
import { UringListener, connectionOf } from './uring-listener.ts'

/** The engine on io_uring: Linux 5.19 or newer, where neither a seccomp filter nor the administrator forbids it. */
export class UringEngine implements Engine {
  readonly name = 'uring'
  readonly #reactor: Reactor
  readonly #libc: Libc

  /**
   * @param tiers - the kinds of ring to try, all of them unless said otherwise
   * @returns the engine, or why it is not to be had
   */
  static open(tiers?: readonly RingTier[]): UringEngine | string {
    const library = process.platform === 'linux' ? libc() : null
    if (library === null) return 'io_uring is a part of Linux'
    const reactor = threadReactor(tiers)
    return typeof reactor === 'string' ? reactor : new UringEngine(reactor, library)
  }

  private constructor(reactor: Reactor, library: Libc) {
    this.#reactor = reactor
    this.#libc = library
  }

  /** Why its ring is none of the best kind; undefined when it is. */
  get setback(): string | undefined {
    const { tier, setback } = this.#reactor.ring
    return setback === undefined ? undefined : `io_uring of the kind "${tier}": ${setback}`
  }

  async listen(
    endpoint: Endpoint,
    onConnection: (connection: EngineConnection) => void,
    divert?: Divert,
  ): Promise<EngineListener> {
    const path = endpoint.kind === 'local' ? endpoint.path : undefined
    return new UringListener(this.#reactor, openListeningDescriptor(this.#libc, endpoint), path, onConnection, divert)
  }

  watch(watched: Watched): () => void {
    return this.#reactor.watch(watched)
  }

  adopt(descriptor: number, isLocal: boolean, onConnection: (connection: EngineConnection) => void): void {
    const connection = connectionOf(this.#reactor, descriptor, isLocal)
    onConnection(connection)
    connection.start()
  }
}
