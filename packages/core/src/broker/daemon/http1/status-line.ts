import { STATUS_CODES } from 'node:http'
import { NO_REASON } from '../../../base/no-reason.ts'

const lines: string[] = []
for (let status = 100; status < 600; status++) {
  lines[status] = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`
}

/** The status line for a code with its usual reason phrase, with the owner's own, or, for {@link NO_REASON}, with none. */
export function statusLine(status: number, reason: string): string {
  if (reason === '') return lines[status] ?? `HTTP/1.1 ${status} unknown\r\n`
  return `HTTP/1.1 ${status} ${reason === NO_REASON ? '' : reason}\r\n`
}
