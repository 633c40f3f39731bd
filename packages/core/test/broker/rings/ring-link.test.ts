import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RingLink } from '../../../src/broker/rings/ring-link.ts'
import { MEMORY_BYTES, RING_BYTES, ringOf } from '../../../src/broker/rings/ring-memory.ts'
import type { Side } from '../../../src/broker/rings/ring-memory.ts'

/** One side of a pair, with what has happened to it. */
class End {
  readonly link: RingLink
  readonly received: Buffer[] = []
  readonly broken: string[] = []
  bells = 0
  isMapped = true

  constructor(memory: ArrayBuffer, side: Side) {
    const shared = { bytes: memory, close: () => void (this.isMapped = false) }
    this.link = new RingLink(shared, side, {
      onBytes: (bytes, start, end) => this.received.push(Buffer.from(bytes.subarray(start, end))),
      ringDoorbell: () => this.bells++,
      onBroken: (reason) => {
        this.broken.push(reason)
        // What that side says counts for nothing from here on.
        this.link.close()
      },
    })
  }

  get bytes(): Buffer {
    return Buffer.concat(this.received)
  }

  send(chunk: Buffer): { isDone: boolean } {
    const state = { isDone: false }
    this.link.send([chunk], (isSent) => (state.isDone = isSent))
    return state
  }
}

function pair(): { memory: ArrayBuffer; broker: End; owner: End } {
  const memory = new ArrayBuffer(MEMORY_BYTES)
  return { memory, broker: new End(memory, 'broker'), owner: new End(memory, 'owner') }
}

/** Bytes that tell where they are in the stream. */
function pattern(length: number, from = 0): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => (from + index) * 31 + ((from + index) >> 8)))
}

test('what one side sends the other reads, in both directions', () => {
  const { broker, owner } = pair()
  broker.send(Buffer.from('request'))
  owner.send(Buffer.from('response'))
  expect([owner.link.poll(), broker.link.poll()]).toEqual([true, true])
  expect([owner.bytes.toString(), broker.bytes.toString()]).toEqual(['request', 'response'])
  expect([owner.link.poll(), broker.link.poll()]).toEqual([false, false])
})

test('only a reader that sleeps is rung for, and once', () => {
  const { broker, owner } = pair()
  broker.send(Buffer.from('a'))
  expect(broker.bells).toBe(0)
  owner.link.poll()
  expect(owner.link.sleep()).toBe(false)
  broker.send(Buffer.from('b'))
  broker.send(Buffer.from('c'))
  expect(broker.bells).toBe(1)
})

test('a reader that finds something on its second look does not sleep', () => {
  const { broker, owner } = pair()
  broker.send(Buffer.from('a'))
  expect(owner.link.sleep()).toBe(true)
  broker.send(Buffer.from('b'))
  expect(broker.bells).toBe(0)
})

test('more than the ring holds goes piece by piece, and the reader rings when there is room', () => {
  const { broker, owner } = pair()
  const bytes = pattern(3 * RING_BYTES + 77)
  const sending = broker.send(bytes)
  let turns = 0
  while (owner.link.poll()) {
    turns++
    if (owner.bells === turns) broker.link.poll()
  }
  expect([turns, owner.bells, sending.isDone]).toEqual([4, 3, true])
  expect(owner.bytes.equals(bytes)).toBe(true)
})

test('what is queued stays in order, and is reported done when the last of it is in the ring', () => {
  const { broker, owner } = pair()
  const first = broker.send(pattern(RING_BYTES))
  const second = broker.send(pattern(10, RING_BYTES))
  expect([first.isDone, second.isDone]).toEqual([true, false])
  let drained = false
  broker.link.afterSending(() => (drained = true))
  owner.link.poll()
  expect(drained).toBe(false)
  broker.link.poll()
  owner.link.poll()
  expect([second.isDone, drained]).toEqual([true, true])
  expect(owner.bytes.equals(pattern(RING_BYTES + 10))).toBe(true)
})

test.each([
  ['a tail beyond the ring', 'tail', 0x4000_0000],
  ['a tail one byte too far', 'tail', RING_BYTES + 1],
  ['a tail that went back', 'tail', -1],
] as const)('%s is not believed', (_what, word, value) => {
  const { memory, broker } = pair()
  const ring = ringOf(memory, 'owner')
  Atomics.store(ring.words, ring[word], value)
  expect(broker.link.poll()).toBe(false)
  expect(broker.broken).toHaveLength(1)
  expect(broker.received).toEqual([])
})

