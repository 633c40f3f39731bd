import { SCM_RIGHTS, lastError } from './libc.ts'
import type { Libc, MessageHeader } from './libc.ts'

/** Far below what one message may carry (253 on Linux). */
const MAX_DESCRIPTORS = 8
const INT_BYTES = 4

/**
 * Sends descriptors over a connected local socket, together with the data: one byte unless given.
 *
 * @throws Node's errors: `EPIPE` when the other side has gone, `EMFILE`, …
 * @see https://man7.org/linux/man-pages/man7/unix.7.html SCM_RIGHTS
 */
export function sendDescriptors(
  libc: Libc,
  socket: number,
  descriptors: readonly number[],
  data: Buffer = Buffer.alloc(1),
): void {
  const { bytes: headerBytes, lengthBytes } = libc.platform.controlHeader
  const control = Buffer.alloc(headerBytes + descriptors.length * INT_BYTES)
  const ints = [libc.platform.SOL_SOCKET, SCM_RIGHTS, ...descriptors]
  control.writeUInt32LE(control.length, 0)
  for (const [index, value] of ints.entries()) {
    // Level and type follow the length, the descriptors follow the type: no system pads the header.
    control.writeInt32LE(value, lengthBytes + index * INT_BYTES)
  }
  if (libc.sendmsg(socket, messageOf(data, control), 0) < 0) throw lastError('sendmsg')
}

/** What a local socket has received. */
export interface Received {
  /** Bytes of data; 0 when the other side has ended. */
  readonly length: number
  readonly descriptors: number[]
}

/**
 * Takes the descriptors that have arrived on a local socket; none when no message is there or it carries none.
 *
 * The socket must not be read by anyone else, who would close them.
 */
export function receiveDescriptors(libc: Libc, socket: number): number[] {
  return receiveWithDescriptors(libc, socket, Buffer.alloc(1))?.descriptors ?? []
}

/** The same with the data that they came with; undefined when nothing has arrived, or the socket is broken. */
export function receiveWithDescriptors(libc: Libc, socket: number, data: Buffer): Received | undefined {
  const { bytes: headerBytes, lengthBytes } = libc.platform.controlHeader
  const control = Buffer.alloc(headerBytes + MAX_DESCRIPTORS * INT_BYTES)
  // SAFETY: the kernel writes no more than the lengths in the message say, and both buffers live until it returns.
  const received = libc.recvmsg(socket, messageOf(data, control), libc.platform.MSG_DONTWAIT)
  if (received < 0) return undefined
  const length = Math.min(control.readUInt32LE(0), control.length)
  const isRights =
    control.readInt32LE(lengthBytes) === libc.platform.SOL_SOCKET &&
    control.readInt32LE(lengthBytes + INT_BYTES) === SCM_RIGHTS
  const descriptors: number[] = []
  for (let offset = headerBytes; isRights && offset + INT_BYTES <= length; offset += INT_BYTES) {
    const descriptor = control.readInt32LE(offset)
    libc.setCloseOnExec(descriptor)
    descriptors.push(descriptor)
  }
  return { length: received, descriptors }
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
