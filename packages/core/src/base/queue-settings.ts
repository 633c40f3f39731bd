import { MAX_COUNT, MAX_HEAD_BYTES, MAX_TIME_MS, SWITCH, readSettings } from './setting-rules.ts'
import type { SettingRules } from './setting-rules.ts'
import type { BrokenRule } from './url-prefix-syntax.ts'

/**
 * What a client is told when its request is turned away because of load or because no process serves its prefix: `basic` breaks
 * the connection, `limited` answers 503 without a reason, `full` with one.
 *
 * @see HTTP_503_RESPONSE_VERBOSITY
 */
export type Verbosity503 = 'basic' | 'limited' | 'full'

/** Settings of one request queue, that is of one prefix. Times are milliseconds, 0 for no limit unless it says otherwise. */
export interface QueueSettings {
  /**
   * How long requests wait for the next owner when the last one has gone; 0 for not at all.
   * @defaultValue 2000 after a process died or retired, 0 after a server was closed; a value that is given counts for all
   */
  readonly holdFor?: number | undefined
  /** Requests that wait at most, for the next owner or for one that does not read. @defaultValue 1000 */
  readonly queueLength?: number | undefined
  /** How long a request waits at most (HTTP.SYS: RequestQueue). @defaultValue 120000 */
  readonly requestQueueTimeout?: number | undefined
  /**
   * From the first byte of a head to its end, on connections whose last request came here (HTTP.SYS: HeaderWait).
   * @defaultValue the broker's, which counts before the first request
   */
  readonly headerWaitTimeout?: number | undefined
  /** Between a response from here and the next request (HTTP.SYS: IdleConnection). @defaultValue the broker's */
  readonly idleConnectionTimeout?: number | undefined
  /** Between two pieces of an entity body that somebody waits for (HTTP.SYS: EntityBody). @defaultValue 120000 */
  readonly entityBodyTimeout?: number | undefined
  /** From the end of a response to the end of an entity body that nobody wants (HTTP.SYS: DrainEntityBody). @defaultValue 120000 */
  readonly drainEntityBodyTimeout?: number | undefined
  /**
   * Bytes a second that a client must take of a response, on average over 64 KiB; 0 for no limit (HTTP.SYS: MinSendRate).
   * @defaultValue 150
   */
  readonly minSendRate?: number | undefined
  /** Client connections at a time that have sent their last request here; 0 for no limit. @defaultValue 0 */
  readonly maxConnections?: number | undefined
  /** Bytes of an entity body; 0 for no limit. @defaultValue 0 */
  readonly maxBodySize?: number | undefined
  /** Bytes of one header field, name and value. Of these four limits the broker's count as well. @defaultValue the broker's */
  readonly maxFieldLength?: number | undefined
  /** Bytes of a whole head, the request line included. @defaultValue the broker's */
  readonly maxRequestBytes?: number | undefined
  /** Bytes of a segment of a URL's path. @defaultValue the broker's */
  readonly urlSegmentMaxLength?: number | undefined
  /** Segments of a URL's path. @defaultValue the broker's */
  readonly urlSegmentMaxCount?: number | undefined
  /**
   * Responses with `Cache-Control: public` and `max-age` or `s-maxage` are cached, not only those with a `res.cachePolicy`; and of
   * several clients that ask for the same thing at once only one reaches the app, from the first request on.
   * @defaultValue false
   */
  readonly responseCache?: boolean | undefined
  /** @defaultValue `full` */
  readonly verbosity503?: Verbosity503 | undefined
}

/** Settings that have no default of their own: what counts then depends on how the last owner left, or on the broker. */
type Dependent =
  | 'holdFor'
  | 'headerWaitTimeout'
  | 'idleConnectionTimeout'
  | 'maxFieldLength'
  | 'maxRequestBytes'
  | 'urlSegmentMaxLength'
  | 'urlSegmentMaxCount'

/** {@link QueueSettings} without gaps, as far as they have defaults. */
export type CompleteQueueSettings = Required<{
  [Name in Exclude<keyof QueueSettings, Dependent>]: NonNullable<QueueSettings[Name]>
}> &
  Pick<QueueSettings, Dependent>

/** HTTP.SYS's where it has one. */
export const DEFAULT_QUEUE_SETTINGS: CompleteQueueSettings = {
  queueLength: 1000,
  requestQueueTimeout: 120_000,
  entityBodyTimeout: 120_000,
  drainEntityBodyTimeout: 120_000,
  minSendRate: 150,
  maxConnections: 0,
  maxBodySize: 0,
  responseCache: false,
  verbosity503: 'full',
}

/** Fills the gaps of settings that were read with {@link readQueueSettings}. */
export function completeQueueSettings(settings: QueueSettings): CompleteQueueSettings {
  return { ...DEFAULT_QUEUE_SETTINGS, ...settings } as CompleteQueueSettings
}

const RULES: SettingRules<QueueSettings> = {
  holdFor: { variable: 'HTTPSYS_HOLD_FOR', allowed: MAX_TIME_MS },
  queueLength: { variable: 'HTTPSYS_QUEUE_LENGTH', allowed: MAX_COUNT },
  requestQueueTimeout: { variable: 'HTTPSYS_REQUEST_QUEUE_TIMEOUT', allowed: MAX_TIME_MS },
  entityBodyTimeout: { variable: 'HTTPSYS_ENTITY_BODY_TIMEOUT', allowed: MAX_TIME_MS },
  drainEntityBodyTimeout: { variable: 'HTTPSYS_DRAIN_ENTITY_BODY_TIMEOUT', allowed: MAX_TIME_MS },
  minSendRate: { variable: 'HTTPSYS_MIN_SEND_RATE', allowed: MAX_COUNT },
  maxConnections: { variable: 'HTTPSYS_MAX_CONNECTIONS', allowed: MAX_COUNT },
  maxBodySize: { variable: 'HTTPSYS_MAX_BODY_SIZE', allowed: Number.MAX_SAFE_INTEGER },
  headerWaitTimeout: { variable: 'HTTPSYS_HEADER_WAIT_TIMEOUT', allowed: MAX_TIME_MS },
  idleConnectionTimeout: { variable: 'HTTPSYS_IDLE_CONNECTION_TIMEOUT', allowed: MAX_TIME_MS },
  maxFieldLength: { variable: 'HTTPSYS_MAX_FIELD_LENGTH', allowed: MAX_HEAD_BYTES },
  maxRequestBytes: { variable: 'HTTPSYS_MAX_REQUEST_BYTES', allowed: MAX_HEAD_BYTES },
  urlSegmentMaxLength: { variable: 'HTTPSYS_URL_SEGMENT_MAX_LENGTH', allowed: MAX_HEAD_BYTES },
  urlSegmentMaxCount: { variable: 'HTTPSYS_URL_SEGMENT_MAX_COUNT', allowed: MAX_HEAD_BYTES },
  responseCache: { variable: 'HTTPSYS_RESPONSE_CACHE', allowed: SWITCH },
  verbosity503: { variable: 'HTTPSYS_503_VERBOSITY', allowed: ['basic', 'limited', 'full'] },
}

/** The settings in an object that may hold more; those that it does not have are taken from the environment. */
export function readQueueSettings(options: object, env: NodeJS.ProcessEnv): QueueSettings | BrokenRule {
  return readSettings(RULES, options, env)
}
