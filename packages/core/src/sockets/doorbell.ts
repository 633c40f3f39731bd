import koffi from 'koffi'

/** Linux, all processors. */
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000

const BYTE = Buffer.from('!')

let send: ((fd: number, bytes: Buffer, length: number, flags: number) => number) | undefined

/**
 * Sends one byte over a local socket, which wakes the process at its other end. That it can't be sent is no failure: either that
 * process has plenty to read already, or it is gone, which the socket will tell.
 */
export function ringDoorbell(descriptor: number): void {
  send ??= koffi.load(null).func('intptr_t send(int fd, const void *bytes, size_t length, int flags)') as never
  // SAFETY: the byte lives as long as this module.
  if (descriptor >= 0) send!(descriptor, BYTE, 1, MSG_DONTWAIT | MSG_NOSIGNAL)
}
