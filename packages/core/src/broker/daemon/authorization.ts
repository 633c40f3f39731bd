import { HttpSysError } from '../../base/errors.ts'
import type { UrlPrefix } from '../../base/url-prefix.ts'
import type { PeerCredentials } from '../../sockets/peer-credentials.ts'
import { isReservedFor, readReservations } from '../rendezvous/reservations.ts'

/** The user whom the broker runs as, and root: they may do everything, as administrators may with HTTP.SYS. */
export function isAdministrator({ uid }: PeerCredentials): boolean {
  return uid === 0 || uid === process.getuid?.()
}

/**
 * The rule for claims: administrators may claim anything, others what is reserved for them.
 *
 * @param isShared - processes of other users can reach the broker; if not, whoever comes is the broker's own user
 */
export function authorizer(
  directory: string,
  isShared: boolean,
): (credentials: PeerCredentials | undefined, prefix: UrlPrefix) => void {
  return (credentials, prefix) => {
    if (credentials === undefined ? !isShared : isAdministrator(credentials)) return
    // Read each time: reservations are rare, and a new one must count at once.
    if (credentials !== undefined && isReservedFor(credentials, prefix, readReservations(directory))) return
    const who = credentials === undefined ? 'a process that the system does not identify' : `user ${credentials.uid}`
    throw new HttpSysError({
      code: 'EACCES',
      syscall: 'listen',
      subject: prefix.href,
      reason: `${who} has no reservation for it`,
      remedy: `Run as root: httpsys add urlacl url=${prefix.href} user=${credentials?.uid ?? 'NAME'}`,
    })
  }
}

/** The error for a request that only administrators may make. */
export function notAdministrator({ uid }: PeerCredentials, syscall: string): HttpSysError {
  return new HttpSysError({
    code: 'EACCES',
    syscall,
    subject: 'httpsys broker',
    reason: `user ${uid} is neither root nor the user whom it runs as`,
    remedy: 'Run the command as one of them.',
  })
}
