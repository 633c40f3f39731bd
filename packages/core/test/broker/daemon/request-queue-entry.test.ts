import { expect, test, vi } from 'vitest'
import { UrlPrefix } from '../../../src/base/url-prefix.ts'
import { completeQueueSettings } from '../../../src/base/queue-settings.ts'
import type { QueueSettings } from '../../../src/base/queue-settings.ts'
import type { HeldRequest, OwnerClaim } from '../../../src/broker/daemon/request-queue-entry.ts'
import { RequestQueueEntry } from '../../../src/broker/daemon/request-queue-entry.ts'

interface FakePeer {
  isFull: boolean
}

function entryWith(count: number, settings: QueueSettings = {}): RequestQueueEntry {
  const entry = new RequestQueueEntry(UrlPrefix.parse('http://localhost:0/2/'), 4711)
  entry.settings = completeQueueSettings(settings)
  for (let id = 0; id < count; id++) entry.join(ownerOf(entry, id))
  return entry
}

function ownerOf(entry: RequestQueueEntry, id: number): OwnerClaim {
  const peer: FakePeer = { isFull: false }
  return { peer: peer as OwnerClaim['peer'], id, entry, mode: 'create', epoch: 1 }
}

function setFull(owner: OwnerClaim, isFull: boolean): void {
  ;(owner.peer as unknown as FakePeer).isFull = isFull
}

/** Requests that write down what becomes of them. */
function requests(count: number): { held: HeldRequest[]; events: string[] } {
  const events: string[] = []
  const held = Array.from({ length: count }, (_, index) => ({
    onOwnerReady: () => void events.push(`${index} ready`),
    onQueueGone: () => void events.push(`${index} gone`),
  }))
  return { held, events }
}

test('knows its prefix and the real port', () => {
  expect(entryWith(0)).toMatchObject({ prefix: { path: '/2/', port: 0 }, port: 4711 })
})

test.each([1, 2, 3])('hands requests to %i owners in turn', (count) => {
  const entry = entryWith(count)
  const picked = Array.from({ length: 3 * count }, () => entry.pick()!.id)
  for (let id = 0; id < count; id++) expect(picked.filter((other) => other === id)).toHaveLength(3)
  expect(picked.slice(0, count)).toEqual(picked.slice(count, 2 * count))
})

test('goes on in turn among those that are left', () => {
  const entry = entryWith(3)
  entry.pick()
  entry.pick()
  expect(entry.remove(entry.owners[2]!)).toBe(true)
  const picked = Array.from({ length: 4 }, () => entry.pick()!.id)
  expect(picked.sort()).toEqual([0, 0, 1, 1])
  expect(entry.remove(entry.owners[0]!)).toBe(true)
  expect([entry.pick()!.id, entry.pick()!.id]).toEqual([1, 1])
})

test('passes over owners that do not read, and has none when no one does', () => {
  const entry = entryWith(3)
  setFull(entry.owners[1]!, true)
  expect(Array.from({ length: 4 }, () => entry.pick()!.id).sort()).toEqual([0, 0, 2, 2])
  for (const owner of entry.owners) setFull(owner, true)
  expect(entry.pick()).toBeNull()
  expect(entryWith(0).pick()).toBeNull()
})

test('says when the last owner has gone, and minds no stranger', () => {
  const entry = entryWith(2)
  const [first, second] = entry.owners as [OwnerClaim, OwnerClaim]
  expect(entry.remove(entryWith(1).owners[0]!)).toBe(true)
  expect(entry.owners).toHaveLength(2)
  expect([entry.remove(first), entry.remove(first), entry.remove(second)]).toEqual([true, true, false])
})

test('keeps as many requests as its queue is long, 1000 unless set', () => {
  const { held } = requests(1001)
  const entry = entryWith(0)
  expect(held.map((request) => entry.hold(request)).indexOf(false)).toBe(1000)
  const short = entryWith(0, { queueLength: 2 })
  expect(held.slice(0, 3).map((request) => short.hold(request))).toEqual([true, true, false])
  short.forget(held[0]!)
  expect([short.hold(held[2]!), short.counts.waiting]).toEqual([true, 2])
})

test('hands waiting requests out in order, and stops when the owner is full', () => {
  const entry = entryWith(0)
  const { held, events } = requests(3)
  for (const request of held) entry.hold(request)
  entry.wake()
  expect(events).toEqual([])
  const owner = ownerOf(entry, 0)
  entry.join(owner)
  held[1]!.onOwnerReady = () => {
    events.push('1 ready')
    setFull(owner, true)
  }
  entry.wake()
  expect(events).toEqual(['0 ready', '1 ready'])
  setFull(owner, false)
  entry.wake()
  entry.wake()
  expect(events).toEqual(['0 ready', '1 ready', '2 ready'])
})

test.each<[departure: 'left' | 'released', settings: QueueSettings, holdMs: number]>([
  ['left', {}, 2000],
  ['released', {}, 0],
  ['left', { holdFor: 500 }, 500],
  ['released', { holdFor: 500 }, 500],
  ['left', { holdFor: 0 }, 0],
])('an owner that %s leaves a queue with %o for %i ms', (departure, settings, holdMs) => {
  vi.useFakeTimers()
  try {
    const entry = entryWith(0, settings)
    const onTimeUp = vi.fn()
    expect(entry.orphan(departure, onTimeUp)).toBe(holdMs > 0)
    expect(entry.isOrphaned).toBe(holdMs > 0)
    if (holdMs === 0) return
    vi.advanceTimersByTime(holdMs - 1)
    expect(onTimeUp).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(onTimeUp).toHaveBeenCalledTimes(1)
  } finally {
    vi.useRealTimers()
  }
})

test('the next owner ends the wait; without one everything that waits is turned away', () => {
  vi.useFakeTimers()
  try {
    const entry = entryWith(0)
    const { held, events } = requests(2)
    const onTimeUp = vi.fn()
    entry.orphan('left', onTimeUp)
    entry.join(ownerOf(entry, 0))
    vi.advanceTimersByTime(10_000)
    expect([entry.isOrphaned, onTimeUp.mock.calls.length]).toEqual([false, 0])
    for (const request of held) entry.hold(request)
    entry.retire()
    entry.retire()
    expect([entry.isGone, events]).toEqual([true, ['0 gone', '1 gone']])
  } finally {
    vi.useRealTimers()
  }
})
