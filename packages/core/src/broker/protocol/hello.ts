import { HttpSysError } from '../../base/errors.ts'
import { MAGIC, PROTOCOL_VERSION } from './frames.ts'

/** What each side says first. */
export interface Hello {
  readonly pid: number
  readonly ticket?: ThreadTicket
}

/**
 * How an owner connects to the broker's other threads. The broker says the key and how many threads there are; the owner comes again,
 * once for each, and says the key and which thread it means.
 */
export interface ThreadTicket {
  /** 32 hexadecimal digits, which only this owner is told. */
  readonly key: string
  /** The first is 0. */
  readonly thread: number
}

/** The payload of a HELLO frame: `HSYS <version> <pid>`, then for a thread ` <key> <thread>`. */
export function encodeHello(pid: number, ticket?: ThreadTicket): string {
  const hello = `${MAGIC} ${PROTOCOL_VERSION} ${pid}`
  return ticket === undefined ? hello : `${hello} ${ticket.key} ${ticket.thread}`
}

/**
 * Reads the payload of a HELLO frame.
 *
 * @throws HttpSysError `EPROTO` when the other side speaks another protocol or another version of it.
 */
export function decodeHello(payload: string): Hello {
  const match = /^HSYS (\d{1,5}) (\d{1,10})(?: ([\da-f]{32}) (\d{1,3}))?$/.exec(payload)
  if (match === null) throw mismatch('it does not speak the httpsys broker protocol')
  const version = Number(match[1])
  if (version !== PROTOCOL_VERSION) {
    throw mismatch(`it speaks version ${version} of the protocol, this process version ${PROTOCOL_VERSION}`)
  }
  const pid = Number(match[2])
  const [, , , key, thread] = match
  return key === undefined ? { pid } : { pid, ticket: { key, thread: Number(thread) } }
}

function mismatch(reason: string): HttpSysError {
  return new HttpSysError({
    code: 'EPROTO',
    syscall: 'connect',
    subject: 'httpsys broker',
    reason,
    remedy: 'Use the same version of httpsys in all processes that share a port, and restart the broker.',
  })
}
