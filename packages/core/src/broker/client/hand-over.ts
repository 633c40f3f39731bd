import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { sendDescriptors } from '../../sockets/descriptor-passing.ts'
import { libc } from '../../sockets/libc.ts'
import { FRAME_HAND_OVER, HEADER_BYTES } from '../protocol/frames.ts'
import type { BoundPort } from './bound-port.ts'
import { findBroker } from './find-broker.ts'
import { lost } from './open-connection.ts'

/**
 * Sends a port's listening sockets to the broker, which holds them for the claim that names the connection they came over.
 *
 * They go over a connection of their own, and only when the broker has said that it no longer reads it: an ordinary read would
 * take the byte and drop the descriptors.
 *
 * @throws HttpSysError `ECONNRESET` when the broker is just leaving
 */
export async function handOver(directory: string, port: BoundPort): Promise<string> {
  const name = randomUUID()
  const socket = await findBroker(directory, {})
  socket.on('error', () => {})
  try {
    socket.write(encodeHandOver(name))
    await ready(socket)
    sendDescriptors(libc()!, descriptorOf(socket), port.descriptors)
    return name
  } catch (error) {
    throw socket.destroyed ? lost() : error
  } finally {
    // What was sent stays in the other side's queue.
    socket.destroy()
  }
}

async function ready(socket: Socket): Promise<void> {
  const closed = once(socket, 'close').then(() => Promise.reject(lost()))
  await Promise.race([once(socket, 'data'), closed])
}

function encodeHandOver(name: string): Buffer {
  const frame = Buffer.alloc(HEADER_BYTES + name.length)
  frame.writeUInt32LE(frame.length, 0)
  frame[4] = FRAME_HAND_OVER
  frame.write(name, HEADER_BYTES, 'latin1')
  return frame
}

function descriptorOf(socket: Socket): number {
  return (socket as unknown as { _handle: { fd: number } | null })._handle?.fd ?? -1
}
