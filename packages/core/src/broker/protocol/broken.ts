import { HttpSysError } from '../../base/errors.ts'

/** The error for a peer that does not keep to the protocol. */
export function broken(reason: string): HttpSysError {
  return new HttpSysError({
    code: 'EPROTO',
    syscall: 'read',
    subject: 'owner process',
    reason,
    remedy: 'Use the same version of httpsys in all processes that share a port.',
  })
}
