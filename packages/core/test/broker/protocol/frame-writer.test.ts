import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { FLAG_END, FRAME_BODY } from '../../../src/broker/protocol/frames.ts'
import type { FrameWriter } from '../../../src/broker/protocol/frame-writer.ts'
import { MAX_BODY_FRAME_BYTES } from '../../../src/broker/protocol/limits.ts'
import { SlowTransmit, encodeFrame, frameRecorder, hex, hexOf } from '../../support/frames.ts'
import type { Frame } from '../../support/frames.ts'

const KIB = 1024

function filled(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let index = 0; index < length; index++) bytes[index] = (index * 31 + seed * 17) & 255
  return bytes
}

function framesIn(bytes: Buffer): Frame[] {
  const { reader, frames } = frameRecorder()
  reader.push(bytes, 0, bytes.length)
  return frames
}

describe('frames', () => {
  test('have a header of twelve bytes, little-endian', () => {
    const bytes = hexOf((writer) => writer.signal(0x12, 0x34, 0x5678, 0x9abcdef0))
    expect(bytes).toBe(hex('0c000000 12 34 7856 f0debc9a'))
  })

  test('of credit carry a number of bytes', () => {
    expect(hexOf((writer) => writer.credit(7, 0x8000_0001))).toBe(hex('10000000 04 00 0000 07000000 01000080'))
  })

  test.each([
    ['latin1', 'ü', hex('0d000000 03 01 0002 01000000 fc')],
    ['utf8', 'ü', hex('0e000000 03 01 0002 01000000 c3bc')],
    ['utf8', '', hex('0c000000 03 01 0002 01000000')],
  ] as const)('carry text as %s: %j', (encoding, text, expected) => {
    expect(hexOf((writer) => writer.text(3, 1, 0x200, 1, text, encoding))).toBe(expected)
  })

  test.each([0, 1, 16 * KIB - 1, 16 * KIB, 64 * KIB - 12, 64 * KIB, 300 * KIB])('carry %i bytes', (length) => {
    const payload = filled(length, 1)
    const whole = { type: 2, flags: 1, aux: 3, id: 4, payload }
    expect(hexOf((writer) => writer.payload(2, 1, 3, 4, payload)) === encodeFrame(whole).toString('hex')).toBe(true)
  })

  test('larger than a slab can be reserved, between others', () => {
    const { writer, bytes } = run((slow) => {
      for (const [id, length] of [100, 200 * KIB, 64 * KIB, 12, 70 * KIB].entries()) {
        const offset = slow.writer.reserve(length, 5, 0, 0, id)
        filled(length - 12, id).copy(slow.writer.bytes, offset + 12)
      }
    })
    expect(framesIn(bytes).map(({ id, payload }) => [id, payload.equals(filled(payload.length, id))])).toEqual(
      [0, 1, 2, 3, 4].map((id) => [id, true]),
    )
    expect(writer.queuedBytes).toBe(bytes.length)
  })
})

function run(write: (slow: SlowTransmit) => void): { writer: SlowTransmit['writer']; bytes: Buffer } {
  const slow = new SlowTransmit()
  write(slow)
  slow.writer.flush()
  return { writer: slow.writer, bytes: slow.bytes }
}

/** The ids, flags and lengths of the frames that hold pieces of bodies, after their bytes have been looked at. */
function bodyFrames(write: (writer: FrameWriter) => void): [id: number, flags: number, length: number][] {
  const { bytes } = run(({ writer }) => write(writer))
  return framesIn(bytes).map(({ type, id, flags, payload }) => {
    expect(type === FRAME_BODY ? payload.length : 0).toBeLessThanOrEqual(MAX_BODY_FRAME_BYTES)
    return [id, flags, payload.length]
  })
}

