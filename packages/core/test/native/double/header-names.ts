import { constant } from './golden.ts'

/** HTTP_HEADER_ID: the first twenty are common to requests and responses. */
const COMMON = `Cache-Control Connection Date Keep-Alive Pragma Trailer Transfer-Encoding Upgrade Via Warning Allow Content-Length
  Content-Type Content-Encoding Content-Language Content-Location Content-MD5 Content-Range Expires Last-Modified`
const OF_REQUESTS = `Accept Accept-Charset Accept-Encoding Accept-Language Authorization Cookie Expect From Host If-Match
  If-Modified-Since If-None-Match If-Range If-Unmodified-Since Max-Forwards Proxy-Authorization Referer Range TE Translate User-Agent`
const OF_RESPONSES = `Accept-Ranges Age ETag Location Proxy-Authenticate Retry-After Server Set-Cookie Vary WWW-Authenticate`

export const REQUEST_HEADERS = `${COMMON} ${OF_REQUESTS}`.split(/\s+/)
export const RESPONSE_HEADERS = `${COMMON} ${OF_RESPONSES}`.split(/\s+/)

/** HTTP_VERB; index 0 to 2 are no verbs of the wire. */
const OF_VERBS = `OPTIONS GET HEAD POST PUT DELETE TRACE CONNECT TRACK MOVE COPY PROPFIND PROPPATCH MKCOL LOCK UNLOCK SEARCH`
export const VERBS = ['', '', '', ...OF_VERBS.split(' ')]
export const VERB_UNKNOWN = 1

const isComplete =
  REQUEST_HEADERS.length === constant('HttpHeaderRequestMaximum') &&
  RESPONSE_HEADERS.length === constant('HttpHeaderResponseMaximum') &&
  VERBS.length === constant('HttpVerbMaximum')
if (!isComplete) throw new Error('the lists do not agree with http.h')
