import { isIPv6 } from 'node:net'
import { libc } from '../../sockets/libc.ts'
import { BACKLOG } from '../../sockets/listening-socket.ts'
import { openSiblings } from '../../sockets/shared-port.ts'
import type { EngineListener } from '../engine/engine.ts'
import { EVERY_ADDRESS } from '../protocol/bind-scope.ts'

/** A socket that listens. */
export type Listening = Pick<EngineListener, 'descriptor' | 'close'>

/** The threads that accept clients. */
export interface Acceptors {
  /** How many there are, the first included. */
  readonly acceptorCount: number
  /** Lets one of the others accept from a socket that listens, which is its own from here on. */
  listen(thread: number, descriptor: number, isSecure: boolean): Listening
}

/** An address of a port: the sockets that listen there, one for each thread where clients are shared out by the kernel. */
export class BoundAddress {
  readonly #first: EngineListener
  readonly #siblings: Listening[]
  readonly #isSecure: boolean
  #mayGrow: boolean

  /**
   * @param first - the socket that was bound alone
   * @param siblings - those beside it
   * @param mayGrow - the first was bound by this broker: more can be opened beside it
   */
  constructor(first: EngineListener, siblings: readonly Listening[], isSecure: boolean, mayGrow: boolean) {
    this.#first = first
    this.#siblings = [...siblings]
    this.#isSecure = isSecure
    this.#mayGrow = mayGrow
  }

  get port(): number {
    return this.#first.port
  }

  /** The operating system's numbers of the sockets. */
  get descriptors(): number[] {
    return [this.#first, ...this.#siblings].map(({ descriptor }) => descriptor)
  }

  /** Opens a socket for each of the other threads, if there are any and they may. */
  grow(acceptors: Acceptors): void {
    const library = libc()
    if (!this.#mayGrow || acceptors.acceptorCount === 1 || library === null) return
    this.#mayGrow = false
    const { address, port, descriptor } = this.#first
    const target = { host: address, port, ipv6Only: isIPv6(address) && address !== EVERY_ADDRESS }
    const siblings = openSiblings(library, descriptor, target, BACKLOG, acceptors.acceptorCount - 1)
    this.#siblings.push(...siblings.map((sibling, index) => acceptors.listen(index + 1, sibling, this.#isSecure)))
  }

  /** Stops listening; accepted connections go on. */
  async close(): Promise<void> {
    await Promise.all([this.#first, ...this.#siblings].map((listening) => listening.close()))
  }
}
