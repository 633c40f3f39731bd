import { UrlPrefix } from '../../src/base/url-prefix.ts'
import type { ClaimMode } from '../../src/base/url-prefix.ts'
import { NativeBackend } from '../../src/native/native-backend.ts'
import type { Exchange, ExchangeListener, RequestQueue } from '../../src/queue/exchange.ts'
import type { Machine } from './double/machine.ts'

/** A process that answers every request with its name, or keeps it open. */
export class Owner {
  readonly backend: NativeBackend
  readonly name: string
  readonly kept: Exchange[] = []
  keeps = false
  #answered = 0
  #wake: () => void = () => {}

  /** @param user - as whom it runs, see {@link Machine.start} */
  constructor(machine: Machine, name: string, user?: string) {
    this.name = name
    this.backend = new NativeBackend({ load: () => machine.start(user).api })
  }

  /** Resolves when it has answered so many requests. */
  async served(count: number): Promise<void> {
    while (this.#answered < count) await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  listen(port: number, mode: ClaimMode): Promise<RequestQueue> {
    const nothing = (): void => {}
    const listener: ExchangeListener = {
      onRequest: (exchange) => (this.keeps ? void this.kept.push(exchange) : this.answer(exchange)),
      onBody: nothing,
      onBodyEnd: nothing,
      onWritable: nothing,
      onDisconnect: nothing,
      onLost: nothing,
      onQueueRevoked: nothing,
      onQueueLost: nothing,
    }
    return this.backend.open(UrlPrefix.parse(`http://localhost:${port}/1/`, { mode }), listener)
  }

  answer(exchange: Exchange): void {
    exchange.sendResponse(200, 'OK', '', this.name.length, 0, this.name, 'latin1', true)
    this.#answered++
    this.#wake()
  }
}
