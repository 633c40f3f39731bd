import type { Member } from '../../../base/member-list.ts'
import type { ConnectionFacts } from '../../protocol/connection-facts.ts'
import type { ServerLimits } from '../server-limits.ts'
import type { Reason } from './reasons.ts'

/** A client's connection, whatever it speaks, as the broker sees it. */
export interface ClientConnection extends Member {
  readonly localPort: number
  /** It came to a private port, whose owner has it for as long as it lasts. */
  readonly isOwners: boolean
  /** Ends what has waited too long; called every second. */
  checkTimeouts(): void
  /** Nobody is left behind the port: closes now when idle, else after what is under way. */
  shutdown(): void
  /** Another broker has the port: closes when the requests that are on their way have been answered, or when none comes soon. */
  leave(): void
}

/** What connections need of the broker. */
export interface ClientHost {
  readonly limits: ServerLimits
  /** Learns what another thread has decided about claims since the last time. */
  refresh(): void
  onConnectionClosed(connection: ClientConnection): void
  /** Tells requests that may not come over a connection; undefined where all may. */
  misdirection(connection: ConnectionFacts): ((host: string | undefined) => boolean) | undefined
  /** The broker has answered or ended something by itself; reasons are HTTPERR's. */
  count(reason: Reason): void
}
