import type { Reason } from './reasons.ts'

/** Why the broker answers a request by itself. */
export interface Reject {
  readonly status: number
  readonly reason: Reason
  /** One sentence for whoever debugs the client. */
  readonly detail: string
}

/** No prefix on the port is for this host. */
export const UNKNOWN_HOST: Reject = {
  status: 400,
  reason: 'Hostname',
  detail: 'no prefix on this port is registered for this host.',
}
/** The host asks its clients for certificates, and this connection began with another host. */
export const MISDIRECTED: Reject = {
  status: 421,
  reason: 'Hostname',
  detail: 'this host wants client certificates, and the connection was made for another host.',
}
export const BAD_HOST: Reject = { status: 400, reason: 'Hostname', detail: 'the Host field is not a host name.' }
export const AMBIGUOUS_PATH: Reject = {
  status: 400,
  reason: 'URL',
  detail: 'the path can be read in two ways that belong to different prefixes.',
}
export const NO_PREFIX: Reject = {
  status: 404,
  reason: 'NotFound',
  detail: 'no process has claimed a prefix for this path.',
}
/** The owner died with the request, which can't be given to another. */
export const ABANDONED: Reject = {
  status: 502,
  reason: 'Connection_Abandoned_By_AppPool',
  detail: 'the process that owns this prefix ended before it answered.',
}

// 503: the setting `verbosity503` says what the client sees of them.
export const QUEUE_FULL: Reject = {
  status: 503,
  reason: 'QueueFull',
  detail: 'too many requests wait for the process that owns this prefix.',
}
export const APP_OFFLINE: Reject = {
  status: 503,
  reason: 'AppOffline',
  detail: 'the process that owned this prefix has gone, and no other has claimed it in time.',
}
export const TOO_MANY_CONNECTIONS: Reject = {
  status: 503,
  reason: 'ConnLimit',
  detail: 'this prefix has as many connections as it may.',
}
export const APP_SHUTDOWN: Reject = { status: 503, reason: 'AppShutdown', detail: 'the server is shutting down.' }
export const TIMER_REQUEST_QUEUE: Reject = {
  status: 503,
  reason: 'Timer_ReqQueue',
  detail: 'the process that owns this prefix has not taken the request in time.',
}

export const REJECT_LINE = -1
export const REJECT_VERB = -2
export const REJECT_TARGET = -3
export const REJECT_TARGET_TOO_LONG = -4
export const REJECT_VERSION = -5
export const REJECT_LINE_BREAK = -6
export const REJECT_FIELD = -7
export const REJECT_HEAD_TOO_LONG = -8
export const REJECT_HOST = -9
export const REJECT_CONTENT_LENGTH = -10
export const REJECT_CODING = -11
export const REJECT_FRAMING = -12
export const REJECT_CHUNK = -13
export const REJECT_CONNECT = -14
export const REJECT_TRAILER = -15
export const REJECT_TIMEOUT = -16
export const REJECT_EXTENSIONS = -17
export const REJECT_EOF = -18
export const REJECT_FIELD_TOO_LONG = -19
export const REJECT_SEGMENTS = -20
export const REJECT_BODY_TOO_LONG = -21
/** A kind of {@link REJECT_LINE_BREAK} with a name of its own in node:http's parser. */
export const REJECT_BARE_CR = -22
/** The same of {@link REJECT_CONTENT_LENGTH}. */
export const REJECT_SECOND_LENGTH = -23

const LINE_BREAK: Reject = {
  status: 400,
  reason: 'Invalid_CR/LF',
  detail: 'Lines must end with CR LF, and neither may stand alone.',
}
const CONTENT_LENGTH: Reject = {
  status: 400,
  reason: 'Number',
  detail: 'Content-Length must be one decimal number, given once.',
}

