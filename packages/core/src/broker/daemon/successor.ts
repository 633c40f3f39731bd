import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { HttpSysError } from '../../base/errors.ts'
import { libc } from '../../sockets/libc.ts'
import type { InheritedAddress } from './listeners.ts'

/**
 * Set for a successor: for each of the listening sockets that it finds behind its other descriptors `local`, `http` or `https`, or `+`
 * for one at the address of the socket before it.
 */
const INHERITED = 'HTTPSYS_INHERITED_SOCKETS'
/** Standard input, output, error, and the channel to its parent come first. */
const FIRST_DESCRIPTOR = 4
/** A broker is up in some 100 ms; a machine under load may need much longer. */
const START_TIMEOUT_MS = 30_000

/** The listening sockets of a broker: where owners connect, and where clients do. */
export interface Inheritance {
  readonly local: number
  readonly ports: readonly InheritedAddress[]
}

/** The listening sockets that this process has inherited; undefined when it is nobody's successor. */
export function inheritedSockets(): Inheritance | undefined {
  const kinds = process.env[INHERITED]?.split(',')
  // What this process starts is not its successor unless it says so.
  delete process.env[INHERITED]
  if (kinds === undefined) return undefined
  const addresses: { descriptors: number[]; isSecure: boolean }[] = []
  for (const [index, kind] of kinds.entries()) {
    const descriptor = FIRST_DESCRIPTOR + index
    // Else every program that this process starts would have it, and keep the port open.
    libc()?.setCloseOnExec(descriptor)
    if (kind === '+') addresses.at(-1)!.descriptors.push(descriptor)
    else addresses.push({ descriptors: [descriptor], isSecure: kind === 'https' })
  }
  const [local, ...ports] = addresses
  return { local: local!.descriptors[0]!, ports }
}

/**
 * Tells the predecessor that it may let go of the sockets, and waits until it has, or has died: no client and no owner may meet a broker
 * that knows less than another one that accepts from the same socket.
 *
 * @returns false when it had gone before it was told
 */
export async function whenLetGo(): Promise<boolean> {
  if (!process.connected) return false
  const gone = once(process, 'disconnect')
  process.send!('ready')
  await gone
  return true
}

/** A broker that is ready, and waits for the sockets. */
export interface Successor {
  readonly pid: number
  /** From here on it accepts clients and owners, and nobody else may. */
  letIn(): void
}

/**
 * Starts the daemon that is to take over; resolves once it is ready to serve.
 *
 * @param payload - `{ execPath, main }` as JSON: which Node runs which daemon
 * @throws HttpSysError `EPROTO` for another payload, `ETIMEDOUT` when the daemon does not come up
 */
export async function startSuccessor(payload: string, { local, ports }: Inheritance): Promise<Successor> {
  const { execPath, main } = decode(payload)
  const child = spawn(execPath, [main], {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', local, ...ports.flatMap(({ descriptors }) => descriptors)],
    env: { ...process.env, [INHERITED]: ['local', ...ports.flatMap(kindsOf)].join() },
  })
  try {
    await readiness(child)
  } catch (error) {
    child.kill('SIGKILL')
    throw notReady(main, (error as Error).message)
  }
  child.unref()
  child.channel?.unref()
  const letIn = (): void => {
    if (child.connected) child.disconnect()
  }
  return { pid: child.pid!, letIn }
}

function kindsOf({ descriptors, isSecure }: InheritedAddress): string[] {
  return descriptors.map((_, index) => (index > 0 ? '+' : isSecure ? 'https' : 'http'))
}

/** Waits until the successor is ready. @throws Error that says why it is not */
async function readiness(child: ChildProcess): Promise<void> {
  const signal = AbortSignal.timeout(START_TIMEOUT_MS)
  const ended = once(child, 'exit', { signal }).then(() => 'the new broker ended before it served')
  const ready = once(child, 'message', { signal }).then(() => undefined)
  const failure = await Promise.race([ready, ended]).catch((error: unknown) =>
    signal.aborted ? `the new broker did not serve within ${START_TIMEOUT_MS / 1000} s` : String(error),
  )
  if (failure !== undefined) throw new Error(failure)
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

function notReady(main: string, reason: string): HttpSysError {
  return new HttpSysError({
    code: 'ETIMEDOUT',
    syscall: 'spawn',
    subject: main,
    reason,
    remedy: 'Look into broker.log in the runtime directory; the old one goes on.',
  })
}
