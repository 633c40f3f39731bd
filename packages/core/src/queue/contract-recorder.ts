import type { DisconnectKind, Exchange, ExchangeListener, RequestQueue } from './exchange.ts'

interface Event {
  readonly kind: 'request' | 'body' | 'bodyEnd' | 'writable' | 'disconnect' | 'lost'
  readonly exchange: Exchange
  readonly chunk?: Buffer
  readonly disconnect?: DisconnectKind
}

/** A listener that writes down what it is told and lets a test wait for it. */
export class Recorder implements ExchangeListener {
  readonly events: Event[] = []
  readonly revoked: RequestQueue[] = []
  /** Of all exchanges together. */
  bodyBytes = 0
  #wake: () => void = () => {}

  onRequest(exchange: Exchange): void {
    this.#note({ kind: 'request', exchange })
  }
  onBody(exchange: Exchange, chunk: Buffer): void {
    this.bodyBytes += chunk.length
    this.#note({ kind: 'body', exchange, chunk })
  }
  onBodyEnd(exchange: Exchange): void {
    this.#note({ kind: 'bodyEnd', exchange })
  }
  onWritable(exchange: Exchange): void {
    this.#note({ kind: 'writable', exchange })
  }
  onDisconnect(exchange: Exchange, disconnect: DisconnectKind): void {
    this.#note({ kind: 'disconnect', exchange, disconnect })
  }
  onLost(exchange: Exchange): void {
    this.#note({ kind: 'lost', exchange })
  }
  onQueueRevoked(queue: RequestQueue): void {
    this.revoked.push(queue)
    this.#wake()
  }
  onQueueLost(): void {}

  async next(kind: Event['kind'], count = 1): Promise<Event> {
    for (;;) {
      const found = this.events.filter((event) => event.kind === kind)
      if (found.length >= count) return found[count - 1]!
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  async revocation(): Promise<RequestQueue> {
    while (this.revoked.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve))
    return this.revoked[0]!
  }

  async moreBody(than: number): Promise<void> {
    while (this.bodyBytes <= than) await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  bodyOf(exchange: Exchange): Buffer {
    const pieces = this.events.filter((event) => event.kind === 'body' && event.exchange === exchange)
    return Buffer.concat(pieces.map((event) => event.chunk!))
  }

  #note(event: Event): void {
    this.events.push(event)
    this.#wake()
  }
}
