import koffi from 'koffi'

/** Linux, all processors. */
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000

type Send = (descriptor: number, bytes: Buffer, length: number, flags: number) => number

let send: Send | null | undefined

/**
 * Sends what the kernel takes at once over a local socket, without node:net; returns how many bytes that were. It is 0 where the kernel
 * takes nothing now or the connection is gone, which the socket will tell when it is written to, and on systems other than Linux.
 */
export function sendNow(descriptor: number, bytes: Buffer): number {
  if (send === undefined) {
    const prototype = 'intptr_t send(int fd, const void *bytes, size_t length, int flags)'
    send = process.platform === 'linux' ? (koffi.load(null).func(prototype) as unknown as Send) : null
  }
  if (send === null || descriptor < 0) return 0
  // SAFETY: the kernel has copied the bytes when the call returns.
  return Math.max(0, send(descriptor, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL))
}
