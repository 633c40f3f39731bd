import { MAX_COUNT, MAX_HEAD_BYTES, MAX_TIME_MS, flagsOf, readFlags, readSettings } from '../../base/setting-rules.ts'
import type { SettingRules } from '../../base/setting-rules.ts'
import type { BrokenRule } from '../../base/url-prefix-syntax.ts'

/** What holds for every connection of a broker, before it is known which prefix a request is for. Names are HTTP.SYS's. */
export interface ServerLimits {
  /** From the first byte of a head to its end; milliseconds, 0 for no limit. */
  readonly headerWaitTimeout: number
  /** Between a response and the next request; milliseconds, 0 for no limit. */
  readonly idleConnectionTimeout: number
  /** Client connections at a time; 0 for no limit. */
  readonly maxServerConnections: number
  /** Bytes of one header field, name and value; 0 for no limit. */
  readonly maxFieldLength: number
  /** Bytes of a whole head, the request line included; 0 for as many as there can be, 65535. */
  readonly maxRequestBytes: number
  /** Bytes of a segment of a URL's path, as it is on the wire; 0 for no limit. */
  readonly urlSegmentMaxLength: number
  /** Segments of a URL's path; 0 for no limit. */
  readonly urlSegmentMaxCount: number
  /** Bytes of all responses in the cache together; 0 for no cache. */
  readonly responseCacheBytes: number
  /** Bytes of the body of a response in the cache. */
  readonly uriMaxUriBytes: number
  /** How long a request waits for the response to another one for the same; milliseconds, 0 for not at all. */
  readonly responseCacheWait: number
  /**
   * From a hand-over to a successor until WebSockets that are still open are closed with 1012, and other requests broken off;
   * milliseconds, 0 for no limit.
   */
  readonly shutdownTimeout: number
}

/** HTTP.SYS's, where it has them. */
export const DEFAULT_SERVER_LIMITS: ServerLimits = {
  headerWaitTimeout: 120_000,
  idleConnectionTimeout: 120_000,
  maxServerConnections: 0,
  maxFieldLength: 16_384,
  maxRequestBytes: 16_384,
  urlSegmentMaxLength: 260,
  urlSegmentMaxCount: 255,
  responseCacheBytes: 64 * 1024 * 1024,
  uriMaxUriBytes: 262_144,
  responseCacheWait: 5000,
  shutdownTimeout: 0,
}

/** An owner may send all of a body that is to be stored without waiting for its client. */
const MAX_CACHED_BODY = 16 * 1024 * 1024

const RULES: SettingRules<ServerLimits> = {
  headerWaitTimeout: { variable: 'HTTPSYS_HEADER_WAIT_TIMEOUT', allowed: MAX_TIME_MS },
  idleConnectionTimeout: { variable: 'HTTPSYS_IDLE_CONNECTION_TIMEOUT', allowed: MAX_TIME_MS },
  maxServerConnections: { variable: 'HTTPSYS_MAX_SERVER_CONNECTIONS', allowed: MAX_COUNT },
  maxFieldLength: { variable: 'HTTPSYS_MAX_FIELD_LENGTH', allowed: MAX_HEAD_BYTES },
  maxRequestBytes: { variable: 'HTTPSYS_MAX_REQUEST_BYTES', allowed: MAX_HEAD_BYTES },
  urlSegmentMaxLength: { variable: 'HTTPSYS_URL_SEGMENT_MAX_LENGTH', allowed: MAX_HEAD_BYTES },
  urlSegmentMaxCount: { variable: 'HTTPSYS_URL_SEGMENT_MAX_COUNT', allowed: MAX_HEAD_BYTES },
  responseCacheBytes: { variable: 'HTTPSYS_RESPONSE_CACHE_BYTES', allowed: MAX_COUNT },
  uriMaxUriBytes: { variable: 'HTTPSYS_URI_MAX_URI_BYTES', allowed: MAX_CACHED_BODY },
  responseCacheWait: { variable: 'HTTPSYS_RESPONSE_CACHE_WAIT', allowed: MAX_TIME_MS },
  shutdownTimeout: { variable: 'HTTPSYS_SHUTDOWN_TIMEOUT', allowed: MAX_TIME_MS },
}

/** The limits that the environment sets, or what is wrong with one. */
export function readServerLimits(env: NodeJS.ProcessEnv): Partial<ServerLimits> | BrokenRule {
  return readSettings<Partial<ServerLimits>>(RULES, {}, env)
}

/** The options of `httpsys serve` that set limits: `--header-wait-timeout` and so on. */
export const LIMIT_FLAGS: readonly string[] = flagsOf(RULES)

/** The limits that options of a command set, by {@link LIMIT_FLAGS}, or what is wrong with one. */
export function readLimitFlags(flags: Readonly<Record<string, unknown>>): Partial<ServerLimits> | BrokenRule {
  return readFlags<Partial<ServerLimits>>(RULES, flags)
}
