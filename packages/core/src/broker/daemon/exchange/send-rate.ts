import type { EngineConnection } from '../../engine/engine.ts'
import { clock } from '../coarse-clock.ts'

/** The rate is an average over the time in which this much should have gone: windows open in steps of tens of kilobytes. */
const WINDOW_BYTES = 64 * 1024

/** Watches how fast a client takes what is sent to it (HTTP.SYS: MinSendRate). */
export class SendRate {
  /** When the window began, seconds; -1 while nothing waits for the client. */
  #since = -1
  #takenBefore = 0

  /** Called about once a second; returns whether the client has taken less than `minimum` bytes a second. */
  isBelow(minimum: number, connection: EngineConnection): boolean {
    if (!connection.hasQueued || minimum === 0) {
      this.#since = -1
      return false
    }
    if (this.#since === -1) {
      this.#begin(connection.takenBytes)
      return false
    }
    const elapsed = clock.seconds - this.#since
    if (elapsed * minimum < WINDOW_BYTES) return false
    const taken = connection.takenBytes
    const isBelow = taken - this.#takenBefore < elapsed * minimum
    this.#begin(taken)
    return isBelow
  }

  #begin(taken: number): void {
    this.#since = clock.seconds
    this.#takenBefore = taken
  }
}
