import { isIPv4 } from 'node:net'
import { domainToUnicode } from 'node:url'

const MAX_CACHED = 1024
let cache = new Map<string, string>()

/**
 * The host of a Host field, in the form that prefixes use: lower case, Unicode, without port and final dot.
 * Empty when the field is not a host.
 */
export function hostNameOf(field: string): string {
  const known = cache.get(field)
  if (known !== undefined) return known
  // Clients choose these texts, so the cache must not grow without bound.
  if (cache.size >= MAX_CACHED) cache = new Map()
  const host = parse(field)
  cache.set(field, host)
  return host
}

function parse(field: string): string {
  const match = /^(\[[\da-f:.]+\]|[^:[\]/@?#\\\s,]+)(?::\d{0,5})?$/i.exec(field)
  if (match === null) return ''
  const host = match[1]!.toLowerCase()
  if (host.startsWith('[')) return URL.canParse(`http://${host}/`) ? new URL(`http://${host}/`).hostname : ''
  const name = host.endsWith('.') ? host.slice(0, -1) : host
  if (!name.includes('xn--')) return name
  return domainToUnicode(name)
}

/** A local address of a connection in the form that prefixes use. */
export function hostOfAddress(address: string): string {
  if (address.startsWith('::ffff:') && isIPv4(address.slice(7))) return address.slice(7)
  return address.includes(':') ? `[${address}]` : address
}

/** Whether a host is one of the names of the loopback interface. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (host.startsWith('127.') && isIPv4(host))
}
