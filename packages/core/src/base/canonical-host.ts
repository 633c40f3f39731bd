import { isIPv4, isIPv6 } from 'node:net'
import { domainToASCII, domainToUnicode } from 'node:url'

/** RFC 1035 section 2.3.4, without the final dot. */
const MAX_NAME_LENGTH = 253

/** Letters, digits, hyphens as DNS has them, and the underscore that real hosts have too; a label has at most 63 of them. */
const NAME = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/

/**
 * The one spelling of a host that prefixes and requests are compared in: names in lower case and Unicode, IPv4 addresses in
 * four decimal parts, IPv6 addresses in brackets and compressed, those that stand for IPv4 addresses as these. Empty when the text
 * is none of these.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5952 for the spelling of IPv6 addresses
 */
export function canonicalHost(host: string): string {
  if (host.startsWith('[')) return canonicalIPv6(host)
  if (isIPv4(host)) return host
  // The conversion unescapes, and takes 127.1 and 0x7f.1 for addresses: what is written must be what is meant.
  if (host.includes('%')) return ''
  const ascii = domainToASCII(host)
  if (ascii.length > MAX_NAME_LENGTH || isIPv4(ascii) || !NAME.test(ascii)) return ''
  const name = domainToUnicode(ascii)
  // Node 20 and 24 differ in what they make of broken punycode.
  if (/(?:^|\.)xn--/.test(name) || domainToASCII(name) !== ascii) return ''
  return name
}

function canonicalIPv6(host: string): string {
  const address = host.slice(1, -1)
  if (!host.endsWith(']') || address.includes('%') || !isIPv6(address)) return ''
  const compressed = new URL(`http://${host}/`).hostname
  const mapped = /^\[::ffff:([\da-f]+):([\da-f]+)\]$/.exec(compressed)
  if (mapped === null) return compressed
  const [high, low] = [parseInt(mapped[1]!, 16), parseInt(mapped[2]!, 16)]
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}
