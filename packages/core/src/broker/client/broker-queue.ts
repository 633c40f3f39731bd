import type { UrlPrefix } from '../../base/url-prefix.ts'
import type { ExchangeListener, PrivatePortLimits, QueueAddress, RequestQueue } from '../../queue/exchange.ts'
import type { BoundPort } from './bound-port.ts'

/** What a claim needs of the session that holds it. */
export interface QueueHome {
  release(queue: BrokerQueue, isHeld: boolean): Promise<void>
  flush(queue: BrokerQueue, path: string): Promise<void>
  updateRef(): void
  whenSent(): Promise<void>
}

/** A claim of this process, live or about to be. */
export class BrokerQueue implements RequestQueue {
  readonly backend = 'broker'
  /** A queue of the broker is known by its prefix. */
  readonly name = null
  prefix: UrlPrefix
  address: QueueAddress
  isRef = true
  /** The broker has granted the claim at least once: it is made again when the broker is lost. */
  isLive = false
  /** The number under which the broker has granted the claim; kept when it is made again. */
  epoch: number | undefined
  /** Set: the port is this queue's alone. */
  readonly privatePort: (() => PrivatePortLimits) | undefined
  readonly #port: BoundPort | undefined
  readonly id: number
  readonly listener: ExchangeListener
  readonly #home: QueueHome

  constructor(home: QueueHome, id: number, prefix: UrlPrefix, listener: ExchangeListener, port?: BoundPort) {
    this.#home = home
    this.id = id
    this.prefix = port?.prefix ?? prefix
    this.listener = listener
    this.privatePort = port?.privatePort
    this.#port = port
    this.address = { address: '', family: 'IPv4', port: this.prefix.port }
  }

  /** The broker that has the sockets of the port is lost, or hands over; its successor must be able to bind it. */
  releasePort(): void {
    this.#port?.release()
  }

  shutdown(isHeld = false): Promise<void> {
    return this.#home.release(this, isHeld)
  }

  whenSent(): Promise<void> {
    return this.#home.whenSent()
  }

  flushResponseCache(path: string): Promise<void> {
    return this.#home.flush(this, path)
  }

  setRef(isRef: boolean): void {
    this.isRef = isRef
    this.#home.updateRef()
  }
}
