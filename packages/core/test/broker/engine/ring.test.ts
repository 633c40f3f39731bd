import { readFileSync, readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { IORING_REGISTER_EVENTFD, IORING_UNREGISTER_EVENTFD } from '../../../src/broker/engine/uring/kernel.ts'
import { RING_TIERS, Ring } from '../../../src/broker/engine/uring/ring.ts'
import type { RingTier } from '../../../src/broker/engine/uring/ring.ts'
import { systemCalls } from '../../../src/broker/engine/uring/system-calls.ts'
import { UringEngine } from '../../../src/broker/engine/uring/uring-engine.ts'
import type { SystemCalls } from '../../../src/broker/engine/uring/system-calls.ts'

const tiers = process.platform === 'linux' ? RING_TIERS.filter((tier) => isRing(Ring.open(systemCalls(), [tier]))) : []

function isRing(ring: Ring | string): boolean {
  if (typeof ring === 'string') return false
  ring.close()
  return true
}

/** A kernel whose first ring signals so many times. */
function kernelThatSignals(times: number): SystemCalls {
  const calls = systemCalls()
  let setups = 0
  let silent = -1
  let enters = 0
  return {
    ...calls,
    setup(entries, params) {
      const descriptor = calls.setup(entries, params)
      silent = ++setups === 1 ? descriptor : -1
      return descriptor
    },
    register(ring, operation, argument, count) {
      if (ring === silent && operation === IORING_REGISTER_EVENTFD && times === 0) return 0
      return calls.register(ring, operation, argument, count)
    },
    enter(ring, ...others) {
      // Each signal is preceded by a call that submits, and followed by one that collects.
      if (ring === silent && enters++ === 2 * times) calls.register(ring, IORING_UNREGISTER_EVENTFD, null, 0)
      return calls.enter(ring, ...others)
    },
  }
}

function mappedRings(): number {
  return readFileSync('/proc/self/maps', 'utf8').split('io_uring').length - 1
}

function tierOf(ring: Ring | string): string {
  if (typeof ring === 'string') return ring
  ring.close()
  return ring.tier
}

function setbackOf(engine: UringEngine | string): string | undefined {
  return typeof engine === 'string' ? engine : engine.setback
}

describe.skipIf(tiers.length < 2)('a kind of ring', () => {
  const [best, second] = tiers as [RingTier, RingTier]

  test('that signals each time is used', () => {
    expect(tierOf(Ring.open(kernelThatSignals(1000), tiers))).toBe(best)
  })

  test.each([0, 1])('that signals %i times is not used, and the next one is', (times) => {
    expect(tierOf(Ring.open(kernelThatSignals(times), tiers))).toBe(second)
  })

  test('that is not used leaves nothing behind', () => {
    const before = { descriptors: readdirSync('/proc/self/fd').length, maps: mappedRings() }
    Ring.open(kernelThatSignals(0), [best])
    expect({ descriptors: readdirSync('/proc/self/fd').length, maps: mappedRings() }).toEqual(before)
  })

  test('that does not signal is the reason when there is no other', () => {
    expect(tierOf(Ring.open(kernelThatSignals(0), [best]))).toMatch(/does not tell at once/)
  })

  test('is no setback where its work is deferred, and named as one where it is not', () => {
    const deferred: RingTier[] = ['direct', 'deferred']
    for (const tier of tiers) {
      const setback = deferred.includes(tier) ? undefined : expect.stringContaining(`io_uring of the kind "${tier}": `)
      expect(setbackOf(UringEngine.open([tier]))).toEqual(setback)
    }
  })

  test('that is used in place of one that does not signal says so', () => {
    const ring = Ring.open(kernelThatSignals(0), [best, tiers.at(-1)!])
    tierOf(ring)
    expect(ring).toMatchObject({ setback: expect.stringMatching(/does not tell at once/) })
  })
})
