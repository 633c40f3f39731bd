import type { QueueSettings } from '../../base/queue-settings.ts'
import type { ClaimMode } from '../../base/url-prefix.ts'

/** One process's share of a queue. */
export interface OwnerStatus {
  readonly pid: number
  readonly mode: ClaimMode
  /** When it was claimed, ISO 8601. */
  readonly since: string
  /** How requests reach it: through its local socket, or through rings in shared memory. */
  readonly delivery: 'sockets' | 'rings'
  /** Bytes that wait for the process to read them. */
  readonly queuedBytes: number
}

/** A registered prefix. */
export interface QueueStatus {
  /** The UrlPrefix string, with the real port. */
  readonly prefix: string
  /** `orphaned`: no process serves it, requests wait for the next. */
  readonly state: 'serving' | 'orphaned'
  readonly owners: readonly OwnerStatus[]
  /** Requests handed to owners so far. */
  readonly requests: number
  /** Requests answered out of the response cache so far. */
  readonly cacheHits: number
  /** Requests that wait. */
  readonly waiting: number
  /** Client connections whose last request came here. */
  readonly connections: number
  readonly settings: QueueSettings
}

/** The response cache; all but the first three count since the broker began. */
export interface CacheStatus {
  readonly responses: number
  readonly bytes: number
  readonly maxBytes: number
  /** Requests answered out of it. */
  readonly hits: number
  /** Requests that it might have answered, and that went to an owner. */
  readonly misses: number
  /** Requests that waited for the response to another. */
  readonly waits: number
  readonly stored: number
  /** Responses that went to make room. */
  readonly evicted: number
  /** Responses that went since an owner or an administrator said so, or lost the prefix. */
  readonly flushed: number
}

/** A response in the cache. */
export interface CachedResponseStatus {
  /** Authority and target as in the request that brought it. */
  readonly url: string
  /** Of the queue that it is from. */
  readonly prefix: string
  /** The process that made it. */
  readonly pid: number
  readonly status: number
  /** Of its body. */
  readonly bytes: number
  /** What it counts of the cache's bytes. */
  readonly size: number
  /** Seconds since it was made. */
  readonly age: number
  /** Seconds that it may still be used; null: until it is flushed. */
  readonly timeToLive: number | null
  /** Requests that it has answered. */
  readonly hits: number
  /** Names of the request fields that it depends on. */
  readonly vary: readonly string[]
}

/** What `httpsys show cachestate --json` prints. */
export interface CacheState {
  readonly cache: CacheStatus
  /** How many responses the question is about, of which the first are listed. */
  readonly total: number
  /** The one that was used last first. */
  readonly responses: readonly CachedResponseStatus[]
}

/** A TCP port that the broker listens on. */
export interface PortStatus {
  readonly port: number
  readonly addresses: readonly string[]
}

/** What a broker is and has done, as `httpsys status --json` prints it. */
export interface BrokerStatus {
  readonly pid: number
  readonly version: string
  readonly node: string
  readonly engine: string
  /** What has kept it from the best there is. */
  readonly engineNote?: string
  /** The threads that have clients. */
  readonly threads: readonly { readonly connections: number }[]
  /** Seconds. */
  readonly uptime: number
  /** Client connections at this moment. */
  readonly connections: number
  readonly ports: readonly PortStatus[]
  readonly queues: readonly QueueStatus[]
  readonly cache: CacheStatus
  /** Limits of the whole server, by name. */
  readonly limits: Readonly<Record<string, number>>
  /** How often the broker has answered or ended something by itself; names are HTTPERR's where it has one. */
  readonly reasons: Readonly<Record<string, number>>
}
