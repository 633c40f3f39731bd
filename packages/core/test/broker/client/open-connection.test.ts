import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openConnection } from '../../../src/broker/client/open-connection.ts'
import type { ConnectSocket, FrameEvents, OpenConnection } from '../../../src/broker/client/open-connection.ts'
import { FrameReader } from '../../../src/broker/protocol/frame-reader.ts'
import { encodeText } from '../../../src/broker/protocol/frame-writer.ts'
import { FRAME_BODY, FRAME_HELLO, HEADER_BYTES, HELLO_BLOCKS } from '../../../src/broker/protocol/frames.ts'
import { encodeHello } from '../../../src/broker/protocol/hello.ts'
import { hasSharedMemory } from '../../../src/sockets/shared-memory.ts'

const NO_BYTES = Buffer.alloc(0)

const NO_FRAMES: FrameEvents = { onFrame() {}, onBatchEnd: () => true }

/** Opens a connection to a broker that does nothing but to answer HELLO, with the flags that it was asked for. */
async function withBroker(
  events: FrameEvents,
  flags: number,
  use: (broker: Socket, connection: OpenConnection) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'httpsys-test-'))
  const path = join(directory, 'broker.sock')
  const server = createServer({ pauseOnConnect: true }).listen(path)
  try {
    await once(server, 'listening')
    const accepted = once(server, 'connection') as Promise<[Socket]>
    const connectSocket: ConnectSocket = async (options, isPaused) => {
      const socket = connect({ path, ...options })
      if (isPaused) socket.pause()
      await once(socket, 'connect')
      return socket
    }
    const opening = openConnection(connectSocket, events, flags)
    const [broker] = await accepted
    broker.write(encodeText(FRAME_HELLO, flags, encodeHello(process.pid)))
    const connection = await opening
    await use(broker, connection)
    connection.socket.destroy()
    broker.destroy()
  } finally {
    server.close()
    await rm(directory, { recursive: true, force: true })
  }
}

test('frames keep their bytes and their order when the broker reads more slowly than they come', async () => {
  await withBroker(NO_FRAMES, 0, async (broker, { writer }) => {
    const payloads = Array.from({ length: 400 }, (_, index) =>
      Buffer.alloc(index % 20 === 0 ? 300_000 : 1_000 + index * 30, `${index},`),
    )
    for (const [index, payload] of payloads.entries()) {
      // Some leave one by one, some together, and some are more than the kernel takes at once.
      if (index % 20 === 0) writer.body(0, index, payload, 0, payload.length)
      else writer.payload(FRAME_BODY, 0, 0, index, payload)
      if (index % 3 > 0 || index % 20 === 0) writer.flush()
    }
    writer.flush()
    expect(writer.queuedBytes).toBeGreaterThan(0)

    const received: Buffer[] = []
    const reader = new FrameReader((type, _flags, _aux, id, bytes, _view, start, end) => {
      if (type !== FRAME_BODY) return
      const piece = bytes.subarray(start + HEADER_BYTES, end)
      received[id] = Buffer.concat([received[id] ?? NO_BYTES, piece])
    })
    broker.on('data', (bytes: Buffer) => reader.push(bytes, 0, bytes.length)).resume()
    await expect.poll(() => received[399]?.length).toBe(payloads[399]!.length)
    expect(received.every((payload, index) => payload.equals(payloads[index]!))).toBe(true)
    await expect.poll(() => writer.queuedBytes).toBe(0)
  })
})

test.skipIf(!hasSharedMemory())('a connection whose memory got lost on the way does without', async () => {
  const frames: number[] = []
  const events: FrameEvents = { onFrame: (type) => frames.push(type), onBatchEnd: () => true }
  // The answer says that there is memory, as it comes to a process that has no descriptors left.
  await withBroker(events, HELLO_BLOCKS, async (broker, { blocks }) => {
    expect(blocks).toBeNull()
    broker.write(encodeText(FRAME_BODY, 0, 'more'))
    await expect.poll(() => frames).toEqual([FRAME_BODY])
  })
})

test('a broker that sends what can be no frame is left, and the process says why', async () => {
  await withBroker(NO_FRAMES, 0, async (broker, { socket }) => {
    const warned = once(process, 'warning') as Promise<[Error & { code: string }]>
    const closed = new Promise((resolve) => socket.once('close', resolve))
    broker.write(Buffer.alloc(HEADER_BYTES, 0xff))
    const [warning] = await warned
    expect([warning.code, warning.message]).toEqual(['EPROTO', expect.stringContaining('a frame of 4294967295 bytes')])
    await closed
  })
})
