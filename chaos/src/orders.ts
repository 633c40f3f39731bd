import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

/** The variable with the directory in which every process under test listens for orders. */
export const CONTROL = 'HTTPSYS_CHAOS_CONTROL'

/** What a process under test can be asked for. */
export type Order =
  /** To look at no event for so long, as with a long calculation. */
  | { readonly kind: 'block'; readonly milliseconds: number }
  /** To tell what it holds. */
  | { readonly kind: 'count' }
  /** To hold a little more of everything from now on, as one with a fault does. */
  | { readonly kind: 'leak' }

/** What a process holds, that it alone knows. */
export interface Holdings {
  /** Of libuv, in all threads, whether or not they keep the process alive. */
  readonly handles: number
  /** Of the main thread; the same. */
  readonly timers: number
}

/** Where a process listens. */
export function controlPath(directory: string, pid: number): string {
  return join(directory, String(pid))
}

/**
 * Has an order carried out; resolves when that is done.
 *
 * @returns null when nothing was asked
 * @throws Error when the process is gone
 */
export async function give(directory: string, pid: number, order: Order): Promise<Holdings | null> {
  const socket = connect(controlPath(directory, pid))
  socket.end(JSON.stringify(order))
  const answer = await text(socket)
  if (answer === '') throw new Error(`process ${pid} did not answer`)
  return JSON.parse(answer) as Holdings | null
}