const rejects: Record<number, Reject> = {
  [REJECT_LINE]: { status: 400, reason: 'BadRequest', detail: 'The request line is not "METHOD target HTTP/1.1".' },
  [REJECT_VERB]: { status: 400, reason: 'Verb', detail: 'The method is not a token of at most 32 characters.' },
  [REJECT_TARGET]: { status: 400, reason: 'URL', detail: 'The request target is malformed.' },
  [REJECT_TARGET_TOO_LONG]: { status: 414, reason: 'URL_Length', detail: 'The request line is longer than the limit.' },
  [REJECT_VERSION]: { status: 505, reason: 'Version_N/S', detail: 'Only HTTP/1.1 and HTTP/1.0 are spoken here.' },
  [REJECT_LINE_BREAK]: LINE_BREAK,
  [REJECT_BARE_CR]: LINE_BREAK,
  [REJECT_FIELD]: { status: 400, reason: 'Header', detail: 'A header field is malformed.' },
  [REJECT_HEAD_TOO_LONG]: {
    status: 431,
    reason: 'RequestLength',
    detail: 'The header fields are longer than the limit.',
  },
  [REJECT_FIELD_TOO_LONG]: { status: 431, reason: 'FieldLength', detail: 'A header field is longer than the limit.' },
  [REJECT_SEGMENTS]: {
    status: 400,
    reason: 'URL',
    detail: 'The path has more segments than the limit, or a longer one.',
  },
  [REJECT_BODY_TOO_LONG]: {
    status: 413,
    reason: 'EntityTooLarge',
    detail: 'The entity body is longer than the limit of this prefix.',
  },
  [REJECT_HOST]: { status: 400, reason: 'Hostname', detail: 'Exactly one valid Host field is required.' },
  [REJECT_CONTENT_LENGTH]: CONTENT_LENGTH,
  [REJECT_SECOND_LENGTH]: CONTENT_LENGTH,
  [REJECT_CODING]: { status: 501, reason: 'N/I', detail: 'The only transfer coding supported is chunked.' },
  [REJECT_FRAMING]: {
    status: 400,
    reason: 'BadRequest',
    detail: 'Transfer-Encoding may stand once, in HTTP/1.1, and not beside Content-Length.',
  },
  [REJECT_CHUNK]: { status: 400, reason: 'BadRequest', detail: 'The chunked entity body is malformed.' },
  [REJECT_CONNECT]: { status: 501, reason: 'N/I', detail: 'CONNECT is for proxies; this server is none.' },
  [REJECT_TRAILER]: {
    status: 400,
    reason: 'Header',
    detail: 'A trailer field is malformed, too long, or may not be a trailer.',
  },
  [REJECT_TIMEOUT]: { status: 408, reason: 'Timer_HeaderWait', detail: 'The request did not arrive in time.' },
  [REJECT_EXTENSIONS]: { status: 413, reason: 'BadRequest', detail: 'The chunk extensions are longer than the limit.' },
}

/** The refusal behind a negative result of a parser. */
export function rejectOf(code: number): Reject {
  return rejects[code] ?? rejects[REJECT_LINE]!
}

/** The codes that node:http's parser has for the same; `'clientError'` hands them to apps. */
const PARSER_CODES: Record<number, string> = {
  [REJECT_LINE]: 'HPE_INVALID_CONSTANT',
  [REJECT_VERB]: 'HPE_INVALID_METHOD',
  [REJECT_TARGET]: 'HPE_INVALID_URL',
  [REJECT_TARGET_TOO_LONG]: 'HPE_HEADER_OVERFLOW',
  [REJECT_VERSION]: 'HPE_INVALID_VERSION',
  [REJECT_LINE_BREAK]: 'HPE_CR_EXPECTED',
  [REJECT_BARE_CR]: 'HPE_LF_EXPECTED',
  [REJECT_FIELD]: 'HPE_INVALID_HEADER_TOKEN',
  [REJECT_HEAD_TOO_LONG]: 'HPE_HEADER_OVERFLOW',
  [REJECT_CONTENT_LENGTH]: 'HPE_INVALID_CONTENT_LENGTH',
  [REJECT_SECOND_LENGTH]: 'HPE_UNEXPECTED_CONTENT_LENGTH',
  [REJECT_CODING]: 'HPE_INVALID_TRANSFER_ENCODING',
  [REJECT_FRAMING]: 'HPE_INVALID_TRANSFER_ENCODING',
  [REJECT_CHUNK]: 'HPE_INVALID_CHUNK_SIZE',
  [REJECT_TRAILER]: 'HPE_INVALID_HEADER_TOKEN',
  [REJECT_TIMEOUT]: 'ERR_HTTP_REQUEST_TIMEOUT',
  [REJECT_EOF]: 'HPE_INVALID_EOF_STATE',
  [REJECT_EXTENSIONS]: 'HPE_CHUNK_EXTENSIONS_OVERFLOW',
}

/** What node:http calls a refusal. */
export function parserCodeOf(code: number): string {
  return PARSER_CODES[code] ?? 'HPE_INTERNAL'
}
