import type { BrokerStatus, CacheState, CacheStatus, QueueStatus } from '../../protocol/status.ts'
import type { RequestQueueEntry } from '../request-queue-entry.ts'
import type { ClientThreads } from './client-threads.ts'
import type { ThreadStatus } from './thread-messages.ts'

/** A queue's status with the shares of the other threads; what waits and connects they count together anyway. */
export function mergeQueue(
  entry: RequestQueueEntry,
  threads: ClientThreads,
  shares: readonly ThreadStatus[],
): QueueStatus {
  const { status } = entry
  const number = threads.numberOf(entry)
  const owners = status.owners.map((owner, index) => {
    const key = threads.keyOf(entry.owners[index]!.peer)
    return { ...owner, queuedBytes: sum(owner.queuedBytes, shares, (share) => share.queuedBytes[key]) }
  })
  return {
    ...status,
    owners,
    requests: sum(status.requests, shares, (share) => share.queues[number]?.requests),
    cacheHits: sum(status.cacheHits, shares, (share) => share.queues[number]?.cacheHits),
  }
}

/** Each thread keeps responses of its own. */
export function mergeCache(own: CacheStatus, shares: readonly { readonly cache: CacheStatus }[]): CacheStatus {
  const names = Object.keys(own) as (keyof CacheStatus)[]
  return Object.fromEntries(
    names.map((name) => [name, sum(own[name], shares, ({ cache }) => cache[name])]),
  ) as unknown as CacheStatus
}

/** In characters: what one thread lists just fits into a frame. */
const MAX_LISTED_LENGTH = 150_000

/** What is cached in all threads: those of the first one first. */
export function mergeCacheStates(own: CacheState, others: readonly CacheState[]): CacheState {
  const responses = [...own.responses]
  let room = MAX_LISTED_LENGTH - JSON.stringify(responses).length
  for (const response of others.flatMap((other) => other.responses)) {
    room -= JSON.stringify(response).length + 1
    if (room > 0) responses.push(response)
  }
  const total = others.reduce((sum, other) => sum + other.total, own.total)
  return { cache: mergeCache(own.cache, others), total, responses }
}

export function mergeReasons(
  own: ReadonlyMap<string, number>,
  shares: readonly ThreadStatus[],
): BrokerStatus['reasons'] {
  const merged: Record<string, number> = Object.fromEntries(own)
  for (const { reasons } of shares) {
    for (const [reason, count] of Object.entries(reasons)) merged[reason] = (merged[reason] ?? 0) + count
  }
  return merged
}

function sum<T>(own: number, shares: readonly T[], of: (share: T) => number | undefined): number {
  return shares.reduce((total, share) => total + (of(share) ?? 0), own)
}
