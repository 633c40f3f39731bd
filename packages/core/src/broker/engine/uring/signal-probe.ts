import { closeSync, readSync, writeSync } from 'node:fs'
import {
  IORING_OP_POLL_ADD,
  IORING_REGISTER_EVENTFD,
  IORING_UNREGISTER_EVENTFD,
  POLLIN,
  SQE_OPERATION_FLAGS,
} from './kernel.ts'
import type { Ring } from './ring.ts'
import { bytesOf } from './system-calls.ts'
import type { SystemCalls } from './system-calls.ts'

/** The first signal may come where the second does not. */
const SIGNALS = 2

/**
 * Whether the ring's eventfd can be relied on: something that happens while the thread sleeps must signal at once, each time.
 *
 * Kernels with "io_uring: defer eventfd signaling when queued from a wakeup handler" put the signal off where work is deferred
 * (`IORING_SETUP_DEFER_TASKRUN`): a sleeping thread hears of a request an RCU grace period later, and in Linux 6.12.115 to 6.12.118,
 * Debian 13's, of the second one never.
 *
 * @throws when the process is out of descriptors
 */
export function signalsAtOnce(calls: SystemCalls, ring: Ring): boolean {
  const eventfd = calls.eventfd()
  const [readEnd, writeEnd] = calls.pipe()
  try {
    if (eventfd < 0 || readEnd < 0) throw new Error('no file descriptor is left')
    ring.register(IORING_REGISTER_EVENTFD, bytesOf(new Uint32Array([eventfd])), 1)
    for (let count = 0; count < SIGNALS; count++) {
      const at = ring.prepare(IORING_OP_POLL_ADD, readEnd, 0)
      ring.entries[at + SQE_OPERATION_FLAGS] = POLLIN
      ring.enter(0)
      writeSync(writeEnd, 'x')
      if (!takeSignal(eventfd)) return false
      readSync(readEnd, new Uint8Array(1))
      ring.enter(0)
      ring.drain({ onCompletion() {} })
      // To collect what has completed signals, too.
      takeSignal(eventfd)
    }
    ring.register(IORING_UNREGISTER_EVENTFD, null, 0)
    return true
  } finally {
    for (const descriptor of [eventfd, readEnd, writeEnd]) if (descriptor >= 0) closeSync(descriptor)
  }
}

/** Takes the signal; returns whether there was one. */
function takeSignal(eventfd: number): boolean {
  try {
    return readSync(eventfd, new Uint8Array(8)) === 8
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false
    throw error
  }
}
