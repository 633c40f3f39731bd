import { isIPv6 } from 'node:net'
import { AF_INET, IPPROTO_IPV6, SOCK_STREAM, lastError } from './libc.ts'
import type { Libc } from './libc.ts'

/** Connections that the kernel holds until they are accepted; Linux caps it at net.core.somaxconn (4096). */
export const BACKLOG = 4096

/** What to listen on. */
export interface ListenTarget {
  /** An address literal. */
  readonly host: string
  /** 0 lets the kernel pick. */
  readonly port: number
  /** Whether an IPv6 socket leaves IPv4 alone. */
  readonly ipv6Only: boolean
}

/** A socket that listens and accepts nothing: connections wait in the kernel's queue for whoever gets the descriptor. */
export interface ListeningSocket {
  readonly descriptor: number
  readonly port: number
}

/** Bytes of `sockaddr_in` and `sockaddr_in6`: family, port, address, and for IPv6 flow and scope. */
const IPV4_ADDRESS_BYTES = 16
const IPV6_ADDRESS_BYTES = 28
/** Offsets that all systems share. */
const PORT_OFFSET = 2
const IPV4_OFFSET = 4
const IPV6_OFFSET = 8

/**
 * Binds and listens before it returns.
 *
 * @param prepare - sets what has to be set before
 * @throws Node's errors: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, `EAFNOSUPPORT`, `EINVAL` for a host that is no address, …
 */
export function openListeningSocket(
  libc: Libc,
  { host, port, ipv6Only }: ListenTarget,
  backlog: number,
  prepare?: (libc: Libc, descriptor: number) => void,
): ListeningSocket {
  const { platform } = libc
  const isV6 = isIPv6(host)
  const descriptor = libc.socket(isV6 ? platform.AF_INET6 : AF_INET, SOCK_STREAM, 0)
  if (descriptor < 0) throw lastError('socket')
  const check = (syscall: string, result: number): void => {
    if (result < 0) throw lastError(syscall)
  }
  try {
    check('fcntl', libc.setCloseOnExec(descriptor))
    check('setsockopt', libc.setsockopt(descriptor, platform.SOL_SOCKET, platform.SO_REUSEADDR, intOf(1), 4))
    if (isV6)
      check('setsockopt', libc.setsockopt(descriptor, IPPROTO_IPV6, platform.IPV6_V6ONLY, intOf(ipv6Only ? 1 : 0), 4))
    prepare?.(libc, descriptor)
    const address = encodeAddress(libc, host, port)
    check('bind', libc.bind(descriptor, address, address.length))
    check('listen', libc.listen(descriptor, backlog))
    check('getsockname', libc.getsockname(descriptor, address, intOf(address.length)))
    return { descriptor, port: address.readUInt16BE(PORT_OFFSET) }
  } catch (error) {
    libc.close(descriptor)
    throw error
  }
}

function encodeAddress(libc: Libc, host: string, port: number): Buffer {
  const { platform } = libc
  const isV6 = isIPv6(host)
  const family = isV6 ? platform.AF_INET6 : AF_INET
  const address = Buffer.alloc(isV6 ? IPV6_ADDRESS_BYTES : IPV4_ADDRESS_BYTES)
  if (platform.hasAddressLength) {
    address[0] = address.length
    address[1] = family
  } else address.set(new Uint8Array(Uint16Array.of(family).buffer))
  address.writeUInt16BE(port, PORT_OFFSET)
  // SAFETY: inet_pton writes 4 or 16 bytes, which the buffer has behind the offset.
  if (libc.inet_pton(family, host, address.subarray(isV6 ? IPV6_OFFSET : IPV4_OFFSET)) !== 1) {
    throw Object.assign(new Error(`bind EINVAL ${host}`), { code: 'EINVAL', syscall: 'bind' })
  }
  return address
}

/** An `int` in the machine's order. */
function intOf(value: number): Buffer {
  return Buffer.from(Int32Array.of(value).buffer)
}

/** Whether a descriptor, which may be of anything, is a socket that listens. */
export function isListening(libc: Libc, descriptor: number): boolean {
  const { SOL_SOCKET, SO_ACCEPTCONN } = libc.platform
  return (libc.readOption(descriptor, SOL_SOCKET, SO_ACCEPTCONN, 4)?.readUInt32LE(0) ?? 0) !== 0
}
