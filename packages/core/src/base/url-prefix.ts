import { isIPv4, isIPv6 } from 'node:net'
import { domainToASCII, domainToUnicode } from 'node:url'
import { HttpSysError } from './errors.ts'

/** Recognises prefixes across copies of this package in one process. */
const kUrlPrefix = Symbol.for('httpsys.UrlPrefix')

const DEFAULT_BASE = 'http://localhost:8080'

/** How a request finds a prefix, strongest first (HTTP Server API, "UrlPrefix Strings"). */
export type HostCategory = 'strong-wildcard' | 'explicit' | 'ip-bound' | 'subdomain-wildcard' | 'weak-wildcard'

/**
 * What a second claim of a prefix means: `create` fails when somebody has it, `attach` joins the processes that have it, which
 * then get requests in turn.
 */
export type ClaimMode = 'create' | 'attach'

/** Settings of {@link prefix}. */
export interface PrefixOptions {
  /**
   * `scheme://host:port` that a short form like `/2/` is put on.
   * @defaultValue `HTTPSYS_BASE`, else `http://localhost:8080`
   */
  readonly base?: string
  /**
   * Whether the app sees URLs without the prefix, as a mounted app does; adapters set it, plain http keeps the full path.
   * @defaultValue the adapter's choice
   */
  readonly strip?: boolean
  /** @defaultValue `create` */
  readonly mode?: ClaimMode
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
  /** 1 to 65535, or 0 for a port that the broker picks; `server.address()` tells which. */
  readonly port: number
  /** Begins and ends with a slash, as given. */
  readonly path: string
  readonly category: HostCategory
  mode: ClaimMode
  strip: boolean | undefined

  private constructor(scheme: 'http' | 'https', host: string, port: number, path: string) {
    this.scheme = scheme
    this.host = host
    this.port = port
    this.path = path
    this.category = categoryOf(host)
    this.mode = 'create'
    this.strip = undefined
    Object.defineProperty(this, kUrlPrefix, { value: true })
  }

