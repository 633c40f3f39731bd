import type { IncomingMessage } from 'node:http'

/** Whether a request comes from our own pages or from no page at all; other sites' pages may neither write nor listen. */
export function isSameOrigin({ headers }: IncomingMessage): boolean {
  const { origin, host } = headers
  if (origin === undefined) return true
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase()
}
