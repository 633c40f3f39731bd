import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { HttpSysError } from '../../base/errors.ts'

/** The numbers of a user, who may be given by name or number; asks the system's own `id`. */
export function idsOfUser(user: string): { uid: number; gid: number } {
  return { uid: ask('-u', user), gid: ask('-g', user) }
}

/** The number of a group, by name or number. */
export function idOfGroup(group: string): number {
  if (/^\d+$/.test(group)) return Number(group)
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${group}:`))
  const gid = Number(line?.split(':')[2])
  if (!Number.isInteger(gid)) throw unknown(`group ${group}`)
  return gid
}

function ask(option: '-u' | '-g', user: string): number {
  try {
    // A name that begins with a dash would be an option.
    return Number(execFileSync('id', [option, '--', user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  } catch {
    throw unknown(`user ${user}`)
  }
}

function unknown(subject: string): HttpSysError {
  return new HttpSysError({
    code: 'EINVAL',
    syscall: 'id',
    subject,
    reason: 'this system has none of that name',
    remedy: 'Give a name or a number that it has.',
  })
}
