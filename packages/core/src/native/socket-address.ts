import { AF_INET, AF_INET6 } from './constants.ts'
import { HTTP_REQUEST, HTTP_TRANSPORT_ADDRESS, SOCKADDR_IN, SOCKADDR_IN6 } from './layout.ts'
import type { MemoryBlock } from './memory-block.ts'

/** One end of a TCP connection, as `req.socket` shows it. */
export interface SocketAddress {
  readonly address: string
  readonly port: number
}

const UNKNOWN: SocketAddress = { address: '', port: 0 }

/** Where a request came from. */
export function remoteAddressOf(block: MemoryBlock): SocketAddress {
  return readSockaddr(block, HTTP_REQUEST.Address + HTTP_TRANSPORT_ADDRESS.pRemoteAddress)
}

/** Where a request arrived. */
export function localAddressOf(block: MemoryBlock): SocketAddress {
  return readSockaddr(block, HTTP_REQUEST.Address + HTTP_TRANSPORT_ADDRESS.pLocalAddress)
}

function readSockaddr(block: MemoryBlock, pointer: number): SocketAddress {
  const { bytes } = block
  // SAFETY: the receive has completed; the offsets are checked to be inside the block.
  const at = block.offsetOf(pointer, SOCKADDR_IN.$size)
  if (at === -1) return UNKNOWN
  const family = bytes.readUInt16LE(at + SOCKADDR_IN.sin_family)
  const port = bytes.readUInt16BE(at + SOCKADDR_IN.sin_port)
  if (family === AF_INET)
    return { address: bytes.subarray(at + SOCKADDR_IN.sin_addr, at + SOCKADDR_IN.sin_addr + 4).join('.'), port }
  if (family !== AF_INET6 || block.offsetOf(pointer, SOCKADDR_IN6.$size) === -1) return UNKNOWN
  const start = at + SOCKADDR_IN6.sin6_addr
  return { address: ipv6Text(bytes.subarray(start, start + 16)), port }
}

/** RFC 5952: groups without leading zeros, the longest run of zeros as `::`, IPv4 in its own spelling. */
function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2))
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${bytes.subarray(12, 16).join('.')}`
  }
  let bestStart = -1
  let bestLength = 1
  for (let start = 0; start < 8; start++) {
    let end = start
    while (end < 8 && groups[end] === 0) end++
    if (end - start > bestLength) [bestStart, bestLength] = [start, end - start]
  }
  const text = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  if (bestStart === -1) return text(0, 8)
  return `${text(0, bestStart)}::${text(bestStart + bestLength, 8)}`
}
