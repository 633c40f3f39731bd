import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { HttpSysError } from '../../../src/base/errors.ts'
import { runtimeDirectory } from '../../../src/broker/rendezvous/runtime-directory.ts'

const FOREIGN_UID = 65_534
const uid = process.getuid!()
/** Only root can give a directory away. */
const testAsRoot = test.skipIf(uid !== 0)

let root = ''

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'httpsys-run-'))
})

afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(root, { recursive: true, force: true })
})

function modeOf(path: string): number {
  return statSync(path).mode & 0o777
}

function make(name: string, mode = 0o700): string {
  const path = join(root, name)
  mkdirSync(path)
  chmodSync(path, mode)
  return path
}

function errorFor(directory: string): HttpSysError {
  try {
    runtimeDirectory({ HTTPSYS_RUNTIME_DIR: directory })
  } catch (error) {
    if (error instanceof HttpSysError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('the place', () => {
  test('is HTTPSYS_RUNTIME_DIR before all others', () => {
    const session = make('session')
    const env = { HTTPSYS_RUNTIME_DIR: join(root, 'own'), XDG_RUNTIME_DIR: session }
    expect(runtimeDirectory(env)).toBe(join(root, 'own'))
    expect(existsSync(join(session, 'httpsys'))).toBe(false)
  })

  test('is absolute, though HTTPSYS_RUNTIME_DIR need not be', () => {
    const directory = relative(process.cwd(), join(root, 'own'))
    expect(runtimeDirectory({ HTTPSYS_RUNTIME_DIR: `${directory}/./x/../` })).toBe(join(root, 'own'))
  })

  test('is in XDG_RUNTIME_DIR, when there is one', () => {
    const session = make('session')
    expect(runtimeDirectory({ XDG_RUNTIME_DIR: session, HTTPSYS_RUNTIME_DIR: '' })).toBe(join(session, 'httpsys'))
  })

  test.each([
    ['missing', undefined],
    ['empty', ''],
    ['gone', 'gone'],
    ['a file', 'file'],
  ])('is a directory of the user among the temporary ones when XDG_RUNTIME_DIR is %s', (_, name) => {
    writeFileSync(join(root, 'file'), '')
    vi.stubEnv('TMPDIR', root)
    const session = name === undefined || name === '' ? name : join(root, name)
    expect(runtimeDirectory({ XDG_RUNTIME_DIR: session })).toBe(join(root, `httpsys-${uid}`))
  })

  testAsRoot('is not in the XDG_RUNTIME_DIR of another user, which su and sudo leave behind', () => {
    const session = make('session')
    chownSync(session, FOREIGN_UID, FOREIGN_UID)
    vi.stubEnv('TMPDIR', root)
    expect(runtimeDirectory({ XDG_RUNTIME_DIR: session })).toBe(join(root, `httpsys-${uid}`))
    expect(existsSync(join(session, 'httpsys'))).toBe(false)
  })
})

describe('the directory', () => {
  test('is made with its parents, for this user only, whatever the umask is', () => {
    const umask = process.umask(0)
    try {
      const directory = join(root, 'a', 'b')
      expect(runtimeDirectory({ HTTPSYS_RUNTIME_DIR: directory })).toBe(directory)
      expect([modeOf(directory), modeOf(join(root, 'a'))]).toEqual([0o700, 0o700])
    } finally {
      process.umask(umask)
    }
  })

  test.each([0o700, 0o750, 0o755])('may exist with mode %o, and keeps it', (mode) => {
    const directory = make('own', mode)
    expect(runtimeDirectory({ HTTPSYS_RUNTIME_DIR: directory })).toBe(directory)
    expect(modeOf(directory)).toBe(mode)
  })

  test.each([0o720, 0o702, 0o770, 0o777, 0o1777])('is refused with mode %o, since others may write to it', (mode) => {
    const directory = make('open', mode)
    expect(errorFor(directory)).toMatchObject({
      code: 'EACCES',
      syscall: 'mkdir',
      subject: `runtime directory ${directory}`,
      reason: 'others may write to it',
      remedy: `Run: chmod 700 ${directory}`,
    })
    expect(modeOf(directory)).toBe(mode & 0o777)
  })

  testAsRoot('is refused when it belongs to another user', () => {
    const directory = make('foreign')
    chownSync(directory, FOREIGN_UID, FOREIGN_UID)
    expect(errorFor(directory)).toMatchObject({
      code: 'EACCES',
      reason: `it belongs to user ${FOREIGN_UID}, not to this process's user ${uid}`,
    })
  })

  test('is refused when it is a file', () => {
    writeFileSync(join(root, 'file'), '')
    expect(errorFor(join(root, 'file'))).toMatchObject({ code: 'EACCES', reason: 'it is not a directory' })
  })

  test('is refused when it is a link, which its maker could turn elsewhere', () => {
    symlinkSync(make('target'), join(root, 'link'))
    expect(errorFor(join(root, 'link'))).toMatchObject({ code: 'EACCES', reason: 'it is not a directory' })
  })

  test('is refused when it can not be made', () => {
    writeFileSync(join(root, 'file'), '')
    const error = errorFor(join(root, 'file', 'below'))
    expect(error).toMatchObject({ code: 'EINVAL', reason: "it can't be made (ENOTDIR)" })
    expect(error.remedy).toMatch(/HTTPSYS_RUNTIME_DIR/)
  })

  test('is refused when no socket path fits, counted in bytes', () => {
    // 103 bytes for a socket path, of which `/broker-000000.sock` takes 19.
    const tooLong = join(root, 'x'.repeat(84 - root.length))
    const umlauts = join(root, 'ü'.repeat(45 - Math.ceil(root.length / 2)))
    expect([tooLong.length, umlauts.length < 84]).toEqual([85, true])
    for (const directory of [tooLong, umlauts]) {
      const error = errorFor(directory)
      expect(error).toMatchObject({ code: 'ENAMETOOLONG', reason: 'the path is too long for a local socket' })
      expect(existsSync(directory)).toBe(false)
    }
    const fitting = join(root, 'y'.repeat(83 - root.length))
    expect(Buffer.byteLength(fitting)).toBe(84)
    expect(runtimeDirectory({ HTTPSYS_RUNTIME_DIR: fitting })).toBe(fitting)
  })
})