describe('pieces of a body', () => {
  const source = filled(400 * KIB, 1)

  test('are cut into frames that the other side accepts, of which only the last may end it', () => {
    expect(bodyFrames((writer) => writer.body(FLAG_END, 1, source, 5, 5 + 130 * KIB))).toEqual([
      [1, 0, 64 * KIB],
      [1, 0, 64 * KIB],
      [1, FLAG_END, 2 * KIB],
    ])
  })

  test('that follow each other are one frame as long as it may be', () => {
    const frames = bodyFrames((writer) => {
      for (let start = 0; start < 68 * KIB; start += 4 * KIB) writer.body(0, 1, source, start, start + 4 * KIB)
      writer.body(FLAG_END, 1, source, 0, 0)
    })
    expect(frames).toEqual([
      [1, 0, 64 * KIB],
      [1, FLAG_END, 4 * KIB],
    ])
  })

  test('stay apart when another frame is between them, and what has ended does not go on', () => {
    const frames = bodyFrames((writer) => {
      writer.body(0, 1, source, 0, 10)
      writer.signal(FRAME_BODY, 0, 0, 1)
      writer.body(0, 1, source, 10, 20)
      writer.body(FLAG_END, 2, source, 0, 0)
      writer.body(FLAG_END, 1, source, 20, 30)
      writer.body(0, 1, source, 30, 40)
    })
    expect(frames).toEqual([
      [1, 0, 10],
      [1, 0, 0],
      [1, 0, 10],
      [2, FLAG_END, 0],
      [1, FLAG_END, 10],
      [1, 0, 10],
    ])
  })

  test('that have been sent are not changed any more', () => {
    const slow = new SlowTransmit()
    slow.writer.body(0, 1, source, 0, 10)
    slow.writer.flush()
    slow.writer.body(FLAG_END, 1, source, 10, 20)
    slow.writer.flush()
    slow.finish()
    slow.finish()
    expect(framesIn(slow.bytes).map(({ flags, payload }) => [flags, payload.length])).toEqual([
      [0, 10],
      [FLAG_END, 10],
    ])
  })

  test('arrive byte by byte as they were written, however they are mixed', () => {
    const piece = fc.record({ id: fc.nat(2), length: fc.integer({ min: 1, max: 150 * KIB }), flush: fc.boolean() })
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const written = [0, 0, 0]
        const { bytes } = run(({ writer }) => {
          for (const { id, length, flush } of pieces) {
            const start = written[id]! % KIB
            writer.body(0, id, source, start, start + length)
            written[id]! += length
            if (flush) writer.flush()
          }
        })
        const expected = [0, 1, 2].map((id) => {
          let start = 0
          const parts: Buffer[] = []
          for (const { length } of pieces.filter((one) => one.id === id)) {
            parts.push(source.subarray(start % KIB, (start % KIB) + length))
            start += length
          }
          return Buffer.concat(parts)
        })
        const frames = framesIn(bytes)
        for (const [id, body] of expected.entries()) {
          const parts = frames.filter((frame) => frame.id === id).map(({ payload }) => payload)
          for (const part of parts) expect(part.length).toBeLessThanOrEqual(MAX_BODY_FRAME_BYTES)
          expect(Buffer.concat(parts).equals(body)).toBe(true)
        }
      }),
      { numRuns: 100 },
    )
  })
})

