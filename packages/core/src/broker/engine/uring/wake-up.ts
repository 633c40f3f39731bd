import { Socket } from 'node:net'
import { IORING_REGISTER_EVENTFD } from './kernel.ts'
import type { Ring } from './ring.ts'
import { bytesOf } from './system-calls.ts'
import type { SystemCalls } from './system-calls.ts'

/** Eight bytes are all that an eventfd ever gives. */
const READ_BUFFER_BYTES = 64

/**
 * Lets libuv wake this thread when the ring has completions.
 *
 * Nothing public makes libuv watch an eventfd, but it reads pipes: a pipe's end becomes a socket of node:net, and before libuv looks
 * at it for the first time the eventfd is put under its descriptor. A read of it takes the whole count, in the one buffer.
 */
export class WakeUp {
  readonly #socket: Socket

  /** @throws when the process is out of descriptors */
  constructor(calls: SystemCalls, ring: Ring, onWake: () => void) {
    const eventfd = calls.eventfd()
    const [readEnd, writeEnd] = calls.pipe()
    if (eventfd < 0 || readEnd < 0) throw new Error('no file descriptor is left')
    this.#socket = new Socket({
      fd: readEnd,
      readable: true,
      writable: false,
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES),
        callback(): boolean {
          onWake()
          return true
        },
      },
    } as ConstructorParameters<typeof Socket>[0])
    // libuv has noted the descriptor and will give it to epoll in its next turn: by then it is the eventfd's.
    const isReplaced = calls.replace(eventfd, readEnd) === readEnd
    calls.close(writeEnd)
    ring.register(IORING_REGISTER_EVENTFD, bytesOf(new Uint32Array([eventfd])), 1)
    calls.close(eventfd)
    if (!isReplaced) throw new Error('an eventfd could not be put under a descriptor')
    this.#socket.unref()
  }

  /** Whether waiting for completions keeps the process alive. */
  set keepsProcess(isKept: boolean) {
    if (isKept) this.#socket.ref()
    else this.#socket.unref()
  }
}
