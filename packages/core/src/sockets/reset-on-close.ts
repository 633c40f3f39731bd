import type { Libc } from './libc.ts'

/** `struct linger`, two ints in the machine's order: on, for no time. */
const NO_TIME = Buffer.from(Int32Array.of(1, 0).buffer)

/** Lets a TCP socket end with a reset when it is closed, instead of a FIN behind what was sent. */
export function resetOnClose(library: Libc, descriptor: number): void {
  const { SOL_SOCKET, SO_LINGER } = library.platform
  if (descriptor >= 0) library.setsockopt(descriptor, SOL_SOCKET, SO_LINGER, NO_TIME, NO_TIME.length)
}
