import { latin1 } from '../../../base/latin1.ts'
import type { SystemCalls } from './system-calls.ts'

const AF_INET = 2
const AF_INET6 = 10
/** `sockaddr_in6` is 28 bytes, `sockaddr_un` 110. */
const ADDRESS_BYTES = 128
const TEXT_BYTES = 64

/** An address as node:net shows it: of TCP sockets, empty for others. */
export interface SocketAddress {
  readonly address: string
  readonly port: number
}

const NONE: SocketAddress = { address: '', port: 0 }

const bytes = Buffer.alloc(ADDRESS_BYTES)
const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
const length = new Uint32Array(1)
const text = Buffer.alloc(TEXT_BYTES)

/** The other side's address; empty when the connection has gone. */
export function peerAddress(calls: SystemCalls, descriptor: number): SocketAddress {
  length[0] = ADDRESS_BYTES
  // SAFETY: the kernel writes no more than the length says.
  return calls.getpeername(descriptor, bytes, length) < 0 ? NONE : decode(calls)
}

/** The socket's own address. */
export function ownAddress(calls: SystemCalls, descriptor: number): SocketAddress {
  length[0] = ADDRESS_BYTES
  // SAFETY: as above.
  return calls.getsockname(descriptor, bytes, length) < 0 ? NONE : decode(calls)
}

function decode(calls: SystemCalls): SocketAddress {
  const family = view.getUint16(0, true)
  if (family === AF_INET) return { address: dotted(4), port: view.getUint16(2) }
  if (family !== AF_INET6) return NONE
  return { address: isMapped() ? `::ffff:${dotted(20)}` : colons(calls), port: view.getUint16(2) }
}

function dotted(at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
}

/** `::ffff:0:0/96`, as IPv4 clients appear on a socket for both. */
function isMapped(): boolean {
  return view.getUint32(8) === 0 && view.getUint32(12) === 0 && view.getUint32(16) === 0xffff
}

function colons(calls: SystemCalls): string {
  // SAFETY: inet_ntop writes at most 46 bytes with the final zero, if_indextoname 16.
  calls.inet_ntop(AF_INET6, bytes.subarray(8), text, TEXT_BYTES)
  const address = latin1(text, 0, text.indexOf(0))
  // Node adds the interface to link-local addresses, fe80::/10.
  const scope = view.getUint32(24, true)
  if (scope === 0 || (view.getUint16(8) & 0xffc0) !== 0xfe80) return address
  if (calls.if_indextoname(scope, text) === null) return address
  return `${address}%${latin1(text, 0, text.indexOf(0))}`
}
