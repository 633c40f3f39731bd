import { HttpSysError } from '../../base/errors.ts'
import { MAGIC, PROTOCOL_VERSION } from './frames.ts'

/** What each side says first. */
export interface Hello {
  readonly pid: number
}

/** The payload of a HELLO frame: `HSYS <version> <pid>`. */
export function encodeHello(pid: number): string {
  return `${MAGIC} ${PROTOCOL_VERSION} ${pid}`
}

/**
 * Reads the payload of a HELLO frame.
 *
 * @throws HttpSysError `EPROTO` when the other side speaks another protocol or another version of it.
 */
export function decodeHello(payload: string): Hello {
  const match = /^HSYS (\d{1,5}) (\d{1,10})$/.exec(payload)
  if (match === null) throw mismatch('it does not speak the httpsys broker protocol')
  const version = Number(match[1])
  if (version !== PROTOCOL_VERSION) {
    throw mismatch(`it speaks version ${version} of the protocol, this process version ${PROTOCOL_VERSION}`)
  }
  return { pid: Number(match[2]) }
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
