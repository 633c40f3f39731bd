import type { OwnerClaim } from '../request-queue-entry.ts'
import type { ReceivedResponse } from './stored-response.ts'

/** A response that may be stored, while it comes in. */
export class Recording {
  readonly #claim: OwnerClaim
  readonly #status: number
  readonly #reason: string
  readonly #fields: string
  readonly #secondsToLive: number
  readonly #body: Buffer
  #length = 0

  /**
   * @param fields - complete field lines without any framing, Date included
   * @param contentLength - bytes of the whole body
   */
  constructor(
    claim: OwnerClaim,
    status: number,
    reason: string,
    fields: string,
    contentLength: number,
    secondsToLive: number,
  ) {
    this.#claim = claim
    this.#status = status
    this.#reason = reason
    this.#fields = fields
    this.#secondsToLive = secondsToLive
    // Not from a pool, which would be kept whole for a part of it.
    this.#body = Buffer.allocUnsafeSlow(contentLength)
  }

  append(bytes: Buffer, start: number, end: number): void {
    this.#length += bytes.copy(this.#body, this.#length, start, end)
  }

  /** The response, once it is complete; null when bytes are missing or there were too many. */
  finish(): ReceivedResponse | null {
    if (this.#length !== this.#body.length) return null
    return {
      claim: this.#claim,
      status: this.#status,
      reason: this.#reason,
      fields: this.#fields,
      body: this.#body,
      secondsToLive: this.#secondsToLive,
    }
  }
}
