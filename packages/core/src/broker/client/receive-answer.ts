import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { receiveWithDescriptors } from '../../sockets/descriptor-passing.ts'
import { libc } from '../../sockets/libc.ts'
import { descriptorOf } from './descriptor-of.ts'

/** A broker answers within a millisecond, one that is just starting within some. */
const POLL_MS = 1

/** The first bytes that came over a socket, with the descriptors that came with them. */
export interface FirstAnswer {
  readonly bytes: Buffer
  readonly descriptors: number[]
}

/**
 * Waits for the first bytes on a socket that is paused: an ordinary read would drop the descriptors that come with them.
 *
 * @returns the bytes, none when the other side has ended; undefined when the socket was destroyed meanwhile
 */
export async function receiveAnswer(socket: Socket, maxBytes: number): Promise<FirstAnswer | undefined> {
  const bytes = Buffer.alloc(maxBytes)
  for (;;) {
    const received = receiveWithDescriptors(libc()!, descriptorOf(socket), bytes)
    if (received !== undefined) {
      return { bytes: bytes.subarray(0, received.length), descriptors: received.descriptors }
    }
    await delay(POLL_MS)
    if (socket.destroyed) return undefined
  }
}
