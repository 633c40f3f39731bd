import type { Duplex } from 'node:stream'

/**
 * The functions of Windows that the native backend calls, as one table that is injected: koffi's on Windows, a double in tests.
 *
 * Names, order and meaning of arguments are Microsoft's. What a function returns is its own status, never an exception:
 * `check` makes errors of them. Every function is called on the main thread and returns at once; the only one that waits is
 * {@link Win32Api.waitForCompletions}.
 *
 * @see https://learn.microsoft.com/windows/win32/http/http-server-api-version-2-0-reference
 */

/**
 * A place in this process's memory. User space ends below 2^48 on x64 and arm64, so a number holds it exactly; 0 is NULL.
 * What an address points at comes from {@link NativeMemory.alloc}, or from Windows into such memory.
 */
export type Address = number

/** A HANDLE. Windows uses 32 bits of it; 0 and -1 are no handle. */
export type Handle = number

/** HTTP_OPAQUE_ID: all 64 bits count, so it is a bigint, made once where it is read. */
export type OpaqueId = bigint

/** A Win32 error code; 0 is ERROR_SUCCESS. */
export type Win32Status = number

/** BOOL: not 0 for success, else `GetLastError` tells why. */
export type Bool = number

/** HTTPAPI_VERSION by value, a struct of two USHORTs in one register: `major | minor << 16`. */
export type HttpApiVersion = number

/**
 * httpapi.dll. Functions that are not in every Windows, or that Wine has as stubs which end the process, may be undefined.
 *
 * `overlapped` is the address of an OVERLAPPED that stays untouched by us until its completion has been taken from the port, and
 * so is everything else that a call with one was given the address of.
 *
 * A call with an OVERLAPPED returns ERROR_IO_PENDING, and its completion is queued; or 0, when it was done at once: then the number
 * of bytes stands in `*pBytes` and in `OVERLAPPED.InternalHigh`, and a completion is queued unless the handle was told to skip it
 * (FILE_SKIP_COMPLETION_PORT_ON_SUCCESS); or another error, and nothing is queued. Completions tell an NTSTATUS, see nt-status.ts.
 *
 * Microsoft's pages ask for NULL as `pBytes` beside an OVERLAPPED. ASP.NET Core gives both, and so do we: the four bytes lie behind the
 * OVERLAPPED in the same memory, so that it does not matter when they are written, nor whether.
 */
export interface HttpApi {
  HttpInitialize(version: HttpApiVersion, flags: number, reserved: 0): Win32Status
  HttpTerminate(flags: number, reserved: 0): Win32Status
  /** Windows 10 version 2004 and later. @returns BOOL */
  readonly HttpIsFeatureSupported: ((feature: number) => Bool) | undefined

  /** @param pSessionId - receives 8 bytes */
  HttpCreateServerSession(version: HttpApiVersion, pSessionId: Address, reserved: 0): Win32Status
  HttpCloseServerSession(session: OpaqueId): Win32Status

  /** @param pGroupId - receives 8 bytes */
  HttpCreateUrlGroup(session: OpaqueId, pGroupId: Address, reserved: 0): Win32Status
  HttpCloseUrlGroup(group: OpaqueId): Win32Status
  HttpSetUrlGroupProperty(group: OpaqueId, property: number, pInformation: Address, length: number): Win32Status
  HttpAddUrlToUrlGroup(group: OpaqueId, url: string, context: OpaqueId, reserved: 0): Win32Status
  HttpRemoveUrlFromUrlGroup(group: OpaqueId, url: string, flags: number): Win32Status

  /**
   * @param name - null for a queue that nobody else can open
   * @param security - of a SECURITY_ATTRIBUTES; 0 for the default, which lets in this user and administrators
   * @param pHandle - receives 8 bytes
   */
  HttpCreateRequestQueue(
    version: HttpApiVersion,
    name: string | null,
    security: Address,
    flags: number,
    pHandle: Address,
  ): Win32Status
  HttpCloseRequestQueue(queue: Handle): Win32Status
  readonly HttpShutdownRequestQueue: ((queue: Handle) => Win32Status) | undefined
  HttpSetRequestQueueProperty(
    queue: Handle,
    property: number,
    pInformation: Address,
    length: number,
    reserved: 0,
    reserved2: 0,
  ): Win32Status

