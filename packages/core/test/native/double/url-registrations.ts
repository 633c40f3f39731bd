import type { UrlGroup } from './http-objects.ts'

/** A live claim of a URL. */
export interface Registration {
  readonly url: string
  readonly scheme: string
  readonly host: string
  readonly port: number
  /** Lower case, ends in a slash. */
  readonly path: string
  readonly group: UrlGroup
}

/** Reads a UrlPrefix string; undefined when Windows would refuse it with ERROR_INVALID_PARAMETER. */
export function readUrl(url: string, group: UrlGroup): Registration | undefined {
  const match = /^(https?):\/\/(\+|\*|[^/:*+]+|\*\.[^/:*+]+|\[[\da-f:.]+\]):([1-9]\d{0,4})(\/(?:[^?#]*\/)?)$/i.exec(url)
  if (match === null || Number(match[3]) > 65_535 || !/^https?:/.test(url)) return undefined
  const [, scheme, host, port, path] = match
  return {
    url: url.toLowerCase(),
    scheme: scheme!,
    host: host!.toLowerCase(),
    port: Number(port),
    path: path!.toLowerCase(),
    group,
  }
}

/** Strongest first. */
const CATEGORIES: readonly ((registered: string, host: string) => boolean)[] = [
  (registered) => registered === '+',
  (registered, host) => registered === host,
  (registered, host) => registered.startsWith('*.') && host.endsWith(registered.slice(1)),
  (registered) => registered === '*',
]

/**
 * Finds whose a request is: the strongest host category in which anything matches, then the longest path.
 *
 * @returns `host` when nothing is registered for the host, `path` when it is, but not for the path
 */
export function route(
  registrations: readonly Registration[],
  port: number,
  hostField: string,
  target: string,
): Registration | 'host' | 'path' {
  const host = hostField.replace(/:\d*$/, '').toLowerCase()
  const path = `${decodePath(target)}/`
  const here = registrations.filter((registration) => registration.port === port)
  let isHostKnown = false
  for (const matches of CATEGORIES) {
    const ofHost = here.filter((registration) => matches(registration.host, host))
    isHostKnown ||= ofHost.length > 0
    const found = ofHost
      .filter((registration) => path.startsWith(registration.path))
      .toSorted((one, other) => other.path.length - one.path.length)[0]
    if (found !== undefined) return found
  }
  return isHostKnown ? 'path' : 'host'
}

function decodePath(target: string): string {
  const path = target.replace(/^https?:\/\/[^/]*/i, '').replace(/[?#].*$/, '')
  try {
    return decodeURIComponent(path).toLowerCase()
  } catch {
    return path.toLowerCase()
  }
}