describe('sending', () => {
  test('waits for the end of the turn and takes everything together', async () => {
    const slow = new SlowTransmit()
    slow.writer.signal(1, 0, 0, 1)
    await Promise.resolve()
    slow.writer.text(1, 0, 0, 2, 'two', 'utf8')
    expect(slow.calls).toEqual([])
    await nextTurn()
    expect(slow.calls).toHaveLength(1)
    expect(slow.calls[0]).toHaveLength(1)
    expect(framesIn(slow.bytes).map(({ id }) => id)).toEqual([1, 2])
  })

  test('is put off once in a turn, however many frames there are', () => {
    const putOff = vi.spyOn(globalThis, 'setImmediate')
    try {
      const slow = new SlowTransmit()
      for (let id = 0; id < 10; id++) slow.writer.signal(1, 0, 0, id)
      expect(putOff).toHaveBeenCalledOnce()
    } finally {
      putOff.mockRestore()
    }
  })

  test('happens once when it was asked for before the end of the turn', async () => {
    const slow = new SlowTransmit()
    slow.writer.signal(1, 0, 0, 1)
    slow.writer.flush()
    slow.writer.flush()
    await nextTurn()
    expect(slow.calls).toHaveLength(1)
    slow.writer.signal(1, 0, 0, 2)
    await nextTurn()
    expect(framesIn(slow.bytes).map(({ id }) => id)).toEqual([1, 2])
  })

  test('does not copy large payloads, and copies small ones', () => {
    const slow = new SlowTransmit()
    const large = filled(16 * KIB, 1)
    const small = filled(16 * KIB - 1, 2)
    slow.writer.payload(2, 0, 0, 1, large)
    slow.writer.payload(2, 0, 0, 2, small)
    slow.writer.flush()
    const [chunks] = slow.calls
    expect(chunks!.map(({ length }) => length)).toEqual([12, large.length, 12 + small.length])
    expect(chunks![1]!.buffer).toBe(large.buffer)
    small.fill(0)
    expect(framesIn(Buffer.concat(chunks!))[1]!.payload.equals(filled(16 * KIB - 1, 2))).toBe(true)
  })

  test('copies what it is told to copy, however large', () => {
    const slow = new SlowTransmit()
    const source = filled(32 * KIB, 1)
    slow.writer.body(0, 1, source, 0, source.length)
    slow.writer.flush()
    source.fill(0)
    expect(() => slow.finish()).not.toThrow()
    expect(framesIn(slow.bytes)[0]!.payload.equals(filled(32 * KIB, 1))).toBe(true)
  })

  test('counts what is collected, what is under way, and what is done', () => {
    const slow = new SlowTransmit()
    const { writer } = slow
    writer.signal(1, 0, 0, 1)
    expect([writer.queuedBytes, writer.inFlightBytes]).toEqual([12, 0])
    writer.payload(2, 0, 0, 2, filled(20 * KIB, 1))
    expect([writer.queuedBytes, writer.inFlightBytes]).toEqual([24 + 20 * KIB, 0])
    writer.reserve(60 * KIB, 1, 0, 0, 3)
    expect([writer.queuedBytes, writer.inFlightBytes]).toEqual([24 + 80 * KIB, 0])
    writer.flush()
    expect([writer.queuedBytes, writer.inFlightBytes]).toEqual([24 + 80 * KIB, 24 + 80 * KIB])
    writer.signal(1, 0, 0, 4)
    expect([writer.queuedBytes, writer.inFlightBytes]).toEqual([36 + 80 * KIB, 24 + 80 * KIB])
    slow.finish()
    expect([writer.queuedBytes, writer.inFlightBytes]).toEqual([12, 0])
    writer.flush()
    slow.finish()
    expect([writer.queuedBytes, writer.inFlightBytes]).toEqual([0, 0])
  })
})

