import { createHash, randomUUID } from 'node:crypto'
import type { UrlPrefix } from '../base/url-prefix.ts'

/** Queue names are at most 260 characters long; they are shown by `netsh http show servicestate` and in performance counters. */
const READABLE_LENGTH = 100

/**
 * A name for a new request queue of a prefix: readable, and nobody else's.
 *
 * Not the same for every process that claims the prefix: the queue of one that has closed lives on while it finishes its responses.
 */
export function queueNameOf(prefix: UrlPrefix): string {
  return `${stemOf(prefix)}-${randomUUID().slice(0, 8)}`
}

/** What is the same for all processes that claim the prefix; different prefixes never have the same. */
export function stemOf(prefix: UrlPrefix): string {
  const readable = prefix.key.replace(/[^a-z0-9.-]+/g, '_').slice(0, READABLE_LENGTH)
  const hash = createHash('sha256').update(prefix.key).digest('hex').slice(0, 16)
  return `httpsys_${readable}_${hash}`
}
