import type { Socket } from 'node:net'

/** The operating system's number of a socket; -1 when it is closed. */
export function descriptorOf(socket: Socket): number {
  return (socket as unknown as { _handle: { fd: number } | null })._handle?.fd ?? -1
}
