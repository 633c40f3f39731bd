import { spawn } from 'node:child_process'
import { accessSync, closeSync, constants, openSync, readFileSync } from 'node:fs'
import type { Socket, IpcNetConnectOpts } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { HttpSysError } from '../../base/errors.ts'
import { connectToBroker } from '../rendezvous/generations.ts'
import { clearStartMark, setStartMark } from '../rendezvous/start-mark.ts'

/** A broker is up in some 100 ms; a machine under load may need much longer. */
const START_TIMEOUT_MS = 15_000
const POLL_MS = 10

/**
 * Connects to the broker of a runtime directory and starts one, detached, when there is none.
 *
 * @throws HttpSysError `ETIMEDOUT` when no broker comes up, with the end of its log; `EACCES`, `EMFILE`.
 */
export async function findBroker(
  directory: string,
  options: Omit<IpcNetConnectOpts, 'path'>,
  isPaused = false,
): Promise<Socket> {
  const deadline = Date.now() + START_TIMEOUT_MS
  for (;;) {
    const socket = await connectToBroker(directory, options, isPaused)
    if (socket !== undefined) return socket
    if (Date.now() > deadline) throw notStarted(directory)
    if (!isWritable(directory)) throw notServed(directory)
    if (setStartMark(directory)) {
      // A broker takes the mark away once it can be found, which may have been since the look above.
      const found = await connectToBroker(directory, options, isPaused)
      if (found === undefined) startDaemon(directory)
      else {
        clearStartMark(directory)
        return found
      }
    }
    await delay(POLL_MS)
  }
}

function startDaemon(directory: string): void {
  const log = openSync(logPath(directory), 'a', 0o600)
  const main = fileURLToPath(new URL('../daemon/main.js', import.meta.url))
  // The app's own hooks and debugger flags are not for the broker.
  const { NODE_OPTIONS: _, ...env } = process.env
  const daemon = spawn(process.execPath, [main], {
    cwd: directory,
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...env, HTTPSYS_RUNTIME_DIR: directory },
  })
  closeSync(log)
  daemon.once('error', () => clearStartMark(directory))
  daemon.unref()
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK)
    return true
  } catch {
    return false
  }
}

function notServed(directory: string): HttpSysError {
  return new HttpSysError({
    code: 'EACCES',
    syscall: 'connect',
    subject: `runtime directory ${directory}`,
    reason: 'no broker runs there, and this user may not start one',
    remedy: 'Let its owner run httpsys serve --shared, or set HTTPSYS_RUNTIME_DIR to a directory of your own.',
  })
}

function notStarted(directory: string): HttpSysError {
  return new HttpSysError({
    code: 'ETIMEDOUT',
    syscall: 'connect',
    subject: 'httpsys broker',
    reason: `it did not start within ${START_TIMEOUT_MS / 1000} s${endOfLog(directory)}`,
    remedy: `Look into ${logPath(directory)}.`,
  })
}

function endOfLog(directory: string): string {
  try {
    const last = readFileSync(logPath(directory), 'utf8').trimEnd().split('\n').slice(-3).join(' | ')
    return last === '' ? '' : ` (its log ends: ${last})`
  } catch {
    return ''
  }
}

function logPath(directory: string): string {
  return join(directory, 'broker.log')
}
