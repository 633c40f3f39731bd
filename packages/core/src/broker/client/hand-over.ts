import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { sendDescriptors } from '../../sockets/descriptor-passing.ts'
import { libc } from '../../sockets/libc.ts'
import { encodeText } from '../protocol/frame-writer.ts'
import { FRAME_HAND_OVER } from '../protocol/frames.ts'
import type { BoundPort } from './bound-port.ts'
import { descriptorOf } from './descriptor-of.ts'
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
    socket.write(encodeText(FRAME_HAND_OVER, 0, name))
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
