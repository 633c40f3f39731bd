import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { ClientCounts } from '../../../src/broker/daemon/client-counts.ts'

function countsOf(...clients: number[]): ClientCounts {
  return new ClientCounts(Int32Array.of(...clients, 0))
}

test.each([
  { clients: [0, 0, 0], thread: 1, place: 1, why: 'nobody has fewer' },
  { clients: [3, 3, 2], thread: 0, place: 2, why: 'of few clients each has as many as the others' },
  { clients: [3, 2, 3], thread: 1, place: 1, why: 'it has fewest itself' },
  { clients: [7, 8, 9], thread: 2, place: 0, why: 'seven are few' },
  { clients: [8, 11, 12], thread: 2, place: 2, why: 'of many half as many again are no reason' },
  { clients: [8, 11, 13], thread: 2, place: 0, why: 'it has more than half as many again' },
  { clients: [80, 90, 130], thread: 2, place: 0, why: 'that is so of any number' },
  { clients: [5], thread: 0, place: 0, why: 'it is alone' },
])('of threads with $clients clients $thread gives one to $place: $why', ({ clients, thread, place }) => {
  expect(countsOf(...clients).placeFor(thread)).toBe(place)
})

test('those who come and go are counted in every thread', () => {
  const first = ClientCounts.of(3)
  const second = new ClientCounts(first.cells)
  expect([first.reserve(), second.reserve(), first.reserve(), second.reserve(), first.reserve()]).toEqual([
    0, 1, 2, 3, 4,
  ])
  first.enter(0)
  first.enter(1)
  second.enter(1)
  second.enter(2)
  second.leave(2)
  second.giveBack()
  expect([first.all, first.total, second.of(1)]).toEqual([[1, 2, 0], 3, 2])
})

test('there is a place for a client while the other threads count', async () => {
  const counts = ClientCounts.of(3)
  const script = `
    const { workerData: cells, parentPort } = require('node:worker_threads')
    parentPort.postMessage('')
    for (let turn = 0; Atomics.load(cells, 0) < 1e6; turn++) {
      Atomics.store(cells, 1, turn % 7)
      Atomics.store(cells, 2, turn % 5)
    }`
  const worker = new Worker(script, { eval: true, workerData: counts.cells })
  await once(worker, 'message')
  counts.cells[0] = 3
  const places = new Set<number>()
  // Until the others have counted, however busy the machine is; else it would see nothing of what it is for.
  for (let look = 0; look < 200_000 || (places.size === 1 && look < 1e9); look++) places.add(counts.placeFor(0))
  Atomics.store(counts.cells, 0, 1e6)
  await once(worker, 'exit')
  expect([...places].filter((place) => ![0, 1, 2].includes(place))).toEqual([])
})
