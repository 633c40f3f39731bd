import type { KernelApi } from '../../../src/native/win32-api.ts'
import { COUNTS_PER_SECOND, performanceCounter } from './performance-counter.ts'
import type { DoubleProcess } from './process.ts'
import { INVALID_ACL, INVALID_HANDLE, INVALID_PARAMETER, NOT_FOUND, NOT_SUPPORTED } from './status.ts'

/** kernel32.dll and advapi32.dll of one process. */
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
      if (!/^(O:|G:|D:|S:)/.test(text)) return fail(INVALID_ACL)
      // Windows' own memory, which the process has no account of.
      const descriptor = process.newDescriptor(text)
      process.memory.at(pDescriptor, 8, 'pDescriptor')?.writeBigUInt64LE(BigInt(descriptor))
      return 1
    },
  }
}
