import { createServer, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { expect, test, vi } from 'vitest'
import { BLOCK_BYTES, BLOCK_COUNT, BLOCKS_BYTES, BROKER_BLOCKS_START } from '../../../src/broker/blocks/block-memory.ts'
import { BrokerBlocks } from '../../../src/broker/blocks/broker-blocks.ts'
import { PeerBodies } from '../../../src/broker/daemon/peer-bodies.ts'
import { FrameWriter } from '../../../src/broker/protocol/frame-writer.ts'
import { FLAG_END, FRAME_BODY, FRAME_BODY_BLOCK } from '../../../src/broker/protocol/frames.ts'
import httpsys from '../../../src/index.ts'
import { hasSharedMemory } from '../../../src/sockets/shared-memory.ts'
import { startBroker } from '../../support/broker-fixture.ts'
import { frameRecorder } from '../../support/frames.ts'
import type { Frame } from '../../support/frames.ts'

/** Sends a piece to an owner that has given these blocks; returns the frames, with what lies in a block in place of its length. */
function send(given: readonly number[], piece: Buffer, flags: number): Frame[] {
  const memory = { bytes: new ArrayBuffer(BLOCKS_BYTES), close() {} }
  const blocks = new BrokerBlocks(memory)
  for (const block of given) blocks.giveBack(block)
  const { reader, frames } = frameRecorder()
  const writer = new FrameWriter((chunks, done) => {
    for (const chunk of chunks) reader.push(chunk, 0, chunk.length)
    done(true)
  })
  new PeerBodies({ blocks }, writer).send(flags, 7, piece, 0, piece.length)
  writer.flush()
  return frames.map((frame) => {
    if (frame.type !== FRAME_BODY_BLOCK) return frame
    const at = BROKER_BLOCKS_START + frame.aux * BLOCK_BYTES
    return { ...frame, payload: blocks.bytes.subarray(at, at + frame.payload.readUInt32LE(0)) }
  })
}

const PIECE = Buffer.from(
  Array.from({ length: 2 * BLOCK_BYTES + 20_000 }, (_, index) => (index * 7 + (index >> 8)) & 255),
)

test.each([
  { given: [3, 4, 5], types: [FRAME_BODY_BLOCK, FRAME_BODY_BLOCK, FRAME_BODY_BLOCK] },
  { given: [3], types: [FRAME_BODY_BLOCK, FRAME_BODY, FRAME_BODY] },
  { given: [], types: [FRAME_BODY, FRAME_BODY, FRAME_BODY] },
])('a piece that takes three frames has all its bytes, and one end, with the blocks $given', ({ given, types }) => {
  for (const flags of [0, FLAG_END]) {
    const frames = send(given, PIECE, flags)
    expect(frames.map((frame) => frame.type)).toEqual(types)
    expect(frames.map((frame) => frame.flags)).toEqual([0, 0, flags])
    expect(Buffer.concat(frames.map((frame) => frame.payload)).equals(PIECE)).toBe(true)
  }
})

test('an end without a piece is a frame', () => {
  expect(send([1], Buffer.alloc(0), FLAG_END)).toMatchObject([{ type: FRAME_BODY, flags: FLAG_END, id: 7 }])
})

test.skipIf(!hasSharedMemory())(
  'an owner gives its broker blocks, and gives each back when it has taken what lay there',
  async () => {
    await using _ = await startBroker()
    const put = vi.spyOn(BrokerBlocks.prototype, 'put')
    const server = createServer((incoming, response) => {
      incoming.resume().on('end', () => response.end('taken'))
    })
    await once(server.listen(httpsys.prefix('http://localhost:0/')), 'listening')
    try {
      const { port } = server.address() as { port: number }
      const outgoing = request({ host: 'localhost', port, method: 'POST', agent: false })
      outgoing.end(Buffer.alloc(4 * BLOCK_COUNT * BLOCK_BYTES))
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
      await once(response.resume(), 'end')
      const blocks = put.mock.results.map(({ value }) => value as number).filter((block) => block !== -1)
      expect(blocks.length).toBeGreaterThan(BLOCK_COUNT)
    } finally {
      put.mockRestore()
      await new Promise((resolve) => server.close(resolve))
    }
  },
)
