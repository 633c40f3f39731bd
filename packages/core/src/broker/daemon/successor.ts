import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { HttpSysError } from '../../base/errors.ts'
import type { InheritedSocket } from './listeners.ts'

/** Set for a successor: `http` or `https` for each of the listening sockets that it finds behind its other descriptors. */
export const INHERITED = 'HTTPSYS_INHERITED_SOCKETS'
/** Standard input, output, error, and the channel to its parent come first. */
const FIRST_DESCRIPTOR = 4

/** The listening sockets that this process has inherited; undefined when it is nobody's successor. */
export function inheritedSockets(): InheritedSocket[] | undefined {
  const schemes = process.env[INHERITED]
  if (schemes === undefined) return undefined
  return schemes.split(',').flatMap((scheme, index) => {
    return scheme === '' ? [] : [{ descriptor: FIRST_DESCRIPTOR + index, isSecure: scheme === 'https' }]
  })
}

/** Tells the predecessor that it may leave. */
export function announceReady(): void {
  process.send?.('ready')
  process.disconnect?.()
}

/**
 * Starts the daemon that is to take over; resolves to its process once it serves.
 *
 * @param payload - `{ execPath, main }` as JSON: which Node runs which daemon
 * @throws HttpSysError `EPROTO` for another payload, `ETIMEDOUT` when the daemon does not come up
 */
export async function startSuccessor(payload: string, sockets: readonly InheritedSocket[]): Promise<number> {
  const { execPath, main } = decode(payload)
  const child = spawn(execPath, [main], {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...sockets.map(({ descriptor }) => descriptor)],
    env: { ...process.env, [INHERITED]: sockets.map(({ isSecure }) => (isSecure ? 'https' : 'http')).join() },
  })
  const failed = Promise.race([once(child, 'exit'), once(child, 'error')]).then(() => null)
  const said = await Promise.race([once(child, 'message'), failed])
  if (said === null) throw notReady(main)
  child.unref()
  return child.pid!
}

function decode(payload: string): { execPath: string; main: string } {
  const { execPath, main } = JSON.parse(payload) as Record<string, unknown>
  if (typeof execPath === 'string' && typeof main === 'string') return { execPath, main }
  throw new HttpSysError({
    code: 'EPROTO',
    syscall: 'read',
    subject: 'broker frame',
    reason: 'an UPGRADE frame is malformed',
    remedy: 'Use httpsys upgrade.',
  })
}

function notReady(main: string): HttpSysError {
  return new HttpSysError({
    code: 'ETIMEDOUT',
    syscall: 'spawn',
    subject: main,
    reason: 'the new broker ended before it served',
    remedy: 'Look into broker.log in the runtime directory; the old one goes on.',
  })
}
