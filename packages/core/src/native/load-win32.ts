import { isMainThread } from 'node:worker_threads'
import koffi from 'koffi'
import { HTTP_SEND_RESPONSE_FLAG_BUFFER_DATA } from './constants.ts'
import { NamedPipes } from './named-pipes.ts'
import type { Bool, Handle, HttpApi, KernelApi, NativeMemory, Win32Api } from './win32-api.ts'

/** Memory through koffi: malloc, so nothing moves it and nothing frees it but us. */
export const koffiMemory: NativeMemory = {
  alloc: (bytes) => Number(koffi.address(koffi.alloc('uint8_t', bytes) as unknown)),
  free: (address) => koffi.free(BigInt(address)),
  // SAFETY: callers ask for no more than they have allocated, or Windows has said that it is there.
  view: (address, bytes) => koffi.view(BigInt(address), bytes),
}

/**
 * The functions of Windows through koffi; addresses and handles pass as 64-bit numbers, which spares koffi what it does for
 * pointers.
 *
 * Loaded once, when a server first listens on a prefix.
 */
export function loadWin32(): Win32Api {
  const isWine = has('ntdll.dll', 'wine_get_version')
  const http = loadHttp(isWine)
  const pipes = new NamedPipes((name) => `\\\\.\\pipe\\${name}`)
  return { http: isWine ? withoutBuffering(http) : http, kernel: loadKernel(), memory: koffiMemory, pipes }
}

/** Wine 10 takes MORE_DATA for the end of the response when another flag stands beside it, and knows none of the others. */
function withoutBuffering(http: HttpApi): HttpApi {
  const kept = ~HTTP_SEND_RESPONSE_FLAG_BUFFER_DATA
  return {
    ...http,
    HttpSendHttpResponse: (queue, request, flags, ...rest) =>
      http.HttpSendHttpResponse(queue, request, flags & kept, ...rest),
    HttpSendResponseEntityBody: (queue, request, flags, ...rest) =>
      http.HttpSendResponseEntityBody(queue, request, flags & kept, ...rest),
  }
}

const PTR = 'uint64_t'
const ID = 'uint64_t'
const HANDLE = 'intptr_t'
const U32 = 'uint32_t'

/** @param isWine - Wine 10 has some functions only as stubs that end the process */
function loadHttp(isWine: boolean): HttpApi {
  const library = koffi.load('httpapi.dll')
  const func = <Name extends keyof HttpApi>(name: Name, ...parameters: string[]): NonNullable<HttpApi[Name]> =>
    library.func('__stdcall', name, U32, parameters) as unknown as NonNullable<HttpApi[Name]>
  const newer = <Name extends keyof HttpApi>(name: Name, ...parameters: string[]): HttpApi[Name] | undefined => {
    if (isWine) return undefined
    try {
      return func(name, ...parameters)
    } catch {
      return undefined
    }
  }
  return {
    HttpInitialize: func('HttpInitialize', U32, U32, PTR),
    HttpTerminate: func('HttpTerminate', U32, PTR),
    HttpIsFeatureSupported: newer('HttpIsFeatureSupported', U32),
    HttpCreateServerSession: func('HttpCreateServerSession', U32, PTR, U32),
    HttpCloseServerSession: func('HttpCloseServerSession', ID),
    HttpCreateUrlGroup: func('HttpCreateUrlGroup', ID, PTR, U32),
    HttpCloseUrlGroup: func('HttpCloseUrlGroup', ID),
    HttpSetUrlGroupProperty: func('HttpSetUrlGroupProperty', ID, U32, PTR, U32),
    HttpAddUrlToUrlGroup: func('HttpAddUrlToUrlGroup', ID, 'str16', ID, U32),
    HttpRemoveUrlFromUrlGroup: func('HttpRemoveUrlFromUrlGroup', ID, 'str16', U32),
    HttpCreateRequestQueue: func('HttpCreateRequestQueue', U32, 'str16', PTR, U32, PTR),
    HttpCloseRequestQueue: func('HttpCloseRequestQueue', HANDLE),
    HttpShutdownRequestQueue: newer('HttpShutdownRequestQueue', HANDLE),
    HttpSetRequestQueueProperty: func('HttpSetRequestQueueProperty', HANDLE, U32, PTR, U32, U32, PTR),
    HttpReceiveHttpRequest: func('HttpReceiveHttpRequest', HANDLE, ID, U32, PTR, U32, PTR, PTR),
    HttpReceiveRequestEntityBody: func('HttpReceiveRequestEntityBody', HANDLE, ID, U32, PTR, U32, PTR, PTR),
    HttpReceiveClientCertificate: func('HttpReceiveClientCertificate', HANDLE, ID, U32, PTR, U32, PTR, PTR),
    HttpSendHttpResponse: func('HttpSendHttpResponse', HANDLE, ID, U32, PTR, PTR, PTR, PTR, U32, PTR, PTR),
    HttpSendResponseEntityBody: func(
      'HttpSendResponseEntityBody',
      HANDLE,
      ID,
      U32,
      'uint16_t',
      PTR,
      PTR,
      PTR,
      U32,
      PTR,
      PTR,
    ),
    HttpCancelHttpRequest: newer('HttpCancelHttpRequest', HANDLE, ID, PTR),
    HttpWaitForDisconnectEx: newer('HttpWaitForDisconnectEx', HANDLE, ID, U32, PTR),
    HttpFlushResponseCache: newer('HttpFlushResponseCache', HANDLE, 'str16', U32, PTR),
    HttpQueryRequestProperty: newer('HttpQueryRequestProperty', HANDLE, ID, U32, PTR, U32, PTR, U32, PTR, PTR),
  }
}

