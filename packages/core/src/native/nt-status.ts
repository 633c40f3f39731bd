import { ERROR_SUCCESS } from './constants.ts'
import type { KernelApi, Win32Status } from './win32-api.ts'

/**
 * The Win32 code of a completed operation: completions tell an NTSTATUS (`OVERLAPPED.Internal`), while calls return Win32 codes. Windows
 * itself knows the pairs; a table of our own would have the number of a failure wrong that nobody had thought of.
 */
export function win32StatusOf(kernel: KernelApi, ntStatus: number): Win32Status {
  return ntStatus === ERROR_SUCCESS ? ERROR_SUCCESS : kernel.RtlNtStatusToDosError(ntStatus)
}
