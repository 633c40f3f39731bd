import type { IncomingMessage } from 'node:http'

const kArrivedAt = Symbol('httpsys.arrivedAt')
let isWanted = false

/** From now on arrivals are noted; a request costs nothing as long as nobody asks. */
export function wantArrivals(): void {
  isWanted = true
}

/**
 * Called before any handler runs.
 *
 * @param receivedAt - when it came, if the backend knows better than this moment
 */
export function noteArrival(request: IncomingMessage, receivedAt: number | undefined): void {
  if (isWanted) (request as { [kArrivedAt]?: number })[kArrivedAt] = Math.min(receivedAt ?? Infinity, performance.now())
}

/** When the request came, in milliseconds of `performance.now()`; now, if that was before anybody asked. */
export function arrivalOf(request: IncomingMessage): number {
  return (request as { [kArrivedAt]?: number })[kArrivedAt] ?? performance.now()
}
