import { SCM_RIGHTS, lastError } from './libc.ts'
import type { Libc, MessageHeader } from './libc.ts'

/** Far below what one message may carry (253 on Linux). */
const MAX_DESCRIPTORS = 8
const INT_BYTES = 4

/**
 * Sends descriptors over a connected local socket, with one byte of data.
 *
 * @throws Node's errors: `EPIPE` when the other side has gone, `EMFILE`, …
 * @see https://man7.org/linux/man-pages/man7/unix.7.html SCM_RIGHTS
 */
export function sendDescriptors(libc: Libc, socket: number, descriptors: readonly number[]): void {
  const { bytes: headerBytes, lengthBytes } = libc.platform.controlHeader
  const control = Buffer.alloc(headerBytes + descriptors.length * INT_BYTES)
  const ints = [libc.platform.SOL_SOCKET, SCM_RIGHTS, ...descriptors]
  control.writeUInt32LE(control.length, 0)
  for (const [index, value] of ints.entries()) {
    // Level and type follow the length, the descriptors follow the type: no system pads the header.
    control.writeInt32LE(value, lengthBytes + index * INT_BYTES)
  }
  if (libc.sendmsg(socket, messageOf(Buffer.alloc(1), control), 0) < 0) throw lastError('sendmsg')
}

/**
 * Takes the descriptors that have arrived on a local socket; none when no message is there or it carries none.
 *
 * The socket must not be read by anyone else, who would close them.
 */
export function receiveDescriptors(libc: Libc, socket: number): number[] {
  const { bytes: headerBytes, lengthBytes } = libc.platform.controlHeader
  const control = Buffer.alloc(headerBytes + MAX_DESCRIPTORS * INT_BYTES)
  // SAFETY: the kernel writes no more than the lengths in the message say, and both buffers live until it returns.
  if (libc.recvmsg(socket, messageOf(Buffer.alloc(1), control), libc.platform.MSG_DONTWAIT) < 0) return []
  const length = Math.min(control.readUInt32LE(0), control.length)
  const isRights =
    control.readInt32LE(lengthBytes) === libc.platform.SOL_SOCKET &&
    control.readInt32LE(lengthBytes + INT_BYTES) === SCM_RIGHTS
  if (!isRights) return []
  const descriptors: number[] = []
  for (let offset = headerBytes; offset + INT_BYTES <= length; offset += INT_BYTES) {
    const descriptor = control.readInt32LE(offset)
    libc.setCloseOnExec(descriptor)
    descriptors.push(descriptor)
  }
  return descriptors
}

function messageOf(data: Buffer, control: Buffer): MessageHeader {
  return {
    name: null,
    namelen: 0,
    iov: [{ base: data, length: data.length }],
    iovlen: 1,
    control,
    controllen: control.length,
    flags: 0,
  }
}
