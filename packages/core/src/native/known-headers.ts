/** Names of HTTP_HEADER_ID in the order of their numbers, in the spelling that HTTP.SYS uses on the wire. */
const COMMON = [
  'Cache-Control',
  'Connection',
  'Date',
  'Keep-Alive',
  'Pragma',
  'Trailer',
  'Transfer-Encoding',
  'Upgrade',
  'Via',
  'Warning',
  'Allow',
  'Content-Length',
  'Content-Type',
  'Content-Encoding',
  'Content-Language',
  'Content-Location',
  'Content-MD5',
  'Content-Range',
  'Expires',
  'Last-Modified',
] as const

/** 41 names: HttpHeaderRequestMaximum. */
export const REQUEST_HEADER_NAMES: readonly string[] = [
  ...COMMON,
  'Accept',
  'Accept-Charset',
  'Accept-Encoding',
  'Accept-Language',
  'Authorization',
  'Cookie',
  'Expect',
  'From',
  'Host',
  'If-Match',
  'If-Modified-Since',
  'If-None-Match',
  'If-Range',
  'If-Unmodified-Since',
  'Max-Forwards',
  'Proxy-Authorization',
  'Referer',
  'Range',
  'TE',
  'Translate',
  'User-Agent',
]

/** 30 names: HttpHeaderResponseMaximum. */
export const RESPONSE_HEADER_NAMES: readonly string[] = [
  ...COMMON,
  'Accept-Ranges',
  'Age',
  'ETag',
  'Location',
  'Proxy-Authenticate',
  'Retry-After',
  'Server',
  'Set-Cookie',
  'Vary',
  'WWW-Authenticate',
]

export const HttpHeaderConnection = 1
export const HttpHeaderDate = 2
export const HttpHeaderTransferEncoding = 6
export const HttpHeaderUpgrade = 7
export const HttpHeaderContentLength = 11
export const HttpHeaderExpect = 26
export const HttpHeaderServer = 26

/**
 * The number of a response header, by its usual spelling. Another spelling is the app's wish, and leaves as an unknown header, which
 * keeps it; except for {@link KERNEL_HEADERS}.
 */
export const RESPONSE_HEADER_IDS: ReadonlyMap<string, number> = new Map(
  RESPONSE_HEADER_NAMES.map((name, id) => [name, id] as const)
    // HTTP.SYS takes this one as its own when it is known (facts of the platform); an app's goes out as it is.
    .filter(([name]) => name !== 'Keep-Alive' && name !== 'Upgrade'),
)

/** Those that HTTP.SYS adds by itself unless it finds them under their number: in any spelling they must be known ones. */
export const KERNEL_HEADERS: ReadonlyMap<string, number> = new Map([
  ['date', HttpHeaderDate],
  ['server', HttpHeaderServer],
])

/** HTTP_VERB in the order of its numbers; undefined where the text stands in the request. */
export const VERBS: readonly (string | undefined)[] = [
  undefined,
  undefined,
  undefined,
  'OPTIONS',
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'TRACE',
  'CONNECT',
  'TRACK',
  'MOVE',
  'COPY',
  'PROPFIND',
  'PROPPATCH',
  'MKCOL',
  'LOCK',
  'UNLOCK',
  'SEARCH',
]
