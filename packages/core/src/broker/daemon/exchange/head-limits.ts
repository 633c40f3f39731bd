import type { QueueSettings } from '../../../base/queue-settings.ts'
import { MAX_HEAD_BYTES } from '../../../base/setting-rules.ts'
import type { HeadParser } from '../http1/head-parser.ts'
import { rejectOf } from './reject.ts'
import type { Reject } from './reject.ts'

/** How large a head may be; 0 for no limit. */
export interface HeadLimits {
  readonly maxRequestBytes: number
  readonly maxFieldLength: number
  readonly urlSegmentMaxLength: number
  readonly urlSegmentMaxCount: number
}

/** Lets a parser refuse what is larger. */
export function limitHeads(parser: HeadParser, limits: HeadLimits): void {
  parser.maxHeadBytes = limits.maxRequestBytes || MAX_HEAD_BYTES
  parser.maxFieldBytes = limits.maxFieldLength
  parser.maxSegmentBytes = limits.urlSegmentMaxLength
  parser.maxSegments = limits.urlSegmentMaxCount
}

/** What a prefix says of heads; null when it says nothing, as most do. */
export function headLimitsOf(settings: QueueSettings): HeadLimits | null {
  const { maxRequestBytes = 0, maxFieldLength = 0, urlSegmentMaxLength = 0, urlSegmentMaxCount = 0 } = settings
  const isUnlimited = maxRequestBytes + maxFieldLength + urlSegmentMaxLength + urlSegmentMaxCount === 0
  return isUnlimited ? null : { maxRequestBytes, maxFieldLength, urlSegmentMaxLength, urlSegmentMaxCount }
}

/** Why a head is too large for its prefix, which the parser has just read by the broker's own limits; null when it is not. */
export function refusalOf(limits: HeadLimits, parser: HeadParser, bytes: Uint8Array): Reject | null {
  const start = parser.headStart
  limitHeads(parser, limits)
  const verdict = parser.parse(bytes, start, bytes.length)
  if (verdict > 0) return null
  // The body is framed by what the head says, whoever refuses it.
  limitHeads(parser, { maxRequestBytes: 0, maxFieldLength: 0, urlSegmentMaxLength: 0, urlSegmentMaxCount: 0 })
  parser.parse(bytes, start, bytes.length)
  return rejectOf(verdict)
}
