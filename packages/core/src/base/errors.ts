import { getSystemErrorMap } from 'node:util'

/** Every code that an {@link HttpSysError} can have; `docs/errors.md` says when, and what to do. */
export const HTTP_SYS_ERROR_CODES = [
  'EACCES',
  'EADDRINUSE',
  'ECONNRESET',
  'EINVAL',
  'EIO',
  'EMFILE',
  'ENAMETOOLONG',
  'ENOTSUP',
  'EPROTO',
  'ETIMEDOUT',
] as const

/** The code of an {@link HttpSysError}: Node's own where Node has one. */
export type HttpSysErrorCode = (typeof HTTP_SYS_ERROR_CODES)[number]

/** Whether a text, perhaps from another process, is a code of ours. */
export function isHttpSysErrorCode(text: string): text is HttpSysErrorCode {
  return (HTTP_SYS_ERROR_CODES as readonly string[]).includes(text)
}

/** What an {@link HttpSysError} is made of. */
export interface HttpSysErrorParts {
  readonly code: HttpSysErrorCode
  /** The operation that failed: `prefix`, `listen`, `connect`, … */
  readonly syscall: string
  /** What it was about: a prefix, a port, a directory. */
  readonly subject: string
  /** Why it failed, half a sentence. */
  readonly reason: string
  /** What to do about it, one sentence. */
  readonly remedy: string
  readonly cause?: unknown
}

/** The one error class of httpsys: says what failed, on what, why, and what to do. */
export class HttpSysError extends Error {
  override readonly name = 'HttpSysError'
  readonly code: HttpSysErrorCode
  /** The negative number of the code on this system, as on Node's own errors; undefined where the system has none. */
  readonly errno: number | undefined
  readonly syscall: string
  readonly subject: string
  readonly reason: string
  readonly remedy: string

  constructor({ code, syscall, subject, reason, remedy, cause }: HttpSysErrorParts) {
    const message = `${syscall} ${code} ${subject}: ${reason.replace(/\.$/, '')}. ${remedy.replace(/([^.!?])$/, '$1.')}`
    super(visible(message), cause === undefined ? undefined : { cause })
    this.code = code
    this.errno = errnoOf(code)
    this.syscall = syscall
    this.subject = subject
    this.reason = reason
    this.remedy = remedy
  }
}

let errnos: Map<string, number> | undefined

/** libuv's, which Node's errors have: on Windows it numbers otherwise than the C library, whose numbers `os.constants` has. */
function errnoOf(code: string): number | undefined {
  errnos ??= new Map([...getSystemErrorMap()].map(([number, [name]]) => [name, number]))
  return errnos.get(code)
}

/** Subjects are texts of users and peers: a line break in one must not make up a second line in a log. */
function visible(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
