// Methods are taken out to be called from what replaces them, with the `this` that they have there.
/* oxlint-disable typescript/unbound-method */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Machine } from './double/machine.ts'
import type { Whims } from './double/whims.ts'
import { exercise } from './exercise.ts'

process.setMaxListeners(0)

afterEach(() => {
  vi.doUnmock('../../src/native/layout.ts')
  vi.resetModules()
})

describe('the backend without a fault', () => {
  test.each([
    ['calls are done at once', { atOnce: 1 }],
    ['calls are done later', { atOnce: 0 }],
    ['both happens', { seed: 12 }],
    ['completions are queued for what was done at once', { atOnce: 1, postsAnyway: true }],
    ['the end of a body is told by no bytes', { seed: 12, endsWithNothing: true }],
    ['all of a body wants room beside its head', { seed: 12, wantsRoomForBody: true }],
    ['HTTP/2 is spoken', { seed: 12, isMultiplexed: true }],
    ['clients come over IPv6', { seed: 12, isIpv6: true }],
  ])('gives the double nothing to say, where %s', async (_, whims) => {
    expect(await complaintsOf(() => {}, whims, false)).toEqual([])
  })
})

type Layout = Record<string, Record<string, number>>

/** What may be wrong without harm, and why. That the numbers are right is held by layout.test.ts. */
const HARMLESS: Readonly<Record<string, string>> = {
  'HTTP_RESPONSE.$size': 'what is larger than the struct leaves a gap behind it',
  'HTTP_CACHE_POLICY.$size': 'what is larger than the struct leaves a gap behind it',
  'HTTP_CONNECTION_LIMIT_INFO.$size': 'what is larger than the struct leaves a gap behind it',
  'SecPkgContext_CipherInfo.$size': 'what is larger than the struct leaves a gap behind it',
  'OVERLAPPED.$size': 'what is larger than the struct leaves a gap behind it',
  'HTTP_RESPONSE.Version': 'HTTP.SYS answers in HTTP/1.1, whatever a response says',
  'HTTP_SSL_INFO.$size': 'only for the check that all of it lies in the buffer',
  'HTTP_SSL_CLIENT_CERT_INFO.$size': 'only for the check that all of it lies in the buffer',
  'SOCKADDR_IN.$size': 'only for the check that all of it lies in the buffer',
  'SOCKADDR_IN6.$size': 'only for the check that all of it lies in the buffer',
  'OVERLAPPED.Internal': 'looked at when a completion comes that nobody expects; overlapped.test.ts has that',
  'OVERLAPPED.InternalHigh': 'a second source of what *pBytes says',
}

/** On which double a struct is seen. */
function whimsFor(name: string): Partial<Whims> {
  if (name.includes('Trailers.')) return { isMultiplexed: true }
  return name.startsWith('SOCKADDR_IN6') ? { isIpv6: true } : {}
}

async function layoutFields(): Promise<[struct: string, field: string][]> {
  const layout = (await import('../../src/native/layout.ts')) as unknown as Layout
  return Object.entries(layout).flatMap(([struct, fields]) =>
    Object.keys(fields).map((field): [string, string] => [struct, field]),
  )
}

describe('an offset that is wrong by eight bytes is noticed', async () => {
  test.each(await layoutFields())('%s.%s', async (struct, field) => {
    vi.doMock('../../src/native/layout.ts', async (original) => {
      const layout = structuredClone(await original<Layout>())
      layout[struct]![field]! += 8
      return layout
    })
    const name = `${struct}.${field}`
    const isHarmless = HARMLESS[name] !== undefined
    const complaints = await complaintsOf(() => {}, { seed: 13, ...whimsFor(name) }, !isHarmless)
    expect(complaints.length > 0, complaints.join()).toBe(!isHarmless)
  })
})

interface Fault {
  /** Breaks the backend's classes, or the machine. */
  readonly inject: (modules: Modules, machine: Machine) => void
  readonly noticed: RegExp
  readonly whims?: Partial<Whims>
}

const LATER: Partial<Whims> = { atOnce: 0, seed: 14 }

