import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { problemOf } from './config-directory.ts'

const NAME = 'ticket-keys'
/** As Node wants them: a name of 16 bytes and two keys. */
const KEY_BYTES = 48
/** Whoever gets the keys can read what was said under them in TLS 1.2. */
const MAX_AGE_MS = 24 * 3600 * 1000

/**
 * The keys of TLS session tickets, which all threads of a broker and its successors share, so that clients resume with any of them.
 * They are in the runtime directory, which does not outlive the machine, and are made anew every day.
 */
export function ticketKeys(directory: string): Buffer {
  const path = join(directory, NAME)
  return readKeys(path) ?? makeKeys(path)
}

function readKeys(path: string): Buffer | undefined {
  try {
    if (problemOf(path, true) !== undefined || Date.now() - statSync(path).mtimeMs > MAX_AGE_MS) return undefined
    const keys = readFileSync(path)
    return keys.length === KEY_BYTES ? keys : undefined
  } catch {
    return undefined
  }
}

function makeKeys(path: string): Buffer {
  const keys = randomBytes(KEY_BYTES)
  const temporary = `${path}.${process.pid}.${threadId}`
  try {
    writeFileSync(temporary, keys, { mode: 0o600 })
    return publish(temporary, path) ? keys : (readKeys(path) ?? keys)
  } catch {
    // Clients of another thread do the whole handshake then.
    return keys
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** Puts new keys in place; returns false when another thread was faster, whose keys are in use already. */
function publish(temporary: string, path: string): boolean {
  try {
    linkSync(temporary, path)
    return true
  } catch {
    if (readKeys(path) !== undefined) return false
  }
  // What is there is too old, or not to be trusted.
  renameSync(temporary, path)
  return true
}
