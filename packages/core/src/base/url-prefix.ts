import { isIPv4 } from 'node:net'
import { inspect } from 'node:util'
import { HttpSysError } from './errors.ts'
import { readQueueSettings } from './queue-settings.ts'
import type { QueueSettings } from './queue-settings.ts'
import { brokenPathRule, correctedPath, correctedUrlPrefix, isBroken, readUrlPrefix } from './url-prefix-syntax.ts'
import type { BrokenRule, UrlPrefixParts } from './url-prefix-syntax.ts'

/** Recognises prefixes across copies of this package in one process. */
const kUrlPrefix = Symbol.for('httpsys.UrlPrefix')

const DEFAULT_BASE = 'http://localhost:8080'

/** How a request finds a prefix, strongest first (HTTP Server API, "UrlPrefix Strings"). */
export type HostCategory = 'strong-wildcard' | 'explicit' | 'ip-bound' | 'subdomain-wildcard' | 'weak-wildcard'

/**
 * What a second claim of a prefix means: `create` fails when somebody has it, `attach` joins the processes that have it, which
 * then get requests in turn, `takeover` gets every request from now on, while those that had it finish what they have begun.
 */
export type ClaimMode = 'create' | 'attach' | 'takeover'

const CLAIM_MODES: readonly unknown[] = ['create', 'attach', 'takeover'] satisfies ClaimMode[]

/** Whether a value, perhaps from elsewhere, is a claim mode. */
export function isClaimMode(value: unknown): value is ClaimMode {
  return CLAIM_MODES.includes(value)
}

/** Settings of {@link UrlPrefix.parse}. */
export interface UrlPrefixOptions extends QueueSettings {
  /**
   * Whether the app sees URLs without the prefix, as a mounted app does; adapters set it, plain http keeps the full path.
   * @defaultValue the adapter's choice
   */
  readonly strip?: boolean | undefined
  /** @defaultValue `HTTPSYS_MODE`, else `create` */
  readonly mode?: ClaimMode | undefined
}

/** Settings of {@link prefix}. */
export interface PrefixOptions extends UrlPrefixOptions {
  /**
   * `scheme://host:port` that a short form like `/2/` is put on; a path of its own goes in front.
   * @defaultValue `HTTPSYS_BASE`, else `http://localhost:8080`
   */
  readonly base?: string | undefined
}

/**
 * A URL prefix that a process can claim: `scheme://host:port/path/`.
 *
 * Given to `listen` in place of a port. The object is extensible since frameworks write into listen options, and its `path`
 * keeps Fastify from adding a host of its own.
 *
 * @see https://learn.microsoft.com/windows/win32/http/urlprefix-strings
 */
export class UrlPrefix {
  readonly scheme: 'http' | 'https'
  /** Lower case, Unicode: a name, an address literal, `+`, `*` or `*.name`. */
  readonly host: string
  /** 1 to 65535, or 0 (ours, not HTTP.SYS's) for a port that the broker picks; `server.address()` tells which. */
  readonly port: number
  /** Begins and ends with a slash, as given. */
  readonly path: string
  readonly category: HostCategory
  strip: boolean | undefined
  mode: ClaimMode
  /** Of its request queue; what is missing has its default. */
  readonly settings: QueueSettings

  private constructor(parts: UrlPrefixParts, mode: ClaimMode, strip: boolean | undefined, settings: QueueSettings) {
    this.scheme = parts.scheme
    this.host = parts.host
    this.port = parts.port
    this.path = parts.path
    this.category = categoryOf(parts.host)
    this.strip = strip
    this.mode = mode
    this.settings = settings
    Object.defineProperty(this, kUrlPrefix, { value: true })
  }

  /**
   * Reads a full UrlPrefix string.
   *
   * @throws HttpSysError `EINVAL`, naming the rule that the text breaks and the string that was probably meant.
   */
  static parse(text: string, options: UrlPrefixOptions = {}): UrlPrefix {
    checkString(text)
    const settings = checkOptions(text, options)
    const parts = readUrlPrefix(text)
    if (isBroken(parts)) throw invalid(text, parts, correctedUrlPrefix(text))
    return new UrlPrefix(parts, options.mode ?? 'create', options.strip, settings)
  }

  /** `scheme://host:port/path/` */
  get href(): string {
    return `${this.scheme}://${this.host}:${this.port}${this.path}`
  }

  /** Equal for prefixes that can't be claimed side by side; the host tells the category. */
  get key(): string {
    return this.href.toLowerCase()
  }

  /** Whether only clients on this machine can reach it: `localhost`, 127.x.x.x and [::1]. */
  get isLoopback(): boolean {
    return this.host === 'localhost' || this.host === '[::1]' || (isIPv4(this.host) && this.host.startsWith('127.'))
  }

  /** How many path segments a request must share: `/` has 0, `/2/3/` has 2. */
  get segmentCount(): number {
    return this.path.split('/').length - 2
  }

  /** The same prefix on another port. */
  withPort(port: number): UrlPrefix {
    const parts = { scheme: this.scheme, host: this.host, port, path: this.path }
    return new UrlPrefix(parts, this.mode, this.strip, this.settings)
  }

