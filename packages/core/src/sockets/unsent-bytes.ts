import { endianness } from 'node:os'
import { libc } from './libc.ts'

/** How much of what was written to a TCP socket the other side has not acknowledged; 0 where the system does not tell. */
export function unsentBytes(descriptor: number): number {
  const library = libc()
  if (library === null || descriptor < 0) return 0
  const value = Buffer.alloc(4)
  if (library.readUnsent(descriptor, value) < 0) return 0
  return endianness() === 'LE' ? value.readInt32LE(0) : value.readInt32BE(0)
}
