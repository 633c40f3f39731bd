import { DISCONNECT_RESET } from '../../protocol/frames.ts'
import { isCommon } from '../exchange/request-method.ts'
import type { OwnerClaim } from '../request-queue-entry.ts'
import type { HeadParser } from './head-parser.ts'
import type { Http1Exchange } from './http1-exchange.ts'

/** So many requests of a connection wait for their turn at their owner; what is behind them waits in the connection. */
const MAX_WAITING = 31

/**
 * Requests that have come on a connection behind the one that is being answered, and have been handed over all the same: on a private
 * port, whose one owner answers in their order (ADR 4).
 */
export class Pipeline {
  readonly #waiting: Http1Exchange[] = []
  readonly #open: () => Http1Exchange
  /** The next request has to wait in the connection until the one before it has been answered. */
  isBlocked = false

  /** @param open - makes an exchange of the connection */
  constructor(open: () => Http1Exchange) {
    this.#open = open
  }

  /** The request that came last. */
  get last(): Http1Exchange | undefined {
    return this.#waiting.at(-1)
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /**
   * Hands the request over that the parser has just read, with as much of a small body as has arrived.
   *
   * @returns the position behind what was used, or -1 when it has to wait in the connection
   */
  add(
    claim: OwnerClaim,
    connectionId: number,
    head: HeadParser,
    bytes: Buffer,
    bodyStart: number,
    end: number,
  ): number {
    if (!isSimple(head, bytes) || this.#waiting.length === MAX_WAITING) return -1
    const exchange = this.#open()
    exchange.beginBehind(head, bytes)
    const next = exchange.handOver(claim, connectionId, head, bytes, bodyStart, end)
    if (next !== -1) this.#waiting.push(exchange)
    return next
  }

  /** The response before it is complete: the exchange whose turn it is; undefined when there is none. */
  next(): Http1Exchange | undefined {
    this.isBlocked = false
    const exchange = this.#waiting.shift()
    exchange?.takeTurn()
    return exchange
  }

  /** The client is gone, or has ended its side. */
  onClientGone(kind: number): void {
    for (const exchange of this.#waiting) exchange.onClientGone(kind)
  }

  /** None of them will be answered. */
  abandon(): void {
    this.onClientGone(DISCONNECT_RESET)
    this.#waiting.length = 0
  }
}

/** Nothing comes of the request but its one response: no other protocol, no error that ends the connection. */
function isSimple(head: HeadParser, bytes: Buffer): boolean {
  return !head.isUpgrade && head.expect === 0 && isCommon(head, bytes)
}