/** What can go wrong with memory, OVERLAPPEDs, completions and handles, and by which words it is told. */
const FAULTS: Record<string, Fault> = {
  'an OVERLAPPED in flight is handed out a second time': {
    inject({ overlapped: { OverlappedPool } }) {
      const { take } = OverlappedPool.prototype
      let first: ReturnType<typeof take> | null = null
      OverlappedPool.prototype.take = function (target) {
        if (first?.isInFlight) return first
        return (first = take.call(this, target))
      }
    },
    noticed: /the OVERLAPPED of \w+, in flight, was given to/,
    whims: LATER,
  },
  'an OVERLAPPED is given back twice': {
    inject({ overlapped: { OverlappedPool } }) {
      const { complete } = OverlappedPool.prototype
      OverlappedPool.prototype.complete = function (address) {
        const taken = this.take({ onCompletion() {} })
        this.end(taken)
        this.end(taken)
        return complete.call(this, address)
      }
    },
    noticed: /not in flight was completed/,
    whims: LATER,
  },
  'a call that is under way is taken for done': {
    inject({ queue: { RequestQueueHandle } }) {
      RequestQueueHandle.prototype.isPending = () => false
    },
    noticed: /in flight|were given the same memory/,
    whims: LATER,
  },
  'a call that was done at once, and queues no completion, is waited for': {
    inject({ queue: { RequestQueueHandle } }) {
      RequestQueueHandle.prototype.isPending = (status) => status === 997 || status === 0
    },
    noticed: /still unanswered|never came/,
    whims: { atOnce: 1 },
  },
  'completions are taken for those of the calls in their order': {
    inject({ overlapped: { OverlappedPool } }) {
      const { take, end, complete } = OverlappedPool.prototype
      const inOrder: ReturnType<typeof take>[] = []
      OverlappedPool.prototype.take = function (target) {
        const taken = take.call(this, target)
        inOrder.push(taken)
        return taken
      }
      OverlappedPool.prototype.end = function (taken) {
        inOrder.splice(inOrder.indexOf(taken), 1)
        return end.call(this, taken)
      }
      OverlappedPool.prototype.complete = function (address) {
        return complete.call(this, inOrder[0]?.address ?? address)
      }
    },
    noticed: /./,
    whims: { ...LATER, shuffles: true },
  },
  'a buffer goes back to the pool while Windows has it': {
    inject({ blocks: { BlockPool } }) {
      const { take } = BlockPool.prototype
      BlockPool.prototype.take = function (bytes) {
        const block = take.call(this, bytes)
        this.give(block)
        return block
      }
    },
    noticed: /were given the same memory|was written to in flight/,
    whims: LATER,
  },
  'a buffer is freed while Windows has it': {
    inject({ blocks: { BlockPool }, queue: { RequestQueueHandle } }, { processes }) {
      const { take } = BlockPool.prototype
      let last: ReturnType<typeof take> | null = null
      BlockPool.prototype.take = function (bytes) {
        return (last = take.call(this, bytes))
      }
      const { isPending } = RequestQueueHandle.prototype
      RequestQueueHandle.prototype.isPending = function (status) {
        if (last !== null) processes[0]!.memory.free(last.address)
        last = null
        return isPending.call(this, status)
      }
    },
    noticed: /was freed in flight|freed memory/,
    whims: LATER,
  },
  'a buffer that was freed is used again': {
    inject({ blocks: { BlockPool } }, { processes }) {
      const { give } = BlockPool.prototype
      BlockPool.prototype.give = function (block) {
        give.call(this, block)
        processes[0]!.memory.free(block.address)
      }
    },
    noticed: /freed memory/,
    whims: LATER,
  },
  'a block is freed twice': {
    inject({ memory: { MemoryBlock } }, { processes }) {
      const { free } = MemoryBlock.prototype
      MemoryBlock.prototype.free = function () {
        free.call(this)
        processes[0]!.memory.free(this.address)
      }
    },
    noticed: /freed twice/,
  },
  'a request that arrives at the moment of closing is thrown away': {
    inject({ loop: { ReceiveLoop } }) {
      const { stop, onReceive } = ReceiveLoop.prototype
      let isStopping = false
      ReceiveLoop.prototype.stop = function (isLast) {
        isStopping = true
        return stop.call(this, isLast)
      }
      ReceiveLoop.prototype.onReceive = function (slab, status, bytes) {
        onReceive.call(this, slab, isStopping && status === 0 ? 995 : status, bytes)
      }
    },
    noticed: /a client was cut off/,
    whims: LATER,
  },
  'URLs are kept when the queue is closed': {
    inject({ group: { UrlGroup } }) {
      UrlGroup.prototype.removeAll = () => {}
    },
    noticed: /a queue was closed before its URLs were removed/,
  },
  'a queue is never closed': {
    inject({ queue: { RequestQueueHandle } }) {
      RequestQueueHandle.prototype.close = () => {}
    },
    noticed: /the queue handle \d+ is still open/,
  },
  'a URL group is never closed': {
    inject({ group: { UrlGroup } }) {
      UrlGroup.prototype.close = () => {}
    },
    noticed: /the URL group \d+ is still open/,
  },
  'a pointer leads one byte too far': {
    inject({ memory: { MemoryBlock } }) {
      const { putPointer } = MemoryBlock.prototype
      MemoryBlock.prototype.putPointer = function (offset, target) {
        putPointer.call(this, offset, target + 1)
      }
    },
    noticed: /./,
  },
  'a pointer leads out of the block': {
    inject({ memory: { MemoryBlock } }) {
      const { putPointer } = MemoryBlock.prototype
      MemoryBlock.prototype.putPointer = function (offset, target) {
        putPointer.call(this, offset, target + 0x100_0000)
      }
    },
    noticed: /which is no memory of the process|reaches beyond its block/,
  },
  'an id loses its upper half': {
    inject({ memory: { MemoryBlock } }) {
      const { readId } = MemoryBlock.prototype
      MemoryBlock.prototype.readId = function (offset) {
        return BigInt.asUintN(32, readId.call(this, offset))
      }
    },
    noticed: /EINVAL/,
  },
  ...Object.fromEntries(
    [
      'HttpReceiveHttpRequest',
      'HttpReceiveRequestEntityBody',
      'HttpSendHttpResponse',
      'HttpSendResponseEntityBody',
      'HttpWaitForDisconnectEx',
    ].map((name): [string, Fault] => [
      `a completion of ${name} is dropped`,
      {
        inject(_, machine) {
          let isDropped = false
          machine.drops = ({ operation }) => !isDropped && operation?.name === name && (isDropped = true)
        },
        noticed: new RegExp(`the completion of ${name} was lost`),
        whims: LATER,
      },
    ]),
  ),
}

