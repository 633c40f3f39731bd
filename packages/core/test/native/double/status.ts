/** Win32 codes that the double returns, and the NTSTATUS that a completion of the same outcome carries (ntstatus.h). */
export const SUCCESS = 0
export const FILE_NOT_FOUND = 2
export const ACCESS_DENIED = 5
export const INVALID_HANDLE = 6
export const SHARING_VIOLATION = 32
export const HANDLE_EOF = 38
export const NOT_SUPPORTED = 50
export const NETNAME_DELETED = 64
export const INVALID_PARAMETER = 87
export const INVALID_NAME = 123
export const ALREADY_EXISTS = 183
export const MORE_DATA = 234
export const WAIT_TIMEOUT = 258
export const OPERATION_ABORTED = 995
export const IO_PENDING = 997
export const NOT_FOUND = 1168
export const CONNECTION_INVALID = 1229
export const CONNECTION_ABORTED = 1236
export const NO_SYSTEM_RESOURCES = 1450

/** STATUS_PENDING: what `OVERLAPPED.Internal` holds while an operation is in flight. */
export const NT_PENDING = 0x103

const NT_STATUS = new Map([
  [SUCCESS, 0],
  [HANDLE_EOF, 0xc000_0011],
  [NETNAME_DELETED, 0xc000_020d],
  [INVALID_PARAMETER, 0xc000_000d],
  [MORE_DATA, 0x8000_0005],
  [OPERATION_ABORTED, 0xc000_0120],
  [NOT_FOUND, 0xc000_0225],
  [CONNECTION_INVALID, 0xc000_023a],
  [CONNECTION_ABORTED, 0xc000_0241],
  [NO_SYSTEM_RESOURCES, 0xc000_009a],
])

const WIN32 = new Map([...NT_STATUS].map(([win32, ntStatus]) => [ntStatus, win32]))
/** ERROR_MR_MID_NOT_FOUND */
const NO_NUMBER = 317

/** RtlNtStatusToDosError, as far as the double completes anything. */
export function win32Of(ntStatus: number): number {
  return WIN32.get(ntStatus) ?? NO_NUMBER
}

export function ntStatusOf(status: number): number {
  const found = NT_STATUS.get(status)
  if (found === undefined) throw new Error(`the double completes nothing with ${status}`)
  return found
}
