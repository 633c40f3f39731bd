import { inspect } from 'node:util'
import type { BrokenRule } from './url-prefix-syntax.ts'

/** A setting that is true or false; 1 or 0 in the environment. */
export const SWITCH = 'switch'

/** A setting: the environment variable that gives it, and the largest number or the texts that it may be. */
export interface SettingRule {
  readonly variable: string
  readonly allowed: number | readonly string[] | typeof SWITCH
}

type Value = number | string | boolean

/** Of each setting by its name. */
export type SettingRules<T> = { readonly [Name in keyof Required<T>]: SettingRule }

/** A day: longer than any of these times makes sense, and far below what timers can do. */
export const MAX_TIME_MS = 86_400_000
export const MAX_COUNT = 1_000_000_000
/** As much as a REQUEST frame can say of a head. */
export const MAX_HEAD_BYTES = 65_535

/** Takes the settings out of an object that may hold more, and those that it does not have out of the environment. */
export function readSettings<T>(rules: SettingRules<T>, options: object, env: NodeJS.ProcessEnv): T | BrokenRule {
  const settings: Record<string, unknown> = {}
  for (const [name, { variable, allowed }] of Object.entries<SettingRule>(rules)) {
    const given = (options as Record<string, unknown>)[name]
    if (given !== undefined) {
      if (!isAllowed(given, allowed)) return broken(name, given, allowed, `${name}: `)
      settings[name] = given
    } else if (env[variable]) {
      const value = readText(variable, env[variable], allowed, `${variable}=`)
      if (typeof value === 'object') return value
      settings[name] = value
    }
  }
  return settings as T
}

/** The names of a command's options that give these settings, without dashes before them. */
export function flagsOf(rules: object): string[] {
  return Object.keys(rules).map(flagOf)
}

/** Takes the settings out of a command's options, which are texts by the names of {@link flagsOf}. */
export function readFlags<T>(rules: SettingRules<T>, flags: Readonly<Record<string, unknown>>): T | BrokenRule {
  const settings: Record<string, unknown> = {}
  for (const [name, { allowed }] of Object.entries<SettingRule>(rules)) {
    const flag = flagOf(name)
    const text = flags[flag]
    if (typeof text !== 'string') continue
    const value = readText(`--${flag}`, text, allowed, `--${flag} `)
    if (typeof value === 'object') return value
    settings[name] = value
  }
  return settings as T
}

/** `maxFieldLength` is `--max-field-length`. */
function flagOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function readText(name: string, text: string, allowed: SettingRule['allowed'], assignment: string): Value | BrokenRule {
  const value = valueOf(text, allowed)
  return isAllowed(value, allowed) ? value : broken(name, text, allowed, assignment)
}

function valueOf(text: string, allowed: SettingRule['allowed']): Value {
  if (allowed === SWITCH) return text === '1' ? true : text === '0' ? false : text
  return typeof allowed === 'number' && /^\d{1,10}$/.test(text) ? Number(text) : text
}

function isAllowed(value: unknown, allowed: SettingRule['allowed']): boolean {
  if (allowed === SWITCH) return typeof value === 'boolean'
  if (typeof allowed !== 'number') return allowed.includes(value as string)
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= allowed
}

function broken(name: string, value: unknown, allowed: SettingRule['allowed'], assignment: string): BrokenRule {
  const shown = inspect(value, { depth: 0, breakLength: Infinity }).slice(0, 100)
  return { reason: `${name} is ${shown}`, remedy: remedyFor(allowed, assignment) }
}

function remedyFor(allowed: SettingRule['allowed'], assignment: string): string {
  if (typeof allowed === 'number') return `Write ${assignment}N, N a whole number from 0 to ${allowed}`
  const texts = allowed !== SWITCH ? allowed : assignment.endsWith('=') ? ['1', '0'] : ['true', 'false']
  return `Write one of ${texts.map((text) => `${assignment}${text}`).join(', ')}`
}
