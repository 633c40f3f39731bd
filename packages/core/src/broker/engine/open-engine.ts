import { HttpSysError } from '../../base/errors.ts'
import type { Engine } from './engine.ts'
import { NetEngine } from './net/net-engine.ts'
import { UringEngine } from './uring/uring-engine.ts'

/** An engine, and what has kept this thread from the best there is. */
export interface OpenedEngine {
  readonly engine: Engine
  readonly note?: string
}

/** The engines by name, as `HTTPSYS_ENGINE` has them. */
export const ENGINE_NAMES = ['uring', 'net'] as const

/**
 * The engine of this thread: io_uring where the kernel has it and lets this process use it, else node:net.
 *
 * @param name - forces one of them; undefined and the empty string leave the choice
 * @throws HttpSysError `ENOTSUP` when io_uring is forced and can't be had, `EINVAL` for another name
 */
export function openEngine(name: string | undefined): OpenedEngine {
  if (name === 'net') return { engine: new NetEngine() }
  if (name !== undefined && name !== '' && name !== 'uring') throw unknown(name)
  const engine = UringEngine.open()
  if (typeof engine !== 'string') return { engine, ...(engine.setback === undefined ? {} : { note: engine.setback }) }
  if (name === 'uring') throw unavailable(engine)
  return { engine: new NetEngine(), ...(process.platform === 'linux' ? { note: engine } : {}) }
}

function unknown(name: string): HttpSysError {
  return new HttpSysError({
    code: 'EINVAL',
    syscall: 'listen',
    subject: `HTTPSYS_ENGINE ${name}`,
    reason: 'there is no such engine',
    remedy: `Use ${ENGINE_NAMES.join(' or ')}, or leave it out: the best that is to be had here is used then.`,
  })
}

function unavailable(reason: string): HttpSysError {
  return new HttpSysError({
    code: 'ENOTSUP',
    syscall: 'io_uring_setup',
    subject: 'HTTPSYS_ENGINE uring',
    reason,
    remedy: 'Allow io_uring, or leave HTTPSYS_ENGINE out: node:net does the same work.',
  })
}
