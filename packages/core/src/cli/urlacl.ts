import { UrlPrefix } from '../base/url-prefix.ts'
import type { Reservation } from '../broker/rendezvous/reservations.ts'

/** What the commands need of the system. */
export interface UrlaclHost {
  read(): Reservation[]
  write(reservations: readonly Reservation[]): void
  uidOf(user: string): number
  gidOf(group: string): number
}

/**
 * `httpsys add|delete|show urlacl`: who may claim which prefix, in netsh's words.
 *
 * @throws TypeError for arguments that are missing or unknown, HttpSysError `EINVAL` for a prefix, user or group that is none
 */
export function urlacl(action: string, args: string[], host: UrlaclHost): void {
  const given = new Map(args.map((argument) => splitAt(argument, argument.indexOf('='))))
  const reservations = host.read()
  if (action === 'show') return void process.stdout.write(describe(reservations))
  const url = UrlPrefix.parse(required(given, 'url', action)).href
  const others = reservations.filter((reservation) => reservation.url !== url)
  if (action === 'delete') {
    if (others.length === reservations.length) throw new TypeError(`there is no reservation of ${url}`)
    return host.write(others)
  }
  const [user, group] = [given.get('user'), given.get('group')]
  if ((user === undefined) === (group === undefined))
    throw new TypeError('httpsys add urlacl: give user=NAME or group=NAME')
  const whom = user === undefined ? { gid: host.gidOf(group!) } : { uid: host.uidOf(user) }
  host.write([...others, { url, ...whom }])
}

function required(given: Map<string, string>, name: string, action: string): string {
  const value = given.get(name)
  if (value === undefined) throw new TypeError(`httpsys ${action} urlacl: ${name}= is missing`)
  return value
}

function splitAt(text: string, index: number): [string, string] {
  return index === -1 ? [text, ''] : [text.slice(0, index), text.slice(index + 1)]
}

function describe(reservations: readonly Reservation[]): string {
  if (reservations.length === 0) return 'nothing is reserved\n'
  const lines = reservations.map(({ url, uid, gid }) => `${url}  ${uid === undefined ? `group ${gid}` : `user ${uid}`}`)
  return `${lines.join('\n')}\n`
}
