import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HttpSysError } from '../../../src/base/errors.ts'
import { FrameReader } from '../../../src/broker/protocol/frame-reader.ts'
import { MAX_FRAME_BYTES } from '../../../src/broker/protocol/limits.ts'
import { encodeFrame, frameRecorder } from '../../support/frames.ts'
import type { Frame } from '../../support/frames.ts'

const FRAMES: readonly Frame[] = [
  { type: 1, flags: 0, aux: 0, id: 0, payload: Buffer.alloc(0) },
  { type: 255, flags: 255, aux: 65_535, id: 0xffff_ffff, payload: Buffer.from('a') },
  { type: 2, flags: 1, aux: 513, id: 70_000, payload: Buffer.from('twelve bytes and more, to be cut in many places') },
  { type: 3, flags: 0, aux: 1, id: 3, payload: Buffer.alloc(0) },
]
const STREAM = Buffer.concat(FRAMES.map(encodeFrame))

/** Delivers pieces as a socket does: all in the same buffer, which the next read overwrites. */
function deliver(reader: FrameReader, pieces: Iterable<Buffer>): void {
  const buffer = Buffer.alloc(MAX_FRAME_BYTES + 100)
  for (const piece of pieces) {
    piece.copy(buffer, 17)
    reader.push(buffer, 17, 17 + piece.length)
    buffer.fill(0xee, 17, 17 + piece.length)
  }
}

function errorOf(action: () => void): HttpSysError {
  try {
    action()
  } catch (error) {
    if (error instanceof HttpSysError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('a stream of frames', () => {
  test('is read in one piece', () => {
    const { reader, frames } = frameRecorder()
    reader.push(STREAM, 0, STREAM.length)
    expect(frames).toEqual(FRAMES)
  })

  test('is read wherever it is cut in two', () => {
    for (let cut = 0; cut <= STREAM.length; cut++) {
      const { reader, frames } = frameRecorder()
      deliver(reader, [STREAM.subarray(0, cut), STREAM.subarray(cut)])
      expect(frames, `cut at ${cut}`).toEqual(FRAMES)
    }
  })

  test('is read wherever it is cut in three', () => {
    for (let first = 0; first <= STREAM.length; first++) {
      for (let second = first; second <= STREAM.length; second += 3) {
        const { reader, frames } = frameRecorder()
        deliver(reader, [STREAM.subarray(0, first), STREAM.subarray(first, second), STREAM.subarray(second)])
        if (frames.length !== FRAMES.length) throw new Error(`cut at ${first} and ${second}`)
        for (const [index, frame] of frames.entries()) {
          if (!encodeFrame(frame).equals(encodeFrame(FRAMES[index]!))) throw new Error(`cut at ${first} and ${second}`)
        }
      }
    }
  })

  test('is read byte by byte', () => {
    const { reader, frames } = frameRecorder()
    deliver(
      reader,
      Array.from(STREAM, (byte) => Buffer.of(byte)),
    )
    expect(frames).toEqual(FRAMES)
  })

  test('is delivered frame by frame, each as soon as it is complete', () => {
    const { reader, frames } = frameRecorder()
    const second = 12 + 13
    reader.push(STREAM, 0, second - 1)
    expect(frames).toHaveLength(1)
    reader.push(STREAM, second - 1, second)
    expect(frames).toHaveLength(2)
  })

  test('may come in another buffer each time', () => {
    const { reader, frames } = frameRecorder()
    for (const frame of FRAMES) {
      const bytes = Buffer.concat([Buffer.alloc(3), encodeFrame(frame)])
      reader.push(bytes, 3, bytes.length)
    }
    expect(frames).toEqual(FRAMES)
  })

  test('is read back as it was written, whatever the frames and the cuts', () => {
    const frame = fc.record({
      type: fc.nat({ max: 255 }),
      flags: fc.nat({ max: 255 }),
      aux: fc.nat({ max: 65_535 }),
      id: fc.nat({ max: 0xffff_ffff }),
      payload: fc
        .tuple(fc.oneof(fc.nat({ max: 30 }), fc.nat({ max: 3000 }), fc.constant(MAX_FRAME_BYTES - 12)), fc.nat())
        .map(([length, seed]) => Buffer.alloc(length, seed & 255)),
    })
    const property = fc.property(
      fc.array(frame, { maxLength: 12 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 }),
      (sent, fractions) => {
        const stream = Buffer.concat(sent.map(encodeFrame))
        const cuts = fractions.map((fraction) => Math.floor(fraction * stream.length)).sort((a, b) => a - b)
        const edges = [0, ...cuts, stream.length]
        const { reader, frames } = frameRecorder()
        for (let index = 1; index < edges.length; index++) {
          // As from a socket: 64 KiB at most, in a buffer that is used again.
          for (let from = edges[index - 1]!; from < edges[index]!; from += 65_536) {
            deliver(reader, [stream.subarray(from, Math.min(from + 65_536, edges[index]!))])
          }
        }
        if (!Buffer.concat(frames.map(encodeFrame)).equals(stream) || frames.length !== sent.length) {
          throw new Error('other frames were read')
        }
      },
    )
    fc.assert(property, { numRuns: 150, interruptAfterTimeLimit: 8000 })
  })

  test('may have frames up to the limit', () => {
    const { reader, frames } = frameRecorder()
    const largest = { type: 2, flags: 0, aux: 0, id: 1, payload: Buffer.alloc(MAX_FRAME_BYTES - 12, 'x') }
    const bytes = encodeFrame(largest)
    deliver(reader, [bytes.subarray(0, 5), bytes.subarray(5)])
    deliver(reader, [bytes])
    expect(frames.map(({ payload }) => payload.equals(largest.payload))).toEqual([true, true])
  })
})

describe('a length that cannot be true', () => {
  test.each([0, 1, 11, MAX_FRAME_BYTES + 1, 0x8000_0000, 0xffff_ffff])('is refused: %i', (length) => {
    const bad = Buffer.alloc(12)
    bad.writeUInt32LE(length, 0)
    for (let cut = 0; cut <= bad.length; cut++) {
      const { reader, frames } = frameRecorder()
      reader.push(STREAM, 0, STREAM.length)
      const error = errorOf(() => {
        deliver(reader, [bad.subarray(0, cut), bad.subarray(cut), Buffer.alloc(1)])
      })
      expect(error).toMatchObject({ code: 'EPROTO', syscall: 'read', subject: 'broker frame' })
      expect(error.reason).toBe(`a frame of ${length} bytes is outside 12 to ${MAX_FRAME_BYTES}`)
      expect(frames).toEqual(FRAMES)
    }
  })

  test('is refused before memory is taken for it', () => {
    const { reader } = frameRecorder()
    const header = Buffer.alloc(13)
    header.writeUInt32LE(0x7fff_ffff, 0)
    expect(errorOf(() => reader.push(header, 0, header.length)).code).toBe('EPROTO')
  })
})

test('an error of the receiver reaches the caller', () => {
  const reader = new FrameReader(() => {
    throw new Error('not mine')
  })
  expect(() => reader.push(STREAM, 0, STREAM.length)).toThrow('not mine')
})