  /**
   * The same prefix as it is claimed: what was not set is taken from the environment.
   *
   * @throws HttpSysError `EINVAL`, naming the variable.
   */
  withEnvironment(env: NodeJS.ProcessEnv): UrlPrefix {
    const settings = readQueueSettings(this.settings, env)
    if (isBroken(settings)) throw invalid(this.href, settings)
    return new UrlPrefix(this, this.mode, this.strip, settings)
  }

  toString(): string {
    return this.href
  }
}

/** Whether a value is a prefix, also one of another copy of this package. */
export function isUrlPrefix(value: unknown): value is UrlPrefix {
  return typeof value === 'object' && value !== null && kUrlPrefix in value
}

/**
 * The prefix for `listen`: a path like `/2/`, which is put on the base, or a full UrlPrefix string like `http://*:80/2/`.
 *
 * @throws HttpSysError `EINVAL`, naming the rule that the text breaks and how to write it.
 */
export function prefix(text: string, options: PrefixOptions = {}): UrlPrefix {
  checkString(text)
  checkOptions(text, options)
  const own = { ...options, mode: options.mode ?? modeOf(text, process.env['HTTPSYS_MODE']) }
  if (/^[^/?#\\]*:\/\//.test(text)) return UrlPrefix.parse(text, own)
  if (!text.startsWith('/')) {
    const reason = text === '' ? 'it is empty' : 'it begins neither with a slash nor with http:// or https://'
    const isHostAndPort = /^(?:https?:|[^/\\?#]+:\d)/i.test(text)
    const remedy = 'Write a path such as "/2/"'
    throw invalid(text, { reason, remedy }, isHostAndPort ? correctedUrlPrefix(text) : correctedPath(text))
  }
  const rule = brokenPathRule(text)
  if (rule !== undefined) throw invalid(text, rule, correctedPath(text))
  const base = readBase(text, options.base)
  const path = base.path + text.slice(1)
  const joinedRule = brokenPathRule(path)
  if (joinedRule !== undefined) throw invalid(text, joinedRule, undefined)
  return UrlPrefix.parse(`${base.scheme}://${base.host}:${base.port}${path}`, own)
}

function modeOf(text: string, given: string | undefined): ClaimMode {
  if (!given) return 'create'
  if (isClaimMode(given)) return given
  const remedy = 'Write HTTPSYS_MODE=create, HTTPSYS_MODE=attach or HTTPSYS_MODE=takeover'
  throw invalid(text, { reason: `HTTPSYS_MODE is ${shown(given)}`, remedy })
}

function readBase(text: string, given: string | undefined): UrlPrefixParts {
  const [name, base] =
    given === undefined ? ['HTTPSYS_BASE', process.env['HTTPSYS_BASE'] || DEFAULT_BASE] : ['base', given]
  const full = base.endsWith('/') ? base : `${base}/`
  const parts = readUrlPrefix(full)
  if (!isBroken(parts)) return parts
  const reason = `${name} is ${JSON.stringify(base)}: ${parts.reason}`
  throw invalid(text, { reason, remedy: parts.remedy }, correctedUrlPrefix(full)?.replace(/\/$/, ''), `${name} = `)
}

function categoryOf(host: string): HostCategory {
  if (host === '+') return 'strong-wildcard'
  if (host === '*') return 'weak-wildcard'
  if (host.startsWith('*.')) return 'subdomain-wildcard'
  return host.startsWith('[') || isIPv4(host) ? 'ip-bound' : 'explicit'
}

// The checks of types are for callers without TypeScript.

function checkString(text: unknown): void {
  if (typeof text === 'string') return
  throw invalid(shown(text), { reason: 'it is not a string', remedy: 'Write a path such as "/2/"' })
}

function checkOptions(text: string, options: unknown): QueueSettings {
  if (typeof options !== 'object' || options === null) {
    throw invalid(text, { reason: `options is ${shown(options)}`, remedy: 'Leave options out or give an object' })
  }
  const { base, mode, strip } = options as Record<string, unknown>
  if (mode !== undefined && !isClaimMode(mode)) {
    const remedy = "Write mode: 'create', mode: 'attach' or mode: 'takeover'"
    throw invalid(text, { reason: `mode is ${shown(mode)}`, remedy })
  }
  if (strip !== undefined && typeof strip !== 'boolean') {
    throw invalid(text, {
      reason: `strip is ${shown(strip)}`,
      remedy: 'Write strip: true or strip: false, or leave it out',
    })
  }
  if (base !== undefined && typeof base !== 'string') {
    const remedy = 'Write a base such as "http://localhost:8080", or leave it out'
    throw invalid(text, { reason: `base is ${shown(base)}`, remedy })
  }
  const settings = readQueueSettings(options, {})
  if (isBroken(settings)) throw invalid(text, settings)
  return settings
}

function shown(value: unknown): string {
  return inspect(value, { depth: 0, breakLength: Infinity }).slice(0, 100)
}

function invalid(subject: string, { reason, remedy }: BrokenRule, corrected?: string, name = ''): HttpSysError {
  const sentence = corrected === undefined ? remedy : `Write ${name}"${corrected}"`
  return new HttpSysError({ code: 'EINVAL', syscall: 'prefix', subject, reason, remedy: `${sentence}.` })
}
