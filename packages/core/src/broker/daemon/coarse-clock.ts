/** Seconds since the start of the process, good to {@link TICK_MS}: time stamps on the hot path cost one read of a field. */
export const clock = { seconds: 0 }

/** How often timeouts are looked at. */
export const TICK_MS = 1000

/** Runs the clock and calls `onTick` after each step; returns the function that stops it. */
export function startClock(onTick: () => void): () => void {
  const timer = setInterval(() => {
    clock.seconds = Math.floor(performance.now() / 1000)
    onTick()
  }, TICK_MS)
  timer.unref()
  return () => clearInterval(timer)
}

let dateText = ''
let dateField = ''

function forgetDate(): void {
  dateText = ''
}

/** The value of the Date field in this second (RFC 9110 section 6.6.1); to ask for the time would cost more than the rest of it. */
export function dateValue(): string {
  if (dateText === '') {
    const now = Date.now()
    dateText = new Date(now).toUTCString()
    dateField = `Date: ${dateText}\r\n`
    setTimeout(forgetDate, 1000 - (now % 1000)).unref()
  }
  return dateText
}

/** The Date field line of this second. */
export function dateLine(): string {
  dateValue()
  return dateField
}
