import { isUtf8 } from 'node:buffer'
import { isIPv4 } from 'node:net'
import { canonicalHost } from '../../base/canonical-host.ts'

const MAX_CACHED = 1024

/** A name of 253 characters, its final dot, a colon and a port. */
const MAX_FIELD_LENGTH = 260

/**
 * reg-name of RFC 3986 section 3.2.2 without percent-escapes, which some take for the character and some don't, and without
 * empty labels, which no name has.
 */
const REG_NAME = /^[\w~!$&'()*+,;=-]+(?:\.[\w~!$&'()*+,;=-]+)*$/

/** The host that a request is for. */
export interface RequestHost {
  /** In the spelling of prefixes; empty when the text is not a host. */
  readonly name: string
  /** Whether it is one of the names of the loopback interface. */
  readonly isLoopback: boolean
}

const fields = new Map<string, RequestHost>()
const addresses = new Map<string, RequestHost>()

/**
 * Reads a Host field, which may have a port.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.2
 */
export function hostOfField(field: string): RequestHost {
  return fields.get(field) ?? remember(fields, field, parseField(field))
}

/** The host that a local address of a connection stands for. */
export function hostOfAddress(address: string): RequestHost {
  return addresses.get(address) ?? remember(addresses, address, parseAddress(address))
}

function remember(cache: Map<string, RequestHost>, text: string, name: string): RequestHost {
  const isLoopback = name === 'localhost' || name === '[::1]' || (name.startsWith('127.') && isIPv4(name))
  const host = { name, isLoopback }
  // Clients choose these texts: the cache must not grow with them, nor keep long ones.
  if (cache.size >= MAX_CACHED) cache.clear()
  if (text.length <= MAX_FIELD_LENGTH) cache.set(text, host)
  return host
}

function parseField(field: string): string {
  if (field.length > MAX_FIELD_LENGTH) return ''
  const match = /^(\[[^\]]*\]|[^:[\]]+)(?::(\d{0,5}))?$/.exec(field)
  if (match === null || Number(match[2] ?? 0) > 65535) return ''
  const [, host = ''] = match
  if (host.startsWith('[')) return canonicalHost(host)
  const text = host.replace(/\.$/, '')
  if (/[\u0080-\uffff]/.test(text)) {
    // Against RFC 3986, but HTTP.SYS takes it and node:http passes it on.
    const bytes = Buffer.from(text, 'latin1')
    return isUtf8(bytes) ? canonicalHost(bytes.toString('utf8')) : ''
  }
  if (!REG_NAME.test(text)) return ''
  const name = text.toLowerCase()
  return (name.includes('xn--') && canonicalHost(name)) || name
}

function parseAddress(address: string): string {
  // node:net adds the interface to link-local addresses.
  const plain = address.replace(/%.*$/, '')
  return canonicalHost(plain.includes(':') ? `[${plain}]` : plain)
}
