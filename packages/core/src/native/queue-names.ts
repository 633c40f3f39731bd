import { createHash } from 'node:crypto'
import type { UrlPrefix } from '../base/url-prefix.ts'

/**
 * Names are shown by `netsh http show servicestate` and in performance counters. HttpCreateRequestQueue takes MAX_PATH _bytes_ of one: 260,
 * so 129 characters of UTF-16 and the end.
 */
const READABLE_LENGTH = 100

/** Queues that one prefix can have at a time: the one that gets requests, and those of closed servers that finish their responses. */
const NAMES_PER_PREFIX = 16

/** The names that a request queue of a prefix can have: readable, and the same in every process, so that one finds another's. */
export function queueNamesOf(prefix: UrlPrefix): string[] {
  const stem = queueStemOf(prefix)
  return Array.from({ length: NAMES_PER_PREFIX }, (_, index) => `${stem}-${index}`)
}

/** What names of a prefix begin with; different prefixes never have the same. */
export function queueStemOf(prefix: UrlPrefix): string {
  const readable = prefix.key.replace(/[^a-z0-9.-]+/g, '_').slice(0, READABLE_LENGTH)
  const hash = createHash('sha256').update(prefix.key).digest('hex').slice(0, 16)
  return `httpsys_${readable}_${hash}`
}
