import { lstatSync, mkdirSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { HttpSysError } from '../../base/errors.ts'

/** Longest path of a local socket: sun_path holds 104 bytes on macOS, 108 on Linux, with a final zero. */
const MAX_SOCKET_PATH_BYTES = 103
/** Room for the longest file name used in the directory. */
const FILE_NAME_BYTES = '/broker-000000.sock'.length

/**
 * The directory in which the processes of one user find their broker; it is made when missing.
 *
 * `HTTPSYS_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/httpsys`, else a per-user directory under the system's temporary one.
 *
 * @throws HttpSysError `EACCES` when the directory is neither this user's own nor root's, or others may write to it; `ENAMETOOLONG` when no
 * socket path fits; `EINVAL` when it can't be made.
 */
export function runtimeDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const directory = resolve(env['HTTPSYS_RUNTIME_DIR'] || defaultDirectory(env))
  if (Buffer.byteLength(directory) + FILE_NAME_BYTES > MAX_SOCKET_PATH_BYTES) {
    throw refused(
      'ENAMETOOLONG',
      directory,
      'the path is too long for a local socket',
      'Set HTTPSYS_RUNTIME_DIR to a shorter one.',
    )
  }
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const remedy = 'Set HTTPSYS_RUNTIME_DIR to a directory that this user can write to.'
    // EEXIST: something else has the name, which the check below says better.
    if (code !== 'EEXIST') throw refused('EINVAL', directory, `it can't be made (${code})`, remedy)
  }
  check(directory, lstatSync(directory))
  return directory
}

function defaultDirectory(env: NodeJS.ProcessEnv): string {
  const session = env['XDG_RUNTIME_DIR']
  if (session && isOwnDirectory(session)) return join(session, 'httpsys')
  return join(tmpdir(), `httpsys-${process.getuid?.() ?? 'user'}`)
}

function isOwnDirectory(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats !== undefined && stats.isDirectory() && stats.uid === process.getuid?.()
}

/** Whoever can write to the directory could put a broker of his own there. */
function check(directory: string, stats: Stats): void {
  const uid = process.getuid?.()
  if (!stats.isDirectory()) {
    throw refused(
      'EACCES',
      directory,
      'it is not a directory',
      'Remove it, or set HTTPSYS_RUNTIME_DIR to another path.',
    )
  }
  // Root's is one that users share: only root could put another broker there.
  if (uid !== undefined && stats.uid !== uid && stats.uid !== 0) {
    const remedy = 'Set HTTPSYS_RUNTIME_DIR to a directory of your own.'
    throw refused('EACCES', directory, `it belongs to user ${stats.uid}, not to this process's user ${uid}`, remedy)
  }
  if ((stats.mode & 0o022) !== 0) {
    throw refused('EACCES', directory, 'others may write to it', `Run: chmod 700 ${directory}`)
  }
}

function refused(
  code: 'EACCES' | 'EINVAL' | 'ENAMETOOLONG',
  directory: string,
  reason: string,
  remedy: string,
): HttpSysError {
  return new HttpSysError({ code, syscall: 'mkdir', subject: `runtime directory ${directory}`, reason, remedy })
}
