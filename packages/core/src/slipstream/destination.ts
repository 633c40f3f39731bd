import { HttpSysError } from '../base/errors.ts'
import { UrlPrefix, prefix } from '../base/url-prefix.ts'

/** Where servers go that listen on a TCP port: what `HTTPSYS_PREFIX` says. */
export type Destination =
  /** A private port for each server, with the prefix `/`. */
  | { readonly kind: 'auto' }
  /** Every server's port. */
  | { readonly kind: 'all'; readonly prefix: UrlPrefix }
  /** The named ports; the others stay what they are. */
  | { readonly kind: 'ports'; readonly prefixes: ReadonlyMap<number, UrlPrefix> }

/**
 * Reads `HTTPSYS_PREFIX`: `auto`, a prefix (`/2/`, `http://*:80/2/`), or ports with their prefixes (`3000=/2/,3001=/admin/`).
 *
 * @throws HttpSysError `EINVAL`, naming the value and how to write it.
 */
export function readDestination(text: string): Destination {
  if (text === 'auto') return { kind: 'auto' }
  if (!/^\d+=/.test(text)) return { kind: 'all', prefix: prefix(text) }
  const prefixes = new Map<number, UrlPrefix>()
  for (const entry of text.split(/,(?=\d+=)/)) {
    const equals = entry.indexOf('=')
    const port = Number(entry.slice(0, equals))
    if (port > 65535 || prefixes.has(port))
      throw invalid(text, port > 65535 ? `there is no port ${port}` : `port ${port} is named twice`)
    prefixes.set(port, prefix(entry.slice(equals + 1)))
  }
  return { kind: 'ports', prefixes }
}

/** The prefix for a server that listens on `port`; undefined when it stays on its port. */
export function prefixFor(destination: Destination, port: number, host: string | undefined): UrlPrefix | undefined {
  switch (destination.kind) {
    case 'auto':
      return UrlPrefix.parse(`http://${privateHostOf(host)}:${port}/`)
    case 'all':
      return destination.prefix
    case 'ports':
      return destination.prefixes.get(port)
  }
}

/** An address is IP-bound, so that the same port of another address can be another server's. */
function privateHostOf(host: string | undefined): string {
  if (host === undefined || host === '::' || host === '0.0.0.0') return '*'
  return host.includes(':') ? `[${host}]` : host
}

function invalid(text: string, reason: string): HttpSysError {
  return new HttpSysError({
    code: 'EINVAL',
    syscall: 'slipstream',
    subject: `HTTPSYS_PREFIX="${text}"`,
    reason,
    remedy: 'Write "/2/" for every server, or ports with their prefixes, such as "3000=/2/,3001=/admin/".',
  })
}
