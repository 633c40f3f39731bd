import { fieldValues } from '../../../base/field-lines.ts'
import type { OwnerClaim } from '../request-queue-entry.ts'
import type { CachedResource } from './cached-resource.ts'
import { parseHttpDate } from './http-date.ts'

/** What a response takes besides its body and its head: its place in the maps, and the objects themselves; measured. */
const OVERHEAD_BYTES = 1024
/** Bodies up to this size are kept a second time, in one text with the head. */
const TEXT_BYTES = 4096

/** Of one hop only, or written anew with each answer. */
const LEFT_OUT = /^(?:age|keep-alive|proxy-connection|te|trailer|upgrade):.*\r\n/gim
/** What describes a body has nothing to say where there is none (RFC 9110 section 15.4.5). */
const OF_BODIES = /^(?:accept-ranges|content-(?:encoding|language|range|type)):.*\r\n/gim

/** A response as it comes from an owner. */
export interface ReceivedHead {
  readonly claim: OwnerClaim
  readonly status: number
  /** Empty when it is the usual one. */
  readonly reason: string
  /** Complete field lines without any framing, Date included. */
  readonly fields: string
  /** Seconds, or Infinity. */
  readonly secondsToLive: number
}

/** A whole one. */
export interface ReceivedResponse extends ReceivedHead {
  readonly body: Buffer
}

/** A response in the cache. Nothing that a client may get changes any more: its body is sent without being copied. */
export class StoredResponse {
  readonly claim: OwnerClaim
  readonly status: number
  readonly reason: string
  readonly fields: string
  readonly body: Buffer
  readonly etag: string | null
  /** Milliseconds since 1970, NaN when it does not say. */
  readonly lastModified: number
  /** When it was made, milliseconds since 1970. */
  readonly date: number
  readonly allowsRanges: boolean
  readonly expiresAt: number
  /** What it counts in the cache. */
  readonly size: number
  /** A whole answer as the wire had it last, without a body that is large, kept by HTTP/1.1; and of which age it is. */
  wire = ''
  wireAge = -1
  hits = 0
  /** Its place in the cache; null when it is not there any more. */
  resource: CachedResource | null = null
  variant = ''
  /** In the order of their last use. */
  newer: StoredResponse | null = null
  older: StoredResponse | null = null
  readonly #storedAt: number
  readonly #initialAge: number
  #notModifiedFields: string | null = null

  /** @param now - milliseconds of the clock that `ageAt` is asked with */
  constructor(received: ReceivedResponse, keyLength: number, now: number) {
    const { fields, body } = received
    this.claim = received.claim
    this.status = received.status
    this.reason = received.reason
    this.body = body
    this.fields = fields.replace(LEFT_OUT, '')
    this.etag = fieldValues(fields, 'etag')[0] ?? null
    this.lastModified = parseHttpDate(fieldValues(fields, 'last-modified')[0] ?? '')
    const date = parseHttpDate(fieldValues(fields, 'date')[0] ?? '')
    this.date = Number.isNaN(date) ? Date.now() : date
    this.allowsRanges = received.status === 200 && fieldValues(fields, 'accept-ranges')[0]?.toLowerCase() !== 'none'
    const age = fieldValues(fields, 'age')[0] ?? ''
    this.#initialAge = /^\d{1,9}$/.test(age) ? Number(age) : 0
    this.#storedAt = now
    this.expiresAt = now + received.secondsToLive * 1000
    const copies = body.length <= TEXT_BYTES ? 2 : 1
    this.size = OVERHEAD_BYTES + keyLength * 2 + this.fields.length * 2 + body.length * copies
  }

  /** Whole seconds since it was made, as far as the broker knows. */
  ageAt(now: number): number {
    return this.#initialAge + Math.floor((now - this.#storedAt) / 1000)
  }

  /** The fields of the answer that says that the client's copy is still good. */
  get notModifiedFields(): string {
    this.#notModifiedFields ??= this.fields.replace(OF_BODIES, '')
    return this.#notModifiedFields
  }
}
