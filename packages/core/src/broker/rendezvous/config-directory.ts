import { lstatSync, mkdirSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { HttpSysError } from '../../base/errors.ts'

/**
 * Where what outlives a restart of the machine is kept: the certificates of ports. It is not made before something is put there.
 *
 * `HTTPSYS_CONFIG_DIR`; else `HTTPSYS_RUNTIME_DIR` where one is set, so that one variable moves everything; else `/etc/httpsys` for
 * root, and `$XDG_CONFIG_HOME/httpsys` or `~/.config/httpsys` for everybody else.
 */
export function configDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const given = env['HTTPSYS_CONFIG_DIR'] || env['HTTPSYS_RUNTIME_DIR']
  if (given) return resolve(given)
  if (process.getuid?.() === 0) return '/etc/httpsys'
  return join(env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'httpsys')
}

/** Makes the directory if it is missing. @throws HttpSysError `EACCES` when it is neither this user's own nor root's, or others may write to it */
export function makeConfigDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const problem = problemOf(directory)
  if (problem === undefined) return
  throw new HttpSysError({
    code: 'EACCES',
    syscall: 'mkdir',
    subject: `directory ${directory}`,
    reason: problem,
    remedy: 'Set HTTPSYS_CONFIG_DIR to a directory of your own that only you may write to.',
  })
}

/**
 * Whether somebody else could have put it there, or could change it; undefined when not.
 *
 * @param isSecret - nobody but its owner and the owner's group may read it either
 */
export function problemOf(path: string, isSecret = false): string | undefined {
  const uid = process.getuid?.()
  if (uid === undefined) return undefined
  const link = lstatSync(path)
  // Certificates are often links into an archive (certbot); what a link leads to counts, and who made the link.
  for (const stats of [link, statSync(path)]) {
    if (stats.uid !== uid && stats.uid !== 0) return `it belongs to user ${stats.uid}, not to user ${uid} or root`
  }
  const { mode } = statSync(path)
  if ((mode & 0o022) !== 0) return 'others may write to it'
  if (isSecret && (mode & 0o007) !== 0) return 'everybody may read it'
  return undefined
}
