import { FRAME_FLUSHED, FRAME_RELEASED, FRAME_REVOKED } from '../protocol/frames.ts'
import type { BrokerLink, LinkHome } from './broker-link.ts'
import type { BrokerQueue } from './broker-queue.ts'

/**
 * The connections to a broker's other threads, beside the first one, which has to do with claims.
 *
 * They live and die together: what one of them has lost, the broker has.
 */
export class ThreadLinks implements LinkHome {
  readonly #first: BrokerLink
  readonly #home: LinkHome
  /** Of all threads, the first included. */
  readonly #count: number
  readonly #links: BrokerLink[] = []
  /** What some threads have said and others have still to say, by frame and claim: how often each has. */
  readonly #said = new Map<string, Map<BrokerLink, number>>()
  #isRef = true
  #isClosed = false

  /** @param open - connects to a thread */
  constructor(
    first: BrokerLink,
    home: LinkHome,
    count: number,
    open: (thread: number, home: LinkHome) => Promise<BrokerLink>,
  ) {
    this.#first = first
    this.#home = home
    this.#count = count
    for (let thread = 1; thread < count; thread++) {
      open(thread, this).then(
        (link) => this.#onOpen(link),
        () => this.#onFailed(),
      )
    }
  }

  get isBusy(): boolean {
    return this.#links.some((link) => link.isBusy)
  }

  setRef(isRef: boolean): void {
    this.#isRef = isRef
    for (const link of this.#links) link.setRef(isRef)
  }

  async whenSent(): Promise<void> {
    await Promise.all(this.#links.map((link) => link.whenSent()))
  }

  close(sent: Promise<void>): void {
    this.#isClosed = true
    for (const link of this.#links) link.close(sent)
  }

  /** The first connection is lost. */
  lose(): void {
    this.#isClosed = true
    for (const link of this.#links) link.lose()
  }

  /**
   * A frame about claims, or about the broker. What ends something is over when every thread has said so: each says it behind the last
   * request that it has for it.
   */
  onControl(link: BrokerLink, type: number, id: number, payload: string): void {
    if (type !== FRAME_RELEASED && type !== FRAME_REVOKED && type !== FRAME_FLUSHED) {
      return this.#home.onControl(this.#first, type, id, payload)
    }
    const key = `${type} ${id}`
    const said = this.#said.get(key) ?? new Map<BrokerLink, number>()
    said.set(link, (said.get(link) ?? 0) + 1)
    this.#said.set(key, said)
    if (said.size < this.#count) return
    for (const [other, times] of said) {
      if (times === 1) said.delete(other)
      else said.set(other, times - 1)
    }
    if (said.size === 0) this.#said.delete(key)
    this.#home.onControl(this.#first, type, id, payload)
  }

  queueOf(id: number): BrokerQueue | undefined {
    return this.#home.queueOf(id)
  }

  onBusyChange(): void {
    this.#home.onBusyChange(this.#first)
  }

  onLinkLost(): void {
    if (!this.#isClosed) this.#first.lose()
  }

  #onOpen(link: BrokerLink): void {
    if (this.#isClosed) return link.close()
    this.#links.push(link)
    link.setRef(this.#isRef)
  }

  #onFailed(): void {
    if (!this.#isClosed) this.#first.lose()
  }
}
