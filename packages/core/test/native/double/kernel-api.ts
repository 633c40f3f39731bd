import type { KernelApi } from '../../../src/native/win32-api.ts'
import { COUNTS_PER_SECOND, performanceCounter } from './performance-counter.ts'
import type { DoubleProcess } from './process.ts'
import { INVALID_HANDLE, INVALID_PARAMETER, NOT_FOUND, NOT_SUPPORTED, win32Of } from './status.ts'

/** Accounts by the names that security descriptors have for them. */
const ACCOUNTS: Readonly<Record<string, [domain: string, name: string]>> = {
  SY: ['NT AUTHORITY', 'SYSTEM'],
  LS: ['NT AUTHORITY', 'LOCAL SERVICE'],
  NS: ['NT AUTHORITY', 'NETWORK SERVICE'],
  shop: ['NT SERVICE', 'shop'],
}
const TOKEN_USER_BYTES = 16
const SID_BYTES = 12

/** kernel32.dll, advapi32.dll and ntdll.dll of one process. */
export function kernelApi(process: DoubleProcess): KernelApi {
  const fail = (error: number): 0 => {
    process.lastError = error
    return 0
  }
  return {
    CreateIoCompletionPort(file, existing, key, _threads) {
      if (existing === 0) {
        const value = process.machine.newHandle()
        process.ports.set(value, process.newPort())
        return value
      }
      const port = process.ports.get(existing)
      const handle = process.queueHandles.get(file)
      if (port === undefined || handle === undefined) return fail(INVALID_HANDLE)
      if (handle.port !== null) return fail(INVALID_PARAMETER)
      handle.port = port
      handle.key = key
      return existing
    },
    GetQueuedCompletionStatusEx(port, entries, count, pRemoved, _milliseconds, _alertable) {
      const found = process.ports.get(port)
      if (found === undefined) return fail(INVALID_HANDLE)
      const { result, lastError } = found.take(entries, count, pRemoved)
      process.lastError = lastError
      return result
    },
    waitForCompletions(port, entries, count, pRemoved, onCompletions) {
      const found = process.ports.get(port)
      if (found === undefined) return void setImmediate(onCompletions, fail(INVALID_HANDLE))
      found.wait(entries, count, pRemoved, onCompletions)
    },
    PostQueuedCompletionStatus(port, bytes, key, overlapped) {
      const found = process.ports.get(port)
      if (found === undefined) return fail(INVALID_HANDLE)
      found.post({ key, overlapped, status: 0, bytes, operation: undefined })
      return 1
    },
    SetFileCompletionNotificationModes(file, flags) {
      const handle = process.queueHandles.get(file)
      if (handle === undefined) return fail(INVALID_HANDLE)
      if (!process.machine.whims.canSkip) return fail(NOT_SUPPORTED)
      handle.skipsOnSuccess = (flags & 1) !== 0
      return 1
    },
    CancelIoEx(file, overlapped) {
      const operation = process.operations.find(overlapped)
      if (!process.queueHandles.has(file)) return fail(INVALID_HANDLE)
      if (operation === undefined || operation.state !== 'pending') return fail(NOT_FOUND)
      operation.onCancel()
      return 1
    },
    CloseHandle(handle) {
      if (process.tokens.delete(handle)) return 1
      if (process.queueHandles.has(handle)) process.report('CloseHandle on a request queue')
      const port = process.ports.get(handle)
      if (port === undefined) return fail(INVALID_HANDLE)
      port.close()
      process.ports.delete(handle)
      return 1
    },
    GetLastError: () => process.lastError,
    QueryPerformanceCounter(pCount) {
      process.memory.at(pCount, 8, 'lpPerformanceCount')?.writeBigUInt64LE(performanceCounter())
      return 1
    },
    QueryPerformanceFrequency(pFrequency) {
      process.memory.at(pFrequency, 8, 'lpFrequency')?.writeBigUInt64LE(COUNTS_PER_SECOND)
      return 1
    },
    ConvertStringSecurityDescriptorToSecurityDescriptorW(text, _revision, pDescriptor, _pSize) {
      // What Windows says of most texts that are none.
      if (!/^(O:|G:|D:|S:)/.test(text)) return fail(INVALID_PARAMETER)
      // Windows' own memory, which the process has no account of.
      const descriptor = process.newDescriptor(text)
      process.memory.at(pDescriptor, 8, 'pDescriptor')?.writeBigUInt64LE(BigInt(descriptor))
      return 1
    },
    OpenProcessToken(which, access, pToken) {
      if (which !== -1 || access !== 8) return fail(INVALID_PARAMETER)
      const token = process.machine.newHandle()
      process.tokens.add(token)
      process.memory.at(pToken, 8, 'TokenHandle')?.writeBigUInt64LE(BigInt(token))
      return 1
    },
    GetTokenInformation(token, _kind, information, length, pLength) {
      if (!process.tokens.has(token)) return fail(INVALID_HANDLE)
      const size = TOKEN_USER_BYTES + SID_BYTES
      process.memory.at(pLength, 4, 'ReturnLength')?.writeUInt32LE(size)
      const bytes = process.memory.at(information, length, 'TokenInformation')
      if (bytes === null || length < size) return fail(INVALID_PARAMETER)
      bytes.writeBigUInt64LE(BigInt(information + TOKEN_USER_BYTES))
      // In place of the numbers of a SID: the same bytes say who it is.
      bytes.fill(0, TOKEN_USER_BYTES, size).write(process.user, TOKEN_USER_BYTES, 'latin1')
      return 1
    },
    LookupAccountSidW(_system, sid, pName, pNameCount, pDomain, pDomainCount, pUse) {
      const user = process.memory.at(sid, SID_BYTES, 'Sid')?.toString('latin1').replaceAll('\0', '') ?? ''
      const account = ACCOUNTS[user]
      if (account === undefined) return fail(NOT_FOUND)
      const [domain, name] = account
      const write = (text: string, pText: number, pCount: number): void => {
        const count = process.memory.at(pCount, 4, 'the length of an account name')
        const room = count?.readUInt32LE() ?? 0
        process.memory
          .at(pText, 2 * room, 'an account name')
          ?.fill(0xff)
          .write(`${text}\0`, 'utf16le')
        count?.writeUInt32LE(text.length)
      }
      write(name, pName, pNameCount)
      write(domain, pDomain, pDomainCount)
      process.memory.at(pUse, 4, 'peUse')?.writeUInt32LE(1)
      return 1
    },
    RtlNtStatusToDosError: win32Of,
  }
}
