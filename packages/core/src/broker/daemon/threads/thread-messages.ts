import type { QueueSettings } from '../../../base/queue-settings.ts'
import type { ClaimMode } from '../../../base/url-prefix.ts'
import type { CacheState, CacheStatus } from '../../protocol/status.ts'
import type { Delivery } from '../../rings/delivery.ts'
import type { ServerLimits } from '../server-limits.ts'
import type { SecureSettings } from '../tls/secure-engine.ts'

/** What a thread is started with. */
export interface ThreadStart {
  /** From 1 on; the broker's first thread is 0. */
  readonly thread: number
  /** How many there are, the first included. */
  readonly threads: number
  readonly limits: ServerLimits
  readonly delivery: Delivery | undefined
  /** Where `sslcert.json` is. */
  readonly configDirectory: string | undefined
  readonly secure: SecureSettings
  /** How many messages have been posted to the threads; see {@link ClientThreads}. */
  readonly posted: Int32Array
  /** The cells of `ClientCounts`. */
  readonly clients: Int32Array
}

/** What the broker's first thread tells another. Keys are those of owners' {@link ThreadTicket}s, queues are numbers. */
export type ToThread =
  /** A client, for this thread from now on. */
  | { readonly kind: 'client'; readonly descriptor: number; readonly isSecure: boolean }
  /** It accepts from a socket, which has this number here. */
  | { readonly kind: 'listen'; readonly listener: number; readonly descriptor: number; readonly isSecure: boolean }
  | { readonly kind: 'unlisten'; readonly listener: number }
  /** The owner may connect. */
  | { readonly kind: 'owner'; readonly key: string; readonly pid: number }
  /** It has said HELLO, with these flags. */
  | { readonly kind: 'link'; readonly key: string; readonly descriptor: number; readonly flags: number }
  /** `isCut`: it has broken the protocol; else its connection to the first thread has ended, and the others are about to. */
  | { readonly kind: 'owner-gone'; readonly key: string; readonly isCut: boolean }
  | {
      readonly kind: 'queue'
      readonly queue: number
      readonly href: string
      readonly port: number
      readonly counts: Int32Array
    }
  | { readonly kind: 'settings'; readonly queue: number; readonly settings: QueueSettings }
  | {
      readonly kind: 'claim'
      readonly queue: number
      readonly key: string
      readonly claim: number
      readonly mode: ClaimMode
      readonly epoch: number
      /** The payload of CLAIMED, which the owner must have before the first request. */
      readonly claimed: string
    }
  /** The claim ends, of which the owner is told by a frame of this type behind its last request; 0: it is not told. */
  | { readonly kind: 'claim-over'; readonly key: string; readonly claim: number; readonly frame: number }
  /** `hasWaited`: for another owner, in vain; else the last one has just gone. */
  | { readonly kind: 'retired'; readonly queue: number; readonly hasWaited: boolean }
  | { readonly kind: 'flush'; readonly key: string; readonly claim: number; readonly path: string }
  /** Its clients are the first thread's alone, or all threads' again. */
  | { readonly kind: 'private-port'; readonly port: number; readonly isPrivate: boolean }
  | { readonly kind: 'close-caches' }
  | { readonly kind: 'port-closed'; readonly port: number }
  | { readonly kind: 'leave' }
  | { readonly kind: 'close' }
  | { readonly kind: 'status'; readonly question: number }
  /** What is cached of a URL; it is then forgotten, if the question says so. */
  | { readonly kind: 'cache'; readonly question: number; readonly url: string; readonly isDeleted: boolean }

/** What a thread tells the first. */
export type FromThread =
  | { readonly kind: 'ready' }
  /** A client that it has accepted is another thread's, or the first one's. */
  | { readonly kind: 'client'; readonly thread: number; readonly descriptor: number; readonly isSecure: boolean }
  /** The socket is closed; every client that was accepted from it has been told of. */
  | { readonly kind: 'unlistened'; readonly listener: number }
  /** An owner has broken the protocol here, or has closed its connection. */
  | { readonly kind: 'owner-lost'; readonly key: string; readonly violation: string | undefined }
  /** The last client has gone, of a broker that leaves. */
  | { readonly kind: 'empty' }
  /** The last owner and the last client have gone, of a broker that has closed. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'answer'; readonly question: number; readonly answer: ThreadStatus | CacheState }

/** A thread's share of what has been done. */
export interface ThreadStatus {
  /** By number. */
  readonly queues: Readonly<Record<number, { readonly requests: number; readonly cacheHits: number }>>
  /** Bytes that wait for an owner to read them, by its key. */
  readonly queuedBytes: Readonly<Record<string, number>>
  readonly reasons: Readonly<Record<string, number>>
  readonly cache: CacheStatus
}
