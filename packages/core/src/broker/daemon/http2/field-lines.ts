import type { OutgoingHttpHeaders } from 'node:http2'

/** RFC 9113 section 8.2.2: they are about a connection of HTTP/1.1. */
const CONNECTION_FIELDS = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

/** Complete field lines, checked before, as node:http2 takes them; without those that mean nothing in HTTP/2. */
export function headersOf(lines: string): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {}
  let position = 0
  while (position < lines.length) {
    const end = lines.indexOf('\r\n', position)
    const colon = lines.indexOf(':', position)
    const name = lines.slice(position, colon).toLowerCase()
    const value = lines.slice(colon + 1, end).trim()
    position = end + 2
    if (CONNECTION_FIELDS.has(name)) continue
    const before = headers[name]
    if (before === undefined) headers[name] = value
    else if (Array.isArray(before)) before.push(value)
    else headers[name] = [String(before), value]
  }
  return headers
}

/**
 * Leaves the last value of the field that node:http2 would not send, since a field of its name has but one meaning.
 *
 * @returns whether there was such a field
 */
export function dropRepeats(headers: OutgoingHttpHeaders, error: unknown): boolean {
  const { code, message } = error as { code?: string; message: string }
  const name = code === 'ERR_HTTP2_HEADER_SINGLE_VALUE' ? /"(.+)"/.exec(message)?.[1] : undefined
  const value = name === undefined ? undefined : headers[name]
  if (!Array.isArray(value)) return false
  headers[name!] = value.at(-1)
  return true
}
