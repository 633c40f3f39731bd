import type { IncomingMessage } from 'node:http'

const kArrivedAt = Symbol('httpsys.arrivedAt')
let isWanted = false

/** From now on arrivals are noted; a request costs nothing as long as nobody asks. */
export function wantArrivals(): void {
  isWanted = true
}

/** A request is about to be given to its server: called before any handler runs. */
export function noteArrival(request: IncomingMessage): void {
  if (isWanted) (request as { [kArrivedAt]?: number })[kArrivedAt] = performance.now()
}

/** When the request was given to its server, in milliseconds of `performance.now()`; now, if that was before anybody asked. */
export function arrivalOf(request: IncomingMessage): number {
  return (request as { [kArrivedAt]?: number })[kArrivedAt] ?? performance.now()
}
