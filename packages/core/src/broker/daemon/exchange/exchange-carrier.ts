import type { RequestKeeper } from '../cache/cache-tap.ts'
import type { Reason } from './reasons.ts'

/** What an exchange asks of the connection, or of the stream, that carries it. */
export interface ExchangeCarrier extends RequestKeeper {
  /** The broker answers by itself; reasons are HTTPERR's. */
  count(reason: Reason): void
  /** The client has ended its side and nothing more of it waits to be parsed. */
  readonly isAtEnd: boolean
  pauseReading(): void
  resumeReading(): void
  /** Response and entity body are complete. */
  onExchangeEnd(isPersistent: boolean): void
  /** Raw bytes are carried from now on. */
  onOpaque(): void
  /** The owner has gone before it answered; returns whether another will be given the request. */
  takeBack(): boolean
  /** The response can't be completed: the client must see it break, if it is asked for by a reset. */
  onExchangeBroken(isReset?: boolean): void
  /** What was sent is the last; what the client still sends is read for a while, so that a reset does not overtake it. */
  closeGently(): void
}
