import { fieldValues, listMembers } from './field-lines.ts'

/**
 * Statuses that a response cache keeps when the app asks for it. Not 206 and 304, which are answers to one request's conditions, and
 * no errors of the moment: what went wrong for one client must not go on for all the others.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-15.1
 */
const CACHEABLE_STATUSES = new Set([200, 203, 204, 300, 301, 302, 307, 308, 404, 410])

/** A directive of Cache-Control with its argument, if it has one, as a token or in quotes. */
const DIRECTIVE = /([\w!#$%&'*+.^`|~-]+)(?:[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]*)))?/g

/** The directives of all Cache-Control fields: lower-case names with their arguments. A name that comes twice has both. */
function directivesOf(fields: string): Map<string, string[]> {
  const directives = new Map<string, string[]>()
  for (const [, name, quoted, token] of fieldValues(fields, 'cache-control').join(',').matchAll(DIRECTIVE)) {
    const key = name!.toLowerCase()
    const values = directives.get(key) ?? []
    values.push(quoted ?? token ?? '')
    directives.set(key, values)
  }
  return directives
}

/**
 * Whether a response may be given to others than the client whose request it answers, whatever its app says of the time to live:
 * nothing that sets a cookie, is `private` or `no-store`, or varies with what no cache can know.
 *
 * @param fields - complete field lines
 */
export function isCacheableResponse(status: number, fields: string): boolean {
  if (!CACHEABLE_STATUSES.has(status) || fieldValues(fields, 'set-cookie').length > 0) return false
  const directives = directivesOf(fields)
  return !directives.has('no-store') && !directives.has('private') && !varyOf(fields).includes('*')
}

/** The names of the request fields that a response depends on, in lower case; `*` for what is in no field. */
export function varyOf(fields: string): string[] {
  const names = listMembers(fieldValues(fields, 'vary'))
  // A coded body is for those that can decode it, whether or not the app says so.
  const isCoded = fieldValues(fields, 'content-encoding').some((coding) => coding.toLowerCase() !== 'identity')
  if (isCoded) names.push('accept-encoding')
  return [...new Set(names)]
}

/**
 * For how long a shared cache may use a response, as its Cache-Control says: `public` with `s-maxage` or `max-age`; 0 for not at all.
 *
 * @param fields - complete field lines
 */
export function sharedMaxAge(fields: string): number {
  const directives = directivesOf(fields)
  if (!directives.has('public') || directives.has('no-cache')) return 0
  const values = directives.get('s-maxage') ?? directives.get('max-age') ?? []
  // Two that differ, or what is no number: the response counts as stale (RFC 9111 section 4.2.1).
  if (values.length === 0 || values.some((value) => value !== values[0] || !/^\d{1,10}$/.test(value))) return 0
  return Math.min(Number(values[0]), 0x7fff_ffff)
}
