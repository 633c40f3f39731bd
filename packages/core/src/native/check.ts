import { HttpSysError } from '../base/errors.ts'
import type { HttpSysErrorCode } from '../base/errors.ts'
import {
  ERROR_ACCESS_DENIED,
  ERROR_ALREADY_EXISTS,
  ERROR_CALL_NOT_IMPLEMENTED,
  ERROR_CONNECTION_ABORTED,
  ERROR_CONNECTION_INVALID,
  ERROR_FILE_NOT_FOUND,
  ERROR_INVALID_ACL,
  ERROR_INVALID_NAME,
  ERROR_INVALID_NETNAME,
  ERROR_INVALID_PARAMETER,
  ERROR_INVALID_SID,
  ERROR_NETNAME_DELETED,
  ERROR_NONE_MAPPED,
  ERROR_NOT_SUPPORTED,
  ERROR_SHARING_VIOLATION,
  ERROR_SUCCESS,
  ERROR_UNKNOWN_REVISION,
} from './constants.ts'
import { accountOf, urlAclCommand, urlRuleBroken } from './url-advice.ts'
import type { KernelApi, Win32Status } from './win32-api.ts'

/** Why a call failed and what to do, in words. */
interface Explanation {
  readonly code: HttpSysErrorCode
  readonly reason: string
  readonly remedy: string
}

/**
 * Makes an error of a call's status, unless it is success.
 *
 * @param syscall - the function's own name
 * @param subject - what it was about: a URL prefix, a queue's name
 * @param account - tells whom a prefix has to be reserved for; undefined for whoever the environment names
 * @throws HttpSysError
 */
export function check(syscall: string, status: Win32Status, subject: string, account?: () => string | undefined): void {
  if (status !== ERROR_SUCCESS) throw win32Error(syscall, status, subject, account)
}

/** The same for functions that return BOOL or a handle, and keep their reason for GetLastError. */
export function checkBool(kernel: KernelApi, syscall: string, result: number, subject: string): void {
  if (result === 0) throw win32Error(syscall, kernel.GetLastError(), subject)
}

/** Whether a function says that this Windows (or Wine) does not have what was asked for. */
export function isMissing(status: Win32Status): boolean {
  return status === ERROR_CALL_NOT_IMPLEMENTED || status === ERROR_NOT_SUPPORTED
}

/** Whether a status says that the client has gone: never a fault of ours, and nothing to log. */
export function isClientGone(status: Win32Status): boolean {
  return status === ERROR_NETNAME_DELETED || status === ERROR_CONNECTION_INVALID || status === ERROR_CONNECTION_ABORTED
}

/** The error for a status other than success. */
export function win32Error(
  syscall: string,
  status: Win32Status,
  subject: string,
  account?: () => string | undefined,
): HttpSysError {
  const isDescriptor = syscall === 'ConvertStringSecurityDescriptorToSecurityDescriptorW'
  const { code, reason, remedy } =
    isDescriptor && DESCRIPTOR_ERRORS.has(status) ? BAD_DESCRIPTOR : explain(status, subject, account)
  const full = `${reason} (Win32 error ${status})`
  return new HttpSysError({ code, syscall, subject, reason: full, remedy })
}

/** What a text that is no security descriptor is refused with. */
const DESCRIPTOR_ERRORS = new Set<Win32Status>([
  ERROR_INVALID_PARAMETER,
  ERROR_UNKNOWN_REVISION,
  ERROR_NONE_MAPPED,
  ERROR_INVALID_ACL,
  ERROR_INVALID_SID,
])
const BAD_DESCRIPTOR: Explanation = {
  code: 'EINVAL',
  reason: 'it is not the text of a security descriptor',
  remedy:
    'Write it as in "sddl=D:(A;;GA;;;NS)", which lets the network service in; "whoami /user" shows the SID of a user.',
}

function explain(status: Win32Status, subject: string, account?: () => string | undefined): Explanation {
  switch (status) {
    case ERROR_ACCESS_DENIED:
      return {
        code: 'EACCES',
        reason: isUrl(subject) ? 'the prefix is not reserved for this user' : 'another user owns the request queue',
        remedy: isUrl(subject)
          ? `Run once, as administrator: ${urlAclCommand(subject, account?.() ?? accountOf(process.env))} (if somebody else has it, which "netsh http show urlacl" tells, choose another prefix)`
          : 'Run both processes as the same user, both as administrator or neither, or let "httpsys hold" own the queue, with an sddl= that lets this user in.',
      }
    case ERROR_ALREADY_EXISTS:
      return {
        code: 'EADDRINUSE',
        reason: 'another process has claimed this prefix',
        remedy: `Stop it ("netsh http show servicestate" names it), choose another prefix, or share the queue with { mode: 'attach' }.`,
      }
    case ERROR_SHARING_VIOLATION:
      return {
        code: 'EADDRINUSE',
        reason: 'a program that does not use HTTP.SYS listens on the port',
        remedy: `Stop it ("netstat -abno" names it; nginx, Apache, Skype, and node:http itself are usual), or put another port into the prefix.`,
      }
    case ERROR_INVALID_PARAMETER:
      return {
        code: 'EINVAL',
        reason: (isUrl(subject) ? urlRuleBroken(subject) : undefined) ?? 'Windows calls an argument invalid',
        remedy: 'Write scheme://host:port/path/, in lower case up to the host, with a port and a slash at the end.',
      }
    case ERROR_INVALID_NAME:
      return {
        code: 'EINVAL',
        reason: 'Windows does not accept the name',
        remedy: 'Use letters, digits, "-", "_" and "." only, at most 129 of them.',
      }
    case ERROR_INVALID_NETNAME:
      return {
        code: 'EINVAL',
        reason: 'HTTP.SYS can not listen on the host',
        remedy:
          'Name an address that this machine has ("ipconfig" shows them) and that HTTP.SYS may use ("netsh http show iplisten"), a host name, + or *.',
      }
    case ERROR_FILE_NOT_FOUND:
      return {
        code: 'ECONNRESET',
        reason: 'its request queue has been closed',
        remedy: 'Listen again; a new queue is made when none is there.',
      }
    case ERROR_NETNAME_DELETED:
    case ERROR_CONNECTION_INVALID:
    case ERROR_CONNECTION_ABORTED:
      return { code: 'ECONNRESET', reason: 'the client has gone', remedy: 'Nothing has to be done.' }
    case ERROR_CALL_NOT_IMPLEMENTED:
    case ERROR_NOT_SUPPORTED:
      return {
        code: 'ENOTSUP',
        reason: 'this version of Windows does not have the function',
        remedy: 'Use Windows 10, Windows Server 2016 or later.',
      }
    default:
      return {
        code: 'EIO',
        reason: 'Windows refused the call',
        remedy: `"net helpmsg ${status}" tells what the number means; "netsh http show servicestate" shows what HTTP.SYS has.`,
      }
  }
}

function isUrl(subject: string): boolean {
  return subject.includes('://')
}
