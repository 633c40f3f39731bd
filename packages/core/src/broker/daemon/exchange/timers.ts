import type { CompleteQueueSettings } from '../../../base/queue-settings.ts'
import { clock } from '../coarse-clock.ts'
import type { ClientExchange } from './client-exchange.ts'

/** Whether more than `limitMs`, if that is a limit at all, has passed since the second `since`. */
export function hasPassed(limitMs: number, since: number): boolean {
  return limitMs > 0 && (clock.seconds - since) * 1000 > limitMs
}

/**
 * Whether the entity body takes too long: one that is waited for, or the rest of one that nobody wants.
 *
 * @param lastActivity - when something of it came last, seconds
 * @param isPaused - it is the owner that is waited for
 */
export function isBodyLate(
  exchange: ClientExchange,
  { entityBodyTimeout, drainEntityBodyTimeout }: CompleteQueueSettings,
  lastActivity: number,
  isPaused: boolean,
): boolean {
  const { drainingSince } = exchange
  if (drainingSince !== -1) return hasPassed(drainEntityBodyTimeout, drainingSince)
  return exchange.isAwaitingBody && !isPaused && hasPassed(entityBodyTimeout, lastActivity)
}
