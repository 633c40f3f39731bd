import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UrlPrefix } from '../../base/url-prefix.ts'
import type { PeerCredentials } from '../../sockets/peer-credentials.ts'

/** Who may claim a prefix and what is below it; HTTP.SYS's `urlacl`. */
export interface Reservation {
  /** The UrlPrefix string. */
  readonly url: string
  /** One of the two. */
  readonly uid?: number
  readonly gid?: number
}

const NAME = 'reservations.json'

/** The reservations of a runtime directory; none when the file can't be read, so that a broken one lets nobody in. */
export function readReservations(directory: string): Reservation[] {
  try {
    const value: unknown = JSON.parse(readFileSync(join(directory, NAME), 'utf8'))
    return Array.isArray(value) ? value.filter(isReservation) : []
  } catch {
    return []
  }
}

/** Writes them; only whoever owns the directory can. */
export function writeReservations(directory: string, reservations: readonly Reservation[]): void {
  const path = join(directory, NAME)
  writeFileSync(`${path}.new`, `${JSON.stringify(reservations, null, 2)}\n`, { mode: 0o644 })
  renameSync(`${path}.new`, path)
}

/** Whether somebody may claim a prefix: one that is reserved for them, or lies below one. */
export function isReservedFor(
  { uid, gids }: PeerCredentials,
  prefix: UrlPrefix,
  reservations: readonly Reservation[],
): boolean {
  return reservations.some((reservation) => {
    const isTheirs = reservation.uid === uid || (reservation.gid !== undefined && gids.includes(reservation.gid))
    return isTheirs && covers(UrlPrefix.parse(reservation.url), prefix)
  })
}

function covers(reserved: UrlPrefix, claimed: UrlPrefix): boolean {
  const isSamePlace =
    reserved.scheme === claimed.scheme && reserved.host === claimed.host && reserved.port === claimed.port
  // Both end with a slash, so that /2/ does not cover /22/.
  return isSamePlace && claimed.path.toLowerCase().startsWith(reserved.path.toLowerCase())
}

function isReservation(value: unknown): value is Reservation {
  const { url, uid, gid } = (value ?? {}) as Record<string, unknown>
  if (typeof url !== 'string' || (Number.isInteger(uid) as boolean) === Number.isInteger(gid)) return false
  try {
    UrlPrefix.parse(url)
    return true
  } catch {
    return false
  }
}