describe('memory', () => {
  test('is used again from its beginning when everything is sent', () => {
    const slow = new SlowTransmit()
    const offsets = [1, 2, 3].map((id) => {
      slow.writer.signal(1, 0, 0, id)
      slow.writer.flush()
      slow.finish()
      return slow.calls[id - 1]![0]!.byteOffset
    })
    expect(offsets).toEqual([offsets[0], offsets[0], offsets[0]])
  })

  test('is not used again while a write is pending', () => {
    const slow = new SlowTransmit()
    for (let id = 0; id < 40; id++) {
      const offset = slow.writer.reserve(5 * KIB, 1, 0, 0, id)
      filled(5 * KIB - 12, id).copy(slow.writer.bytes, offset + 12)
      slow.writer.flush()
    }
    expect(slow.pendingCount).toBe(40)
    while (slow.pendingCount > 0) slow.finish()
    expect(framesIn(slow.bytes).map(({ id, payload }) => payload.equals(filled(5 * KIB - 12, id)))).toEqual(
      Array.from({ length: 40 }, () => true),
    )
  })

  test('of a header that waits for its large payload is not used again when an earlier write is done', () => {
    const slow = new SlowTransmit()
    slow.writer.signal(1, 0, 0, 1)
    slow.writer.flush()
    slow.writer.payload(2, 0, 0, 2, filled(16 * KIB, 1))
    slow.finish()
    slow.writer.text(3, 0, 0, 3, 'longer than a header', 'latin1')
    slow.writer.flush()
    expect(framesIn(slow.bytes).map(({ type, id }) => [type, id])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ])
  })

  test('gives no memory away that is still being sent when what came later is given up', () => {
    const leaving = new SlowTransmit()
    leaving.writer.body(0, 1, filled(40 * KIB, 1), 0, 40 * KIB)
    leaving.writer.flush()
    leaving.isEnding = true
    leaving.writer.signal(2, 0, 0, 1)
    leaving.writer.flush()
    const other = new SlowTransmit()
    for (let id = 0; id < 4; id++) other.writer.body(0, id, filled(40 * KIB, 2), 0, 40 * KIB)
    other.writer.flush()
    leaving.finish()
    expect([leaving.pendingCount, leaving.writer.queuedBytes]).toEqual([0, 0])
  })

  test('holds no frame of one writer that another one still sends, however writes and their ends mix', () => {
    type Step = readonly [kind: 'copy' | 'reference' | 'reserve' | 'flush' | 'finish', writer: 0 | 1, length: number]
    const step = fc.tuple(
      fc.constantFrom('copy', 'reference', 'reserve', 'flush', 'finish'),
      fc.constantFrom(0, 1),
      fc.oneof(fc.nat({ max: 40 }), fc.integer({ min: 10 * KIB, max: 40 * KIB }), fc.constant(70 * KIB)),
    ) as fc.Arbitrary<Step>
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const writers = [new SlowTransmit(), new SlowTransmit()] as const
      const expected: [Buffer[], Buffer[]] = [[], []]
      let id = 0
      for (const [kind, which, length] of steps) {
        const { writer } = writers[which]
        if (kind === 'flush') writer.flush()
        else if (kind === 'finish') writers[which].finish()
        else {
          const payload = filled(length, ++id)
          if (kind === 'copy') {
            for (let start = 0; length - start > MAX_BODY_FRAME_BYTES; start += MAX_BODY_FRAME_BYTES) {
              const piece = payload.subarray(start, start + MAX_BODY_FRAME_BYTES)
              expected[which].push(encodeFrame({ type: FRAME_BODY, flags: 0, aux: 0, id, payload: piece }))
            }
            const rest = payload.subarray(length > MAX_BODY_FRAME_BYTES ? MAX_BODY_FRAME_BYTES : 0)
            expected[which].push(encodeFrame({ type: FRAME_BODY, flags: FLAG_END, aux: 0, id, payload: rest }))
          } else expected[which].push(encodeFrame({ type: 2, flags: 1, aux: id, id, payload }))
          if (kind === 'copy') writer.body(FLAG_END, id, payload, 0, length)
          else if (kind === 'reference') writer.payload(2, 1, id, id, payload)
          else {
            const offset = writer.reserve(12 + length, 2, 1, id, id)
            payload.copy(writer.bytes, offset + 12)
          }
        }
      }
      for (const [which, slow] of writers.entries()) {
        slow.writer.flush()
        while (slow.pendingCount > 0) slow.finish()
        if (!slow.bytes.equals(Buffer.concat(expected[which as 0 | 1]))) throw new Error('other bytes were sent')
        if (slow.writer.queuedBytes !== 0) throw new Error('bytes are left')
      }
    })
    fc.assert(property, { numRuns: 400, interruptAfterTimeLimit: 8000 })
  })
})

describe('close', () => {
  test('forgets what has not been sent, and takes nothing more', async () => {
    const slow = new SlowTransmit()
    const { writer } = slow
    writer.signal(1, 0, 0, 1)
    writer.flush()
    writer.payload(1, 0, 0, 2, filled(20 * KIB, 1))
    writer.close()
    writer.signal(1, 0, 0, 3)
    writer.payload(1, 0, 0, 4, filled(20 * KIB, 1))
    for (let id = 5; id < 10; id++) writer.reserve(60 * KIB, 1, 0, 0, id)
    await nextTurn()
    writer.flush()
    expect(framesIn(slow.bytes).map(({ id }) => id)).toEqual([1])
    expect(writer.queuedBytes).toBe(12)
    slow.finish()
    expect(writer.queuedBytes).toBe(0)
    expect(() => writer.close()).not.toThrow()
  })
})
