/**
 * Sizes and offsets of the structs of http.h on 64-bit Windows, x64 and arm64 alike; `$size` is of the whole struct.
 *
 * Only what is used; compared with what a C compiler says on every run of the tests (`test/native/layout.test.ts`); names are the header's.
 */
export const HTTP_REQUEST = {
  Flags: 0,
  ConnectionId: 8,
  RequestId: 16,
  Version: 32,
  Verb: 36,
  UnknownVerbLength: 40,
  RawUrlLength: 42,
  pUnknownVerb: 48,
  pRawUrl: 56,
  Address: 104,
  Headers: 120,
  EntityChunkCount: 816,
  pEntityChunks: 824,
  pSslInfo: 840,
  RequestInfoCount: 848,
  pRequestInfo: 856,
} as const

/** HTTP_REQUEST_HEADERS and HTTP_RESPONSE_HEADERS differ only in how many known headers there are. */
export const HTTP_HEADERS = {
  UnknownHeaderCount: 0,
  pUnknownHeaders: 8,
  KnownHeaders: 32,
} as const

export const HTTP_RESPONSE = {
  $size: 568,
  Version: 4,
  StatusCode: 8,
  ReasonLength: 10,
  pReason: 16,
  Headers: 24,
  EntityChunkCount: 536,
  pEntityChunks: 544,
} as const

export const HTTP_KNOWN_HEADER = { $size: 16, RawValueLength: 0, pRawValue: 8 } as const
export const HTTP_UNKNOWN_HEADER = { $size: 24, NameLength: 0, RawValueLength: 2, pName: 8, pRawValue: 16 } as const

export const HTTP_DATA_CHUNK = {
  $size: 32,
  DataChunkType: 0,
  'FromMemory.pBuffer': 8,
  'FromMemory.BufferLength': 16,
  'Trailers.TrailerCount': 8,
  'Trailers.pTrailers': 16,
} as const

export const HTTP_TRANSPORT_ADDRESS = { pRemoteAddress: 0, pLocalAddress: 8 } as const
export const HTTP_REQUEST_INFO = { $size: 16, InfoType: 0, InfoLength: 4, pInfo: 8 } as const

export const HTTP_SSL_PROTOCOL_INFO = { Protocol: 0 } as const
/** Counts of the performance counter behind one another, by HTTP_REQUEST_TIMING_TYPE. */
export const HTTP_REQUEST_TIMING_INFO = { RequestTiming: 8 } as const
/** Of schannel.h; the text has 64 WCHARs. */
export const SecPkgContext_CipherInfo = { $size: 680, szCipherSuite: 16 } as const

export const HTTP_SSL_INFO = {
  $size: 48,
  pClientCertInfo: 32,
} as const

export const HTTP_SSL_CLIENT_CERT_INFO = {
  $size: 32,
  CertFlags: 0,
  CertEncodedSize: 4,
  pCertEncoded: 8,
} as const

export const HTTP_CACHE_POLICY = { $size: 8, Policy: 0, SecondsToLive: 4 } as const
export const HTTP_BINDING_INFO = { $size: 16, Flags: 0, RequestQueueHandle: 8 } as const

/** Times are USHORTs of seconds, the rate is a ULONG of bytes a second. */
export const HTTP_TIMEOUT_LIMIT_INFO = {
  $size: 20,
  Flags: 0,
  EntityBody: 4,
  DrainEntityBody: 6,
  RequestQueue: 8,
  IdleConnection: 10,
  HeaderWait: 12,
  MinSendRate: 16,
} as const

export const HTTP_QOS_SETTING_INFO = { $size: 16, QosType: 0, QosSetting: 8 } as const
export const HTTP_CONNECTION_LIMIT_INFO = { $size: 8, Flags: 0, MaxConnections: 4 } as const

export const OVERLAPPED = { $size: 32, Internal: 0, InternalHigh: 8 } as const
export const OVERLAPPED_ENTRY = {
  $size: 32,
  lpOverlapped: 8,
  Internal: 16,
  dwNumberOfBytesTransferred: 24,
} as const

export const SECURITY_ATTRIBUTES = { $size: 24, nLength: 0, lpSecurityDescriptor: 8 } as const
export const SOCKADDR_IN = { $size: 16, sin_family: 0, sin_port: 2, sin_addr: 4 } as const
/** Family and port are where SOCKADDR_IN has them. */
export const SOCKADDR_IN6 = { $size: 28, sin6_addr: 8 } as const