  /**
   * Reads a full UrlPrefix string.
   *
   * @throws HttpSysError `EINVAL`, naming the rule that the text breaks.
   */
  static parse(text: string, options: { mode?: ClaimMode | undefined; strip?: boolean | undefined } = {}): UrlPrefix {
    const match = /^([a-z]+):\/\/([^/]*?)(?::([^:/\]]*))?(\/.*)?$/is.exec(text)
    if (match === null) throw invalid(text, 'it is not of the form scheme://host:port/path/', 'Write http://localhost:8080/2/')
    const [, scheme = '', host = '', port, path] = match
    if (scheme !== 'http' && scheme !== 'https') throw invalidScheme(text, scheme)
    const result = new UrlPrefix(scheme, parseHost(text, host), parsePort(text, scheme, host, port), parsePath(text, path))
    result.mode = checkMode(text, options.mode ?? 'create')
    result.strip = options.strip
    return result
  }

  get href(): string {
    return `${this.scheme}://${this.host}:${this.port}${this.path}`
  }

  /** Equal for prefixes that can't be claimed side by side. */
  get key(): string {
    return this.href.toLowerCase()
  }

  /** Only clients on this machine can reach it. */
  get isLoopback(): boolean {
    return this.host === 'localhost' || this.host === '[::1]' || (isIPv4(this.host) && this.host.startsWith('127.'))
  }

  /** How many path segments a request must share: `/` has 0, `/2/3/` has 2. */
  get segmentCount(): number {
    return this.path.split('/').length - 2
  }

  /** The same prefix on another port. */
  withPort(port: number): UrlPrefix {
    const result = new UrlPrefix(this.scheme, this.host, port, this.path)
    result.mode = this.mode
    result.strip = this.strip
    return result
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
  if (typeof text !== 'string') throw invalid(String(text), 'it is not a string', 'Write a path such as "/2/"')
  if (options.strip !== undefined && typeof options.strip !== 'boolean') {
    throw invalid(text, `strip is ${JSON.stringify(options.strip)}, not true or false`, 'Leave strip out or give a boolean')
  }
  if (!text.startsWith('/')) {
    if (/^[a-z]+:\/\//i.test(text)) return UrlPrefix.parse(text, options)
    throw invalid(text, 'it begins neither with a slash nor with http:// or https://', `Write "/${text.replace(/\/?$/, '/')}"`)
  }
  const base = options.base ?? (process.env['HTTPSYS_BASE'] || DEFAULT_BASE)
  const source = options.base === undefined ? 'HTTPSYS_BASE' : 'base'
  if (typeof base !== 'string' || !/^[a-z]+:\/\/[^/]+(?:\/.*)?$/i.test(base)) {
    throw invalid(String(base), `${source} is not of the form scheme://host:port`, 'Write http://localhost:8080')
  }
  return UrlPrefix.parse(base.replace(/\/$/, '') + text, options)
}

function parseHost(text: string, host: string): string {
  if (host === '') throw invalid(text, 'the host is missing', 'Write localhost, a host name, an address, + or *')
  if (host === '+' || host === '*') return host
  if (host.startsWith('[')) {
    const address = host.slice(1, -1)
    if (!host.endsWith(']') || !isIPv6(address) || address.includes('%')) {
      throw invalid(text, `"${host}" is not an IPv6 address`, 'Write it in brackets, such as [::1]')
    }
    return new URL(`http://${host}/`).hostname
  }
  if (isIPv4(host)) return host
  const name = host.startsWith('*.') ? host.slice(2) : host
  const ascii = /^[\d.]+$/.test(name) ? '' : domainToASCII(name)
  if (ascii === '' || !/^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/.test(ascii)) {
    throw invalid(text, `"${host}" is not a host name`, 'Write localhost, a host name, an address, + or *')
  }
  return (host.startsWith('*.') ? '*.' : '') + domainToUnicode(ascii)
}

function parsePort(text: string, scheme: string, host: string, port: string | undefined): number {
  if (port === undefined || port === '') {
    const usual = scheme === 'https' ? 443 : 80
    throw invalid(text, 'the port is missing', `Write ${scheme}://${host}:${usual}/ with the port, even when it is the usual one`)
  }
  const number = Number(port)
  if (!/^(0|[1-9]\d{0,4})$/.test(port) || number > 65535) {
    throw invalid(text, `port "${port}" is not a number from 1 to 65535 without leading zeros`, 'Write a port such as 8080')
  }
  return number
}

function parsePath(text: string, path: string | undefined): string {
  if (path === undefined) throw invalid(text, 'the path is missing', `Write "${text}/"`)
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u0020\u007f]/.test(path)) throw invalid(text, 'the path has white space or control characters', 'Leave them out')
  if (/[?#]/.test(path)) throw invalid(text, 'a prefix has no query and no fragment', 'End it before the ? or #')
  if (path.includes('\\')) throw invalid(text, 'the path has a backslash', `Write "${text.replaceAll('\\', '/')}"`)
  if (path.includes('%')) throw invalid(text, 'the path is percent-encoded', `Write "${decoded(text)}"`)
  if (path.includes('//')) throw invalid(text, 'the path has an empty segment', 'Write single slashes')
  if (/\/\.{1,2}(\/|$)/.test(path)) throw invalid(text, 'the path has a dot segment', 'Write the path that it leads to')
  if (!path.endsWith('/')) throw invalid(text, 'the path does not end with a slash', `Write "${text}/"`)
  return path
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text.replaceAll('%', '')
  }
}

function checkMode(text: string, mode: unknown): ClaimMode {
  if (mode === 'create' || mode === 'attach') return mode
  throw invalid(text, `mode is ${JSON.stringify(mode)}`, "Write mode: 'create' or mode: 'attach'")
}

function categoryOf(host: string): HostCategory {
  if (host === '+') return 'strong-wildcard'
  if (host === '*') return 'weak-wildcard'
  if (host.startsWith('*.')) return 'subdomain-wildcard'
  return host.startsWith('[') || isIPv4(host) ? 'ip-bound' : 'explicit'
}

function invalidScheme(text: string, scheme: string): HttpSysError {
  const lower = scheme.toLowerCase()
  if (lower === 'http' || lower === 'https') {
    return invalid(text, 'the scheme is not in lower case', `Write "${lower}${text.slice(scheme.length)}"`)
  }
  return invalid(text, `the scheme is "${scheme}"`, 'Write http:// or https://')
}

function invalid(text: string, reason: string, remedy: string): HttpSysError {
  return new HttpSysError({ code: 'EINVAL', syscall: 'prefix', subject: JSON.stringify(text), reason, remedy: `${remedy}.` })
}
