import { MAX_COUNT, MAX_TIME_MS, SWITCH, readSettings } from './setting-rules.ts'
import type { SettingRules } from './setting-rules.ts'
import type { BrokenRule } from './url-prefix-syntax.ts'

/**
 * What a client is told when its request is turned away because of load or because no process serves its prefix: `basic` breaks
 * the connection, `limited` answers 503 without a reason, `full` with one.
 *
 * @see HTTP_503_RESPONSE_VERBOSITY
 */
export type Verbosity503 = 'basic' | 'limited' | 'full'

/** Settings of one request queue, that is of one prefix. Times are milliseconds. */
export interface QueueSettings {
  /**
   * How long requests wait for the next owner when the last one has gone.
   * @defaultValue 2000 after a process died or retired, 0 after a server was closed; a value that is given counts for all
   */
  readonly holdFor?: number | undefined
  /** Requests that wait at most, for the next owner or for one that does not read. @defaultValue 1000 */
  readonly queueLength?: number | undefined
  /** How long a request waits at most (HTTP.SYS: RequestQueue). @defaultValue 120000 */
  readonly requestQueueTimeout?: number | undefined
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
  /**
   * Responses with `Cache-Control: public` and `max-age` or `s-maxage` are cached, not only those with a `res.cachePolicy`; and of
   * several clients that ask for the same thing at once only one reaches the app, from the first request on.
   * @defaultValue false
   */
  readonly responseCache?: boolean | undefined
  /** @defaultValue `full` */
  readonly verbosity503?: Verbosity503 | undefined
}

/** {@link QueueSettings} without gaps; `holdFor` depends on how the last owner left. */
export type CompleteQueueSettings = Required<{
  [Name in Exclude<keyof QueueSettings, 'holdFor'>]: NonNullable<QueueSettings[Name]>
}> &
  Pick<QueueSettings, 'holdFor'>

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
  responseCache: { variable: 'HTTPSYS_RESPONSE_CACHE', allowed: SWITCH },
  verbosity503: { variable: 'HTTPSYS_503_VERBOSITY', allowed: ['basic', 'limited', 'full'] },
}

/** The settings in an object that may hold more; those that it does not have are taken from the environment. */
export function readQueueSettings(options: object, env: NodeJS.ProcessEnv): QueueSettings | BrokenRule {
  return readSettings(RULES, options, env)
}
