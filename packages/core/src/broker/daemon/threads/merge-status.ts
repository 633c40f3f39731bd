import type { BrokerStatus, CacheStatus, QueueStatus } from '../../protocol/status.ts'
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
export function mergeCache(own: CacheStatus, shares: readonly ThreadStatus[]): CacheStatus {
  const names = Object.keys(own) as (keyof CacheStatus)[]
  return Object.fromEntries(
    names.map((name) => [name, sum(own[name], shares, ({ cache }) => cache[name])]),
  ) as unknown as CacheStatus
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

function sum(own: number, shares: readonly ThreadStatus[], of: (share: ThreadStatus) => number | undefined): number {
  return shares.reduce((total, share) => total + (of(share) ?? 0), own)
}
