import { clock } from '../coarse-clock.ts'

/** The rate is an average over the time in which this much should have gone: windows open in steps of tens of kilobytes. */
const WINDOW_BYTES = 64 * 1024

/** What is sent to a client: a connection, or a stream of one. */
export interface Outflow {
  /** Something waits for the client. */
  readonly hasQueued: boolean
  /** Bytes that the client has taken so far. */
  readonly takenBytes: number
}

/** Watches how fast a client takes what is sent to it (HTTP.SYS: MinSendRate). */
export class SendRate {
  /** When the window began, seconds; -1 while nothing waits for the client. */
  #since = -1
  #takenBefore = 0

  /** Called about once a second; returns whether the client has taken less than `minimum` bytes a second. */
  isBelow(minimum: number, outflow: Outflow): boolean {
    if (!outflow.hasQueued || minimum === 0) {
      this.#since = -1
      return false
    }
    if (this.#since === -1) {
      this.#begin(outflow.takenBytes)
      return false
    }
    const elapsed = clock.seconds - this.#since
    if (elapsed * minimum < WINDOW_BYTES) return false
    const taken = outflow.takenBytes
    const isBelow = taken - this.#takenBefore < elapsed * minimum
    this.#begin(taken)
    return isBelow
  }

  #begin(taken: number): void {
    this.#since = clock.seconds
    this.#takenBefore = taken
  }
}