test.each([
  ['ahead of what was written', 1],
  ['far behind', -2 * RING_BYTES],
  ['far ahead', 0x7000_0000],
])('a head %s is not believed', (_what, offset) => {
  const { memory, broker } = pair()
  const ring = ringOf(memory, 'broker')
  broker.send(pattern(RING_BYTES))
  Atomics.store(ring.words, ring.head, (RING_BYTES + offset) | 0)
  expect(broker.send(Buffer.from('more')).isDone).toBe(false)
  expect(broker.broken).toHaveLength(1)
})

test('what has been read does not change under the reader when the writer changes it', () => {
  const memory = new ArrayBuffer(MEMORY_BYTES)
  const seen: string[] = []
  const ring = ringOf(memory, 'owner')
  const broker = new RingLink({ bytes: memory, close() {} }, 'broker', {
    onBytes: (bytes, start, end) => {
      // As an owner does that waits for the check to be over.
      ring.bytes.fill(120, 0, 10)
      seen.push(bytes.toString('latin1', start, end))
    },
    ringDoorbell() {},
    onBroken() {},
  })
  new End(memory, 'owner').send(Buffer.from('harmless'))
  broker.poll()
  expect(seen).toEqual(['harmless'])
})

test('closing reports what was not sent, and gives the memory back when nobody can be using it', async () => {
  const { broker, owner } = pair()
  const results: boolean[] = []
  broker.link.send([pattern(2 * RING_BYTES)], (isSent) => results.push(isSent))
  broker.link.close()
  broker.link.close()
  broker.link.send([Buffer.from('late')], (isSent) => results.push(isSent))
  expect(results).toEqual([false, false])
  expect([broker.link.poll(), broker.link.sleep(), broker.isMapped]).toEqual([false, false, true])
  await new Promise((resolve) => setImmediate(resolve))
  expect([broker.isMapped, owner.isMapped]).toEqual([false, true])
})

test('a pair may be closed from within its own read', () => {
  const { broker, owner } = pair()
  owner.send(Buffer.from('bye'))
  const events: string[] = []
  const memory = new ArrayBuffer(MEMORY_BYTES)
  const other = new End(memory, 'owner')
  const link: RingLink = new RingLink({ bytes: memory, close() {} }, 'broker', {
    onBytes: () => {
      events.push('read')
      link.close()
    },
    ringDoorbell() {},
    onBroken: (reason) => events.push(reason),
  })
  other.send(Buffer.from('a'))
  expect([link.poll(), link.poll()]).toEqual([true, false])
  expect(events).toEqual(['read'])
  expect(broker.link.poll()).toBe(true)
})

test('a read within a read gets bytes of its own', () => {
  const outer = pair()
  const inner = pair()
  inner.owner.send(Buffer.from('inner'))
  outer.owner.send(Buffer.from('outer'))
  const seen: string[] = []
  const link = new RingLink({ bytes: outer.memory, close() {} }, 'broker', {
    onBytes: (bytes, start, end) => {
      inner.broker.link.poll()
      seen.push(bytes.toString('latin1', start, end), inner.broker.bytes.toString())
    },
    ringDoorbell() {},
    onBroken() {},
  })
  link.poll()
  expect(seen).toEqual(['outer', 'inner'])
})

test('any sequence of sends and reads keeps the bytes and their order', () => {
  const size = fc.oneof(fc.nat(300), fc.integer({ min: RING_BYTES - 3, max: RING_BYTES + 3 }), fc.nat(2 * RING_BYTES))
  const step = fc.oneof(
    size.map((length) => ({ kind: 'send', length }) as const),
    fc.constant({ kind: 'read' } as const),
    fc.constant({ kind: 'bell' } as const),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { broker, owner } = pair()
      let sent = 0
      for (const entry of steps) {
        if (entry.kind === 'send') {
          broker.send(pattern(entry.length, sent))
          sent += entry.length
        } else if (entry.kind === 'read') owner.link.poll()
        else broker.link.poll()
      }
      for (let turn = 0; turn < 200 && owner.bytes.length < sent; turn++) {
        owner.link.poll()
        broker.link.poll()
      }
      expect(owner.bytes.equals(pattern(sent))).toBe(true)
    }),
    { numRuns: 60 },
  )
})