function loadKernel(): KernelApi {
  const kernel32 = koffi.load('kernel32.dll')
  const advapi32 = koffi.load('advapi32.dll')
  const ntdll = koffi.load('ntdll.dll')
  const func = (name: string, result: string, ...parameters: string[]) =>
    kernel32.func('__stdcall', name, result, parameters)
  const security = (name: string, ...parameters: string[]) =>
    advapi32.func('__stdcall', name, 'int', parameters) as () => Bool
  const getCompletions = func('GetQueuedCompletionStatusEx', 'int', HANDLE, PTR, U32, PTR, U32, 'int')
  return {
    CreateIoCompletionPort: func('CreateIoCompletionPort', HANDLE, HANDLE, HANDLE, PTR, U32) as () => Handle,
    GetQueuedCompletionStatusEx: getCompletions as unknown as KernelApi['GetQueuedCompletionStatusEx'],
    waitForCompletions(port, entries, count, pRemoved, onCompletions) {
      const done = (_error: unknown, result: Bool): void => onCompletions(result)
      getCompletions.async(port, entries, count, pRemoved, LONGEST_WAIT_MS, 0, done)
    },
    PostQueuedCompletionStatus: func('PostQueuedCompletionStatus', 'int', HANDLE, U32, PTR, PTR) as () => Bool,
    SetFileCompletionNotificationModes: func(
      'SetFileCompletionNotificationModes',
      'int',
      HANDLE,
      'uint8_t',
    ) as () => Bool,
    CancelIoEx: func('CancelIoEx', 'int', HANDLE, PTR) as () => Bool,
    CloseHandle: func('CloseHandle', 'int', HANDLE) as () => Bool,
    GetLastError: func('GetLastError', U32) as () => number,
    QueryPerformanceCounter: func('QueryPerformanceCounter', 'int', PTR) as () => Bool,
    QueryPerformanceFrequency: func('QueryPerformanceFrequency', 'int', PTR) as () => Bool,
    ConvertStringSecurityDescriptorToSecurityDescriptorW: security(
      'ConvertStringSecurityDescriptorToSecurityDescriptorW',
      'str16',
      U32,
      PTR,
      PTR,
    ),
    OpenProcessToken: security('OpenProcessToken', HANDLE, U32, PTR),
    GetTokenInformation: security('GetTokenInformation', HANDLE, 'int', PTR, U32, PTR),
    LookupAccountSidW: security('LookupAccountSidW', 'str16', PTR, PTR, PTR, PTR, PTR, PTR),
    RtlNtStatusToDosError: ntdll.func('__stdcall', 'RtlNtStatusToDosError', U32, [U32]) as () => number,
  }
}

const INFINITE = 0xffff_ffff
/**
 * Node waits for what its pool does when a thread ends, and a thread that is terminated can't wake it: nothing of it runs any more. So
 * there a wait ends by itself.
 */
const LONGEST_WAIT_MS = isMainThread ? INFINITE : 1000

/** Whether a library has a function. */
function has(library: string, name: string): boolean {
  try {
    koffi.load(library).func('__stdcall', name, 'void *', [])
    return true
  } catch {
    return false
  }
}
