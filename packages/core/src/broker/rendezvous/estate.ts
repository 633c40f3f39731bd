import {
  chmodSync,
  chownSync,
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
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
/** Changes that follow when all claims have been written come together. */
const PAUSE_MS = 50
/** Of the time of a broker with many claims to write them takes no more than one part in so many. */
const PAUSE_FACTOR = 20
/** Claims that are added behind the others before all are written anew: as many as there were, and so many more. */
const MORE_LINES = 1000

/** The claims of the broker before this one, in so far as the file can be read: it is a help, and nothing depends on it. */
export function readEstate(directory: string): Estate {
  try {
    const [first = '', ...added] = readFileSync(join(directory, NAME), 'utf8').split('\n')
    const claims = [parse(first), ...added.map(parse)].flat().flatMap(readClaim)
    // Of a prefix that was claimed once more the later settings count.
    return [...new Map(claims.map((claim) => [claim.href, claim])).values()]
  } catch {
    return []
  }
}

/** Undefined for what is none, such as the rest of a line that could not be written. */
function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

function readClaim(value: unknown): InheritedClaim[] {
  const { href, settings: given } = (value ?? {}) as Record<string, unknown>
  if (typeof href !== 'string' || typeof given !== 'object' || given === null) return []
  const settings = readQueueSettings(given, {})
  const parts = readUrlPrefix(href)
  return isBroken(settings) || isBroken(parts) || parts.port === 0 ? [] : [{ href, settings }]
}

/** Keeps the file up to date: a line with all claims, and one for each that was made since. */
export class EstateFile {
  readonly #directory: string
  readonly #estate: () => Estate
  /** Of the file; undefined before it is first written, null when it can't be. */
  #descriptor: number | null | undefined
  #timer: NodeJS.Timeout | undefined
  #isDirty = false
  /** How many more claims may be added before all are written anew. */
  #linesLeft = 0

  constructor(directory: string, estate: () => Estate) {
    this.#directory = directory
    this.#estate = estate
  }

  /** Claims have gone. */
  touch(): void {
    this.#isDirty = true
    this.#timer ??= setTimeout(() => this.#writeChanges(), 0)
  }

  /**
   * A claim has been made. It is written at once: its process is told next, and from then on no request of it may get another's answer,
   * whatever becomes of this broker.
   */
  add(claim: InheritedClaim): void {
    if (this.#descriptor === undefined) return this.#writeChanges()
    if (this.#descriptor !== null) this.#append(this.#descriptor, claim)
    if (this.#descriptor === null || --this.#linesLeft < 0) this.touch()
  }

  #append(descriptor: number, claim: InheritedClaim): void {
    try {
      writeSync(descriptor, `\n${JSON.stringify(claim)}`)
    } catch {
      // A full disk must not cost anybody a request.
      this.touch()
    }
  }

  #writeChanges(): void {
    const start = performance.now()
    this.write()
    const pause = Math.max(PAUSE_MS, (performance.now() - start) * PAUSE_FACTOR)
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#isDirty) this.#writeChanges()
    }, pause)
  }

  /** Writes the claims as they are now. */
  write(): void {
    this.#isDirty = false
    if (typeof this.#descriptor === 'number') closeSync(this.#descriptor)
    this.#descriptor = null
    try {
      const estate = this.#estate()
      this.#descriptor = this.#replace(JSON.stringify(estate))
      this.#linesLeft = estate.length + MORE_LINES
    } catch {
      // The same.
    }
  }

  /** Returns the descriptor of the new file. */
  #replace(text: string): number {
    const path = join(this.#directory, NAME)
    try {
      const descriptor = create(`${path}.new`, text)
      renameSync(`${path}.new`, path)
      return descriptor
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
      // Root's directory, and this user's file.
      return create(path, text)
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

function create(path: string, text: string): number {
  const descriptor = openSync(path, 'w', 0o600)
  try {
    writeFileSync(descriptor, text)
    return descriptor
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}