  /** @param request - 0n for the next one, else the request whose buffer was too small */
  HttpReceiveHttpRequest(
    queue: Handle,
    request: OpaqueId,
    flags: number,
    buffer: Address,
    length: number,
    pBytes: Address,
    overlapped: Address,
  ): Win32Status
  HttpReceiveRequestEntityBody(
    queue: Handle,
    request: OpaqueId,
    flags: number,
    buffer: Address,
    length: number,
    pBytes: Address,
    overlapped: Address,
  ): Win32Status
  /** @param info - receives an HTTP_SSL_CLIENT_CERT_INFO and the certificate behind it */
  HttpReceiveClientCertificate(
    queue: Handle,
    connection: OpaqueId,
    flags: number,
    info: Address,
    length: number,
    pBytes: Address,
    overlapped: Address,
  ): Win32Status
  /**
   * @param response - of an HTTP_RESPONSE_V2
   * @param cachePolicy - of an HTTP_CACHE_POLICY, or 0
   * @param logData - 0
   */
  HttpSendHttpResponse(
    queue: Handle,
    request: OpaqueId,
    flags: number,
    response: Address,
    cachePolicy: Address,
    pBytesSent: Address,
    reserved: 0,
    reserved2: 0,
    overlapped: Address,
    logData: Address,
  ): Win32Status
  /** @param chunks - of `count` HTTP_DATA_CHUNKs, or 0 */
  HttpSendResponseEntityBody(
    queue: Handle,
    request: OpaqueId,
    flags: number,
    count: number,
    chunks: Address,
    pBytesSent: Address,
    reserved: 0,
    reserved2: 0,
    overlapped: Address,
    logData: Address,
  ): Win32Status
  /** Called without an OVERLAPPED: the call itself does not wait for the network. */
  readonly HttpCancelHttpRequest: ((queue: Handle, request: OpaqueId, overlapped: 0) => Win32Status) | undefined
  readonly HttpWaitForDisconnectEx:
    | ((queue: Handle, connection: OpaqueId, reserved: 0, overlapped: Address) => Win32Status)
    | undefined
  /** Called without an OVERLAPPED. */
  readonly HttpFlushResponseCache:
    | ((queue: Handle, urlPrefix: string, flags: number, overlapped: 0) => Win32Status)
    | undefined
  /** Windows 10 version 2004 and later; called without an OVERLAPPED, with `pBytes`. */
  readonly HttpQueryRequestProperty:
    | ((
        queue: Handle,
        request: OpaqueId,
        property: number,
        qualifier: 0,
        qualifierLength: 0,
        output: Address,
        outputLength: number,
        pBytes: Address,
        overlapped: 0,
      ) => Win32Status)
    | undefined
}

