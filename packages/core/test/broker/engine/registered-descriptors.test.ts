import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { IORING_REGISTER_FILES2, IORING_REGISTER_FILES_UPDATE } from '../../../src/broker/engine/uring/kernel.ts'
import { NOT_REGISTERED, RegisteredDescriptors } from '../../../src/broker/engine/uring/registered-descriptors.ts'
import { threadReactor } from '../../../src/broker/engine/uring/reactor.ts'
import { Ring } from '../../../src/broker/engine/uring/ring.ts'
import { systemCalls } from '../../../src/broker/engine/uring/system-calls.ts'
import type { SystemCalls } from '../../../src/broker/engine/uring/system-calls.ts'

/** How many a kernel lets in that refuses tables above a size, and registers so many descriptors. */
function roomIn(maxTable: number, maxUpdates = Infinity): number {
  const ring = Ring.open(systemCalls())
  if (typeof ring === 'string') throw new Error(ring)
  let updates = 0
  const calls: SystemCalls = {
    ...systemCalls(),
    register(descriptor, operation, argument, count) {
      if (operation === IORING_REGISTER_FILES2 && new Uint32Array(argument!.buffer)[0]! > maxTable) return -1
      if (operation === IORING_REGISTER_FILES_UPDATE && ++updates > maxUpdates) return -1
      return systemCalls().register(descriptor, operation, argument, count)
    },
  }
  try {
    const registered = new RegisteredDescriptors(calls, ring)
    const numbers = new Set<number>()
    for (let number = registered.add(0); number !== NOT_REGISTERED; number = registered.add(0)) numbers.add(number)
    if (numbers.size > 0) {
      // One that is given back is the next.
      registered.remove(7)
      expect(registered.add(0)).toBe(maxUpdates === Infinity ? 7 : NOT_REGISTERED)
    }
    return numbers.size
  } finally {
    ring.close()
  }
}

const hasRings = process.platform === 'linux' && typeof threadReactor() !== 'string'

test.skipIf(!hasRings)(
  'none is registered where a file that is taken out stays open until others have something to say',
  () => {
    const calls: SystemCalls = { ...systemCalls(), register: () => 1 }
    const of = (dropsFilesAtOnce: boolean): number =>
      new RegisteredDescriptors(calls, { descriptor: -1, dropsFilesAtOnce } as Ring).add(0)
    expect([of(true), of(false)]).toEqual([0, NOT_REGISTERED])
  },
)

test.skipIf(!hasRings)('as many are registered as the kernel has room for, and none where it has none', () => {
  const before = readdirSync('/proc/self/fd').length
  expect([roomIn(Infinity), roomIn(4095), roomIn(511), roomIn(Infinity, 20)]).toEqual([4096, 512, 0, 20])
  expect(readdirSync('/proc/self/fd').length).toBe(before)
})
