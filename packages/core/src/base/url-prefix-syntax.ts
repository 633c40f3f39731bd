import { canonicalHost } from './canonical-host.ts'

/** HTTP.SYS's UrlSegmentMaxLength: no request with a longer segment gets through there. */
const MAX_SEGMENT_LENGTH = 260
/** HTTP.SYS's UrlSegmentMaxCount. */
const MAX_SEGMENTS = 255

/** What a UrlPrefix string says. */
export interface UrlPrefixParts {
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
  readonly path: string
}

/** The rule of UrlPrefix strings that a text breaks. */
export interface BrokenRule {
  /** Half a sentence. */
  readonly reason: string
  /** What to do when no corrected text can be computed. */
  readonly remedy: string
}

/** Whether a reading failed. */
export function isBroken(result: object | undefined): result is BrokenRule {
  return result !== undefined && 'remedy' in result
}

/**
 * Reads a full UrlPrefix string, or says which rule it breaks.
 *
 * @see https://learn.microsoft.com/windows/win32/http/urlprefix-strings
 */
export function readUrlPrefix(text: string): UrlPrefixParts | BrokenRule {
  const unwritable = brokenCharacter(text)
  if (unwritable !== undefined) return unwritable
  const match = /^([^:/?#\\]*):\/\/([^/?#\\]*)(.*)$/.exec(text)
  if (match === null) {
    return broken('it is not of the form scheme://host:port/path/', 'Write a prefix such as "http://localhost:8080/2/"')
  }
  const [, scheme = '', authority = '', path = ''] = match
  if (scheme !== 'http' && scheme !== 'https') {
    const isUpper = /^https?$/i.test(scheme)
    return broken(
      isUpper ? 'the scheme is not in lower case' : `the scheme is "${scheme}"`,
      'Write http:// or https://',
    )
  }
  if (authority.includes('@')) return broken('it has credentials in front of the host', 'Leave them out')
  const parts = /^(\[[^\]]*\]?|[^:]*)(?::(.*))?$/.exec(authority)
  const host = readHost(parts?.[1] ?? authority)
  if (isBroken(host)) return host
  const port = readPort(parts?.[2])
  if (isBroken(port)) return port
  const rule = path === '' ? broken('the path is missing', 'End the prefix with a slash') : brokenPathRule(path)
  return rule ?? { scheme, host: host.host, port: port.port, path }
}

/** The rule that the path of a prefix breaks, undefined when it breaks none. */
export function brokenPathRule(path: string): BrokenRule | undefined {
  const unwritable = brokenCharacter(path)
  if (unwritable !== undefined) return unwritable
  if (path.includes('?')) return broken('a prefix has no query', 'End it before the question mark')
  if (path.includes('#')) return broken('a prefix has no fragment', 'End it before the number sign')
  if (path.includes('\\')) return broken('the path has a backslash', 'Separate segments with slashes')
  if (path.includes('%')) {
    return broken(
      'the path of a prefix stands un-escaped',
      'Write the characters themselves; some can stand in no prefix',
    )
  }
  if (!path.startsWith('/')) return broken('the path does not begin with a slash', 'Write a path such as "/2/"')
  if (path.includes('//')) return broken('the path has an empty segment', 'Write single slashes')
  if (/\/\.{1,2}(?:\/|$)/.test(path)) return broken('the path has a dot segment', 'Write the path that it leads to')
  if (!path.endsWith('/')) return broken('the path does not end with a slash', 'End it with a slash')
  const segments = path.split('/').slice(1, -1)
  if (segments.length > MAX_SEGMENTS) {
    return broken(`the path has ${segments.length} segments, more than ${MAX_SEGMENTS}`, 'Use a shorter path')
  }
  if (segments.some((segment) => segment.length > MAX_SEGMENT_LENGTH)) {
    return broken(`a path segment is longer than ${MAX_SEGMENT_LENGTH} characters`, 'Use a shorter path')
  }
  return undefined
}

/** The prefix that was probably meant, undefined when that can't be told. */
export function correctedUrlPrefix(text: string): string | undefined {
  const trimmed = text.trim()
  const match = /^(?:(https?):[/\\]*)?((?:[^/\\?#]*@)?)(\[[^\]]*\]|[^:/\\?#]*)(?::(\d*))?([/\\?#].*)?$/is.exec(trimmed)
  if (match === null) return undefined
  const [, scheme = 'http', , host = '', port = '', path = '/'] = match
  if (match[1] === undefined && trimmed.includes('://')) return undefined
  const usual = scheme.toLowerCase() === 'https' ? 443 : 80
  const number = port === '' ? usual : Number(port)
  const head = `${scheme.toLowerCase()}://${host.replace(/(?<=[^*])\.$/, '')}:${number}`
  const result = head + (correctedPath(path) ?? '')
  return isBroken(readUrlPrefix(result)) ? undefined : result
}

/** The path that was probably meant, undefined when that can't be told. */
export function correctedPath(text: string): string | undefined {
  const path = text.trim().replace(/[?#].*$/s, '')
  const segments: string[] = []
  for (const segment of path.split(/[/\\]/)) {
    const plain = unescaped(segment)
    if (plain === undefined) return undefined
    if (plain === '' || plain === '.') continue
    if (plain === '..') segments.pop()
    else segments.push(plain)
  }
  const result = segments.length === 0 ? '/' : `/${segments.join('/')}/`
  return brokenPathRule(result) === undefined ? result : undefined
}

function unescaped(segment: string): string | undefined {
  // An escaped separator means a character of the segment, which no prefix can say.
  if (/%2f|%5c/i.test(segment)) return undefined
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

function readHost(text: string): { host: string } | BrokenRule {
  if (text === '') return broken('the host is missing', 'Write localhost, a host name, an address, + or *')
  if (text === '+' || text === '*') return { host: text }
  const isSubdomains = text.startsWith('*.')
  const host = canonicalHost(isSubdomains ? text.slice(2) : text)
  // HTTP.SYS has no such prefixes either: no request ever arrives at these addresses.
  if (host === '0.0.0.0' || host === '[::]')
    return broken(`${host} is not the address of a machine`, 'Write * for every host')
  if (host !== '' && !(isSubdomains && /^\[|^[\d.]+$/.test(host))) return { host: isSubdomains ? `*.${host}` : host }
  if (text.includes(':')) return broken(`"${text}" is not an IPv6 address in brackets`, 'Write one such as [::1]')
  return broken(`"${text}" is not a host`, 'Write localhost, a host name, an address, + or *')
}

function readPort(text: string | undefined): { port: number } | BrokenRule {
  if (text === undefined || text === '') {
    return broken('the port is missing', 'Write the port behind the host, also when it is the usual one')
  }
  if (/^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65535) return { port: Number(text) }
  return broken(`"${text}" is not a port: a number from 1 to 65535 without leading zeros`, 'Write a port such as 8080')
}

function brokenCharacter(text: string): BrokenRule | undefined {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (!/[\s\u0000-\u001f\u007f-\u009f\p{Surrogate}]/u.test(text)) return undefined
  return broken('it has white space or control characters', 'Leave them out')
}

function broken(reason: string, remedy: string): BrokenRule {
  return { reason, remedy }
}
