import httpsys from '@httpsys/express'
import type { UrlPrefix } from '@httpsys/express'

/** A setting that can't be used; the message is for whoever set it. */
export class SettingError extends Error {}

/**
 * How many processes the chat has: `CHAT_PROCESSES`, 1 to 99.
 * @defaultValue 8
 * @throws SettingError
 */
export function processCount(): number {
  const text = process.env['CHAT_PROCESSES'] || '8'
  if (/^[1-9]\d?$/.test(text)) return Number(text)
  throw new SettingError(`CHAT_PROCESSES is "${text}": give a number from 1 to 99.`)
}

/**
 * What the prefixes are put on: `HTTPSYS_BASE` if it is set, else `PORT` on localhost, else the default.
 * @throws SettingError
 * @throws HttpSysError `EINVAL` for a base that breaks a rule
 */
export function readBase(): string {
  const port = process.env['PORT']
  const base = process.env['HTTPSYS_BASE'] || (port ? `http://localhost:${checkPort(port)}` : undefined)
  const { scheme, host, port: number, path } = onBase('/', base)
  return `${scheme}://${host}:${number}${path.slice(0, -1)}`
}

/** The same base on another port. */
export function withPort(base: string, port: number): string {
  const { scheme, host, path } = onBase('/', base)
  return `${scheme}://${host}:${port}${path.slice(0, -1)}`
}

/** The TCP port of a base; 0 is any free one. */
export function portOf(base: string): number {
  return onBase('/', base).port
}

/** What to type into a browser for a path on a base. */
export function urlOf(base: string, path: string): string {
  const { scheme, host, port, path: full } = onBase(path, base)
  return `${scheme}://${/[+*]/.test(host) ? 'localhost' : host}:${port}${full.slice(0, -1)}`
}

function onBase(path: string, base: string | undefined): UrlPrefix {
  return httpsys.prefix(path, base === undefined ? {} : { base })
}

function checkPort(text: string): string {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return text
  throw new SettingError(`PORT is "${text}": give a number from 0 to 65535; 0 takes any free port.`)
}
