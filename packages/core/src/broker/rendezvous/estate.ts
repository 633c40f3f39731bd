import { chmodSync, chownSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readQueueSettings } from '../../base/queue-settings.ts'
import type { QueueSettings } from '../../base/queue-settings.ts'
import { isBroken, readUrlPrefix } from '../../base/url-prefix-syntax.ts'

/** A claim whose place a successor keeps. */
export interface InheritedClaim {
  /** The UrlPrefix string, with the real port. */
  readonly href: string
  readonly settings: QueueSettings
}

/** What a broker leaves behind when it dies: its claims. */
export type Estate = readonly InheritedClaim[]

const NAME = 'claims.json'
/** The first of many changes is written at once, the others together. */
const PAUSE_MS = 50

/** The claims of the broker before this one, in so far as the file can be read: it is a help, and nothing depends on it. */
export function readEstate(directory: string): Estate {
  try {
    const value: unknown = JSON.parse(readFileSync(join(directory, NAME), 'utf8'))
    return Array.isArray(value) ? value.flatMap(readClaim) : []
  } catch {
    return []
  }
}

function readClaim(value: unknown): InheritedClaim[] {
  const { href, settings: given } = (value ?? {}) as Record<string, unknown>
  if (typeof href !== 'string' || typeof given !== 'object' || given === null) return []
  const settings = readQueueSettings(given, {})
  const parts = readUrlPrefix(href)
  return isBroken(settings) || isBroken(parts) || parts.port === 0 ? [] : [{ href, settings }]
}

/** Keeps the file up to date. */
export class EstateFile {
  readonly #directory: string
  readonly #estate: () => Estate
  #timer: NodeJS.Timeout | undefined
  #isDirty = false

  constructor(directory: string, estate: () => Estate) {
    this.#directory = directory
    this.#estate = estate
  }

  /** The claims have changed. */
  touch(): void {
    this.#isDirty = true
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#writeChanges(), 0)
  }

  #writeChanges(): void {
    this.#timer = undefined
    if (!this.#isDirty) return
    this.write()
    this.#timer = setTimeout(() => this.#writeChanges(), PAUSE_MS)
  }

  /** Writes the claims as they are now. */
  write(): void {
    this.#isDirty = false
    const path = join(this.#directory, NAME)
    const text = JSON.stringify(this.#estate())
    try {
      try {
        writeFileSync(`${path}.new`, text, { mode: 0o600 })
        renameSync(`${path}.new`, path)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
        // Root's directory, and this user's file.
        writeFileSync(path, text)
      }
    } catch {
      // A full disk must not cost anybody a request.
    }
  }

  /** Leaves the file to another user, whom this process is about to become; the directory stays root's, and lets him in. */
  giveTo(uid: number, gid: number): void {
    this.write()
    chownSync(join(this.#directory, NAME), uid, gid)
    chownSync(this.#directory, 0, gid)
    chmodSync(this.#directory, statSync(this.#directory).mode | 0o010)
  }
}