/** kernel32.dll, advapi32.dll and ntdll.dll. */
export interface KernelApi {
  /** @param file - a request queue's handle, or -1 (INVALID_HANDLE_VALUE) to make a port; @param port - 0 to make one. @returns 0 on failure */
  CreateIoCompletionPort(file: Handle, port: Handle, key: number, threads: number): Handle
  /**
   * Takes what is there, without waiting (`milliseconds` is 0).
   *
   * @param entries - receives up to `count` OVERLAPPED_ENTRYs of 32 bytes
   * @param pRemoved - receives their number, 4 bytes
   * @returns 0 and WAIT_TIMEOUT when nothing is there
   */
  GetQueuedCompletionStatusEx(
    port: Handle,
    entries: Address,
    count: number,
    pRemoved: Address,
    milliseconds: 0,
    alertable: 0,
  ): Bool
  /**
   * The same function, waiting on a thread of libuv's pool, without limit of time on the main thread; `onCompletions` is called on the
   * thread of the caller with what it returned. There is never more than one such call under way for a port.
   */
  waitForCompletions(
    port: Handle,
    entries: Address,
    count: number,
    pRemoved: Address,
    onCompletions: (result: Bool) => void,
  ): void
  /** Queues an entry with these three values; `overlapped` may be 0. */
  PostQueuedCompletionStatus(port: Handle, bytes: number, key: number, overlapped: Address): Bool
  /** @param flags - FILE_SKIP_COMPLETION_PORT_ON_SUCCESS 1 | FILE_SKIP_SET_EVENT_ON_HANDLE 2 */
  SetFileCompletionNotificationModes(file: Handle, flags: number): Bool
  /** Asks to end one operation; its completion follows, with ERROR_OPERATION_ABORTED or with what it had come to before. */
  CancelIoEx(file: Handle, overlapped: Address): Bool
  /** Of completion ports and tokens only; queues have HttpCloseRequestQueue. */
  CloseHandle(handle: Handle): Bool
  GetLastError(): Win32Status
  /** Of ntdll.dll. @returns 317 (ERROR_MR_MID_NOT_FOUND) for an NTSTATUS that has no Win32 code */
  RtlNtStatusToDosError(ntStatus: number): Win32Status
  /** @param pCount - receives 8 bytes */
  QueryPerformanceCounter(pCount: Address): Bool
  /** @param pFrequency - receives the counts of a second, 8 bytes */
  QueryPerformanceFrequency(pFrequency: Address): Bool
  /**
   * Makes a security descriptor of its text form; it is never freed.
   *
   * @param pDescriptor - receives the address, 8 bytes
   */
  ConvertStringSecurityDescriptorToSecurityDescriptorW(text: string, revision: 1, pDescriptor: Address, pSize: 0): Bool
  /** @param process - -1 for this process; @param access - TOKEN_QUERY 8; @param pToken - receives 8 bytes */
  OpenProcessToken(process: Handle, access: number, pToken: Address): Bool
  /**
   * @param kind - TokenUser 1
   * @param information - receives a TOKEN_USER, which begins with the address of a SID, and the SID behind it
   * @param pLength - receives 4 bytes
   */
  GetTokenInformation(token: Handle, kind: 1, information: Address, length: number, pLength: Address): Bool
  /**
   * Finds the names of a SID, in the language of this Windows.
   *
   * @param system - null for this machine
   * @param pName - receives UTF-16, as `pDomain` does; the four bytes of each count say how many characters there is room for, and receive
   * how many there are
   * @param pUse - receives 4 bytes
   */
  LookupAccountSidW(
    system: null,
    sid: Address,
    pName: Address,
    pNameCount: Address,
    pDomain: Address,
    pDomainCount: Address,
    pUse: Address,
  ): Bool
}

/** Memory that no garbage collector moves or frees. */
export interface NativeMemory {
  /** Zeroed, aligned to 16 bytes. */
  alloc(bytes: number): Address
  /** Only for memory that no operation in flight can reach. */
  free(address: Address): void
  /** The same memory as an ArrayBuffer; made once for each block, since it takes microseconds. */
  view(address: Address, bytes: number): ArrayBuffer
}

/** A named pipe that is listened at. */
export interface PipeEar {
  /** Frees the name; calls that were taken go on. */
  close(): void
}

/** How processes of one machine find each other by a name. Nothing of it keeps a process alive. */
export interface PipeApi {
  /** Resolves to null when the name is taken, or can't be had. */
  listen(name: string, onCall: (call: Duplex) => void): Promise<PipeEar | null>
  /** Resolves to null when nobody listens at the name, or somebody whom this user may not call. */
  call(name: string): Promise<Duplex | null>
}

/** Everything that the native backend needs of the system below it. */
export interface Win32Api {
  readonly http: HttpApi
  readonly kernel: KernelApi
  readonly memory: NativeMemory
  readonly pipes: PipeApi
}
