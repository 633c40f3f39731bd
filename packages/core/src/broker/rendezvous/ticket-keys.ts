import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { problemOf } from './config-directory.ts'

const NAME = 'ticket-keys'
/** As Node wants them: a name of 16 bytes and two keys. */
const KEY_BYTES = 48
/** Whoever gets the keys can read what was said under them in TLS 1.2. */
const DAY_MS = 24 * 3600 * 1000

/**
 * The keys of TLS session tickets, which all threads of a broker and its successors share, so that clients resume with any of them.
 * They are in the runtime directory, which does not outlive the machine. Each day has a file of its own: it is made once and never
 * replaced, so that all who make it at the same time end with the same keys.
 */
export function ticketKeys(directory: string, now = Date.now()): Buffer {
  const name = `${NAME}-${Math.floor(now / DAY_MS)}`
  const path = join(directory, name)
  return readKeys(path) ?? makeKeys(directory, name)
}

function readKeys(path: string): Buffer | undefined {
  try {
    if (problemOf(path, true) !== undefined) return undefined
    const keys = readFileSync(path)
    return keys.length === KEY_BYTES ? keys : undefined
  } catch {
    return undefined
  }
}

function makeKeys(directory: string, name: string): Buffer {
  let keys: Buffer = randomBytes(KEY_BYTES)
  const path = join(directory, name)
  const temporary = join(directory, `.${NAME}.${process.pid}.${threadId}`)
  try {
    writeFileSync(temporary, keys, { mode: 0o600 })
    publish(temporary, path)
    keys = readKeys(path) ?? keys
    forgetBefore(directory, name)
  } catch {
    // Without a file clients of another thread do the whole handshake.
  } finally {
    rmSync(temporary, { force: true })
  }
  return keys
}

/** Puts new keys in place, unless another thread was faster, whose keys are in use already. */
function publish(temporary: string, path: string): void {
  try {
    linkSync(temporary, path)
  } catch {
    // What is there is not to be trusted.
    if (readKeys(path) === undefined) renameSync(temporary, path)
  }
}

/** Days that are over; a thread may be late, so later ones stay. */
function forgetBefore(directory: string, name: string): void {
  for (const other of readdirSync(directory)) {
    if (other.startsWith(NAME) && other < name) rmSync(join(directory, other), { force: true })
  }
}
