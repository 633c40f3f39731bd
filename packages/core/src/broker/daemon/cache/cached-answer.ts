import { readRange } from './byte-range.ts'
import type { ByteRange } from './byte-range.ts'
import type { CacheRequest } from './cache-request.ts'
import { matchesStrongly, matchesWeakly } from './entity-tag.ts'
import { parseHttpDate } from './http-date.ts'
import type { StoredResponse } from './stored-response.ts'

/** A date that is this much older than the response tells its versions apart (RFC 9110 section 8.8.2.2). */
const STRONG_DATE_MS = 1000

/**
 * What a client is told out of the cache: the stored response, a part of it, or that its own copy is still good. One object serves
 * all answers, each is written at once.
 */
export class CachedAnswer {
  response!: StoredResponse
  /** Nothing but the stored response as it is. */
  isWhole = true
  status = 200
  /** Empty when it is the usual one. */
  reason = ''
  /** Complete field lines, without Age and without framing. */
  fields = ''
  /** Of the body, `response.body[start, end)` is sent. */
  start = 0
  end = 0
  /** Seconds. */
  age = 0

  /**
   * Judges the conditions of a request in the order that RFC 9110 section 13.2.2 prescribes.
   *
   * @param now - of the clock that the response was stored by
   */
  prepare(response: StoredResponse, request: CacheRequest, now: number): void {
    this.response = response
    this.age = response.ageAt(now)
    this.isWhole = true
    this.status = response.status
    this.reason = response.reason
    this.fields = response.fields
    this.start = 0
    this.end = response.body.length
    // Conditions are about what the URL names; a redirection or an error is not that.
    if (response.status !== 200) return
    if (isNotModified(response, request)) this.#tell(304, response.notModifiedFields, 0, 0)
    else if (request.range !== null && !request.isHead && isRangeMeant(response, request)) this.#cut(request.range)
  }

  /** As a writer's `head` takes it: -1 where there is no length to tell. */
  get contentLength(): number {
    return this.status === 204 || this.status === 304 ? -1 : this.end - this.start
  }

  #cut(value: string): void {
    const { body, fields } = this.response
    const range: ByteRange | 'unsatisfiable' | null = readRange(value, body.length)
    if (range === null) return
    if (range === 'unsatisfiable') {
      this.#tell(416, `Content-Range: bytes */${body.length}\r\n`, 0, 0)
    } else {
      const { start, end } = range
      this.#tell(206, `${fields}Content-Range: bytes ${start}-${end - 1}/${body.length}\r\n`, start, end)
    }
  }

  #tell(status: number, fields: string, start: number, end: number): void {
    this.isWhole = false
    this.status = status
    this.reason = ''
    this.fields = fields
    this.start = start
    this.end = end
  }
}

function isNotModified(
  { etag, lastModified, date }: StoredResponse,
  { ifNoneMatch, ifModifiedSince }: CacheRequest,
): boolean {
  if (ifNoneMatch !== null) return matchesWeakly(ifNoneMatch, etag)
  if (ifModifiedSince === null) return false
  const since = parseHttpDate(ifModifiedSince)
  // What does not say when it was modified is as old as the response (RFC 9111 section 4.3.2).
  return (Number.isNaN(lastModified) ? date : lastModified) <= since
}

/** Whether a part may be sent: the client's other parts are of the same version. */
function isRangeMeant({ allowsRanges, etag, lastModified, date }: StoredResponse, { ifRange }: CacheRequest): boolean {
  if (!allowsRanges) return false
  if (ifRange === null) return true
  if (/^(?:W\/)?"/.test(ifRange)) return matchesStrongly(ifRange, etag)
  return parseHttpDate(ifRange) === lastModified && lastModified + STRONG_DATE_MS <= date
}
