import type { UrlPrefix } from '../base/url-prefix.ts'
import type { ExchangeListener, QueueAddress, RequestQueue } from '../queue/exchange.ts'
import type { QueueMember } from './queue-member.ts'
import type { RequestQueueHandle } from './request-queue.ts'

/** A claim of this process: one listener on a request queue that it may share with others. */
export class NativeQueue implements RequestQueue {
  readonly backend = 'native'
  readonly prefix: UrlPrefix
  readonly address: QueueAddress
  readonly listener: ExchangeListener
  readonly #member: QueueMember
  isRef = true
  #closing: Promise<void> | null = null
  #openExchanges = 0
  readonly #onSent: (() => void)[] = []

  constructor(member: QueueMember, prefix: UrlPrefix, listener: ExchangeListener) {
    this.#member = member
    this.prefix = prefix
    this.listener = listener
    this.address = addressOf(prefix)
  }

  get name(): string {
    return this.#member.handle.name
  }

  get handle(): RequestQueueHandle {
    return this.#member.handle
  }

  shutdown(): Promise<void> {
    this.#closing ??= this.#member.leave(this)
    return this.#closing
  }

  /** The last call of an exchange has completed when it is closed: Windows has its bytes. */
  whenSent(): Promise<void> {
    if (this.#openExchanges === 0) return Promise.resolve()
    return new Promise((resolve) => this.#onSent.push(resolve))
  }

  onExchangeOpened(): void {
    this.#openExchanges++
  }

  onExchangeClosed(): void {
    if (--this.#openExchanges > 0) return
    for (const resolve of this.#onSent.splice(0)) resolve()
  }

  get flushCount(): number {
    return this.#member.flushCount
  }

  flushResponseCache(path: string): Promise<void> {
    this.#member.flushResponseCache(path)
    return Promise.resolve()
  }

  setRef(isRef: boolean): void {
    if (this.isRef === isRef) return
    this.isRef = isRef
    this.#member.onRefChange(this)
  }
}

/** What `server.address()` shows: HTTP.SYS listens on addresses of its own choice. */
function addressOf({ host, port }: UrlPrefix): QueueAddress {
  if (host.startsWith('[')) return { address: host.slice(1, -1), family: 'IPv6', port }
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return { address: host, family: 'IPv4', port }
  return host === 'localhost' ? { address: '127.0.0.1', family: 'IPv4', port } : { address: '::', family: 'IPv6', port }
}
