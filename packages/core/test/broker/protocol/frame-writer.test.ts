import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
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
    const around = Buffer.concat([filled(5, 9), payload, filled(7, 8)])
    const copied = hexOf((writer) => writer.copy(2, 1, 3, 4, around, 5, 5 + length))
    expect(copied === encodeFrame(whole).toString('hex')).toBe(true)
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
    slow.writer.copy(2, 0, 0, 1, source, 0, source.length)
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
          expected[which].push(encodeFrame({ type: 2, flags: 1, aux: id, id, payload }))
          if (kind === 'copy') writer.copy(2, 1, id, id, payload, 0, length)
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