describe('a fault on purpose is noticed', () => {
  test.each(Object.entries(FAULTS))('%s', async (_, { inject, noticed, whims = { seed: 15 } }) => {
    const complaints = await complaintsOf(inject, whims, true)
    expect(complaints.filter((complaint) => noticed.test(complaint))).not.toEqual([])
  })
})

/** A fault is put into fresh modules of the backend, and the backend is used. */
async function complaintsOf(inject: Fault['inject'], whims: Partial<Whims>, isFaulty: boolean): Promise<string[]> {
  vi.resetModules()
  const modules = await loadModules()
  await using machine = new Machine(whims)
  inject(modules, machine)
  const backend = new modules.backend.NativeBackend({ load: () => machine.start().api })
  const makeController = () => new modules.controller.QueueController(machine.start().api)
  return await exercise(backend, makeController, machine, isFaulty)
}

type Modules = Awaited<ReturnType<typeof loadModules>>

async function loadModules() {
  return {
    backend: await import('../../src/native/native-backend.ts'),
    controller: await import('../../src/native/queue-controller.ts'),
    overlapped: await import('../../src/native/overlapped.ts'),
    blocks: await import('../../src/native/block-pool.ts'),
    memory: await import('../../src/native/memory-block.ts'),
    queue: await import('../../src/native/request-queue.ts'),
    loop: await import('../../src/native/receive-loop.ts'),
    group: await import('../../src/native/url-group.ts'),
  }
}
