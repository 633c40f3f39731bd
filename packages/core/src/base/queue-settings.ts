import type { BrokenRule } from './url-prefix-syntax.ts'
import { inspect } from 'node:util'

/**
 * What a client is told when its request is turned away because of load or because no process serves its prefix: `basic` breaks
 * the connection, `limited` answers 503 without a reason, `full` with one.
 *
 * @see HTTP_503_RESPONSE_VERBOSITY
 */
export type Verbosity503 = 'basic' | 'limited' | 'full'

/** Settings of one request queue, that is of one prefix; what is not given has its default. Times are milliseconds. */
export interface QueueSettings {
  /**
   * How long requests wait for the next owner when the last one has gone.
   * @defaultValue 2000 after a process died, 0 after a server was closed; a value that is given counts for both
   */
  readonly holdFor?: number | undefined
  /** Requests that wait at most, for the next owner or for one that does not read. @defaultValue 1000 */
  readonly queueLength?: number | undefined
  /** How long a request waits at most for an owner that does not read (HTTP.SYS: RequestQueue). @defaultValue 120000 */
  readonly requestQueueTimeout?: number | undefined
  /** @defaultValue `full` */
  readonly verbosity503?: Verbosity503 | undefined
}

interface Rule {
  readonly variable: string
  /** The largest number, or the texts that are allowed. */
  readonly allowed: number | readonly string[]
}

/** A day: longer than any of these times makes sense, and far below what timers can do. */
const MAX_TIME_MS = 86_400_000

const RULES: { readonly [Name in keyof Required<QueueSettings>]: Rule } = {
  holdFor: { variable: 'HTTPSYS_HOLD_FOR', allowed: MAX_TIME_MS },
  queueLength: { variable: 'HTTPSYS_QUEUE_LENGTH', allowed: 1_000_000 },
  requestQueueTimeout: { variable: 'HTTPSYS_REQUEST_QUEUE_TIMEOUT', allowed: MAX_TIME_MS },
  verbosity503: { variable: 'HTTPSYS_503_VERBOSITY', allowed: ['basic', 'limited', 'full'] },
}

/** The names of all settings. */
export const QUEUE_SETTINGS = Object.keys(RULES) as (keyof QueueSettings)[]

/** Takes the settings out of an object that may hold more, and those that it does not have from the environment. */
export function readQueueSettings(options: object, env: NodeJS.ProcessEnv): QueueSettings | BrokenRule {
  const settings: Record<string, unknown> = {}
  for (const name of QUEUE_SETTINGS) {
    const { variable, allowed } = RULES[name]
    const given = (options as Record<string, unknown>)[name]
    if (given !== undefined) {
      if (!isAllowed(given, allowed)) return broken(name, given, allowed, `${name}: `)
      settings[name] = given
    } else if (env[variable]) {
      const text = env[variable]
      const value = typeof allowed === 'number' && /^\d{1,9}$/.test(text) ? Number(text) : text
      if (!isAllowed(value, allowed)) return broken(variable, text, allowed, `${variable}=`)
      settings[name] = value
    }
  }
  return settings
}

function isAllowed(value: unknown, allowed: Rule['allowed']): boolean {
  if (typeof allowed !== 'number') return allowed.includes(value as string)
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= allowed
}

function broken(name: string, value: unknown, allowed: Rule['allowed'], assignment: string): BrokenRule {
  const shown = inspect(value, { depth: 0, breakLength: Infinity }).slice(0, 100)
  const remedy =
    typeof allowed === 'number'
      ? `Write ${assignment}and a whole number from 0 to ${allowed}`
      : `Write one of ${allowed.map((text) => `${assignment}${text}`).join(', ')}`
  return { reason: `${name} is ${shown}`, remedy }
}
