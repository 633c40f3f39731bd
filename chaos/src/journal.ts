/** What became of a request. */
export type Outcome =
  /** Every byte right, from the right owner. */
  | 'answered'
  /** 503 with Retry-After. */
  | 'refused'
  /** 502, or the connection broke. */
  | 'cut'
  /** A WebSocket was closed with 1012: the client is to come back. */
  | 'closed'

/** A time in which requests may fare worse, because of a fault. */
export interface Window {
  readonly fault: string
  /** null: all prefixes. */
  readonly prefix: string | null
  readonly allows: readonly Outcome[]
  readonly start: number
  end: number
}

/** How long after a fault is over requests may still feel it: they were sent before. Milliseconds. */
const MARGIN_MS = 250

/** Counts what becomes of requests, and decides what was to be expected. */
export class Journal {
  readonly counts = { sent: 0, answered: 0, retried: 0, refused: 0, cut: 0, closed: 0, lost: 0, misrouted: 0 }
  readonly faults = new Map<string, number>()
  /** The first failures that nothing explains. */
  readonly failures: string[] = []
  #windows: Window[] = []

  /** Announces that a fault begins; the window is open until `close`. */
  open(fault: string, prefix: string | null, allows: readonly Outcome[]): Window {
    const window = { fault, prefix, allows, start: performance.now(), end: Infinity }
    this.#windows.push(window)
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1)
    return window
  }

  close(window: Window): void {
    window.end = performance.now() + MARGIN_MS
  }

  /** Whether a fault explains that a request, under way since `start`, came out like this. */
  isAllowed(outcome: Outcome, prefixes: readonly string[], start: number): boolean {
    const now = performance.now()
    return this.#windows.some(
      (window) =>
        window.allows.includes(outcome) &&
        (window.prefix === null || prefixes.includes(window.prefix)) &&
        window.start <= now &&
        window.end >= start,
    )
  }

  /** A request that got no right answer, and no fault explains it. */
  lose(what: string): void {
    this.counts.lost++
    this.#note(`lost: ${what}`)
  }

  misroute(what: string): void {
    this.counts.misrouted++
    this.#note(`misrouted: ${what}`)
  }

  #note(failure: string): void {
    if (this.failures.length < 20) this.failures.push(failure)
  }
}
