import { closeSync, openSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** A mark older than this was left by a start that failed. */
const STALE_MS = 3000

/**
 * Says that somebody is starting a broker, so that eight processes starting together don't start eight.
 *
 * A courtesy only: which broker wins is decided by {@link publish}, and a stale mark delays nobody for long.
 *
 * @returns whether the caller should start one.
 */
export function setStartMark(directory: string): boolean {
  const path = pathOf(directory)
  try {
    closeSync(openSync(path, 'wx'))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)
  // A mark from the future means that the clock was set back.
  if (Math.abs(age) < STALE_MS) return false
  rmSync(path, { force: true })
  return setStartMark(directory)
}

/** The broker is up, or has failed. */
export function clearStartMark(directory: string): void {
  rmSync(pathOf(directory), { force: true })
}

function pathOf(directory: string): string {
  return join(directory, 'starting')
}
