/**
 * When what happened to a request: milliseconds of this process's `performance.now()`. Add `performance.timeOrigin` for the time of day
 * (milliseconds since 1970), subtract two for a duration.
 */
export interface RequestTimings {
  /**
   * When the request came: to HTTP.SYS with newer releases of Windows, so that what it has waited in the queue counts;
   * elsewhere to this process, since neither the broker nor older ones tell more.
   */
  readonly received: number
  /** When this process gave it to its server, before any handler ran. Less `received`: its time in the queue of HTTP.SYS. */
  readonly delivered: number
  /**
   * When the head of the response was given to the queue; informational ones (1xx) before it don't count. null before, and for ever if
   * there was none.
   */
  readonly responseStart: number | null
  /**
   * When the queue had taken all of the response, right before `'finish'`; the client may still be receiving it. null before, and for
   * ever if it was broken off.
   */
  readonly responseEnd: number | null
}

/** What is known when the response leaves. */
export type ResponseTimings = { -readonly [Name in 'responseStart' | 'responseEnd']: RequestTimings[Name] }
