import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { expect, test } from 'vitest'
import { ClientCounts } from '../../../../src/broker/daemon/client-counts.ts'
import { ClientPlacement } from '../../../../src/broker/daemon/threads/client-placement.ts'

/** The second of three threads, and what it has said of clients. */
function secondOf(clients: number[], says: { limit?: number; threadOf?: number } = {}) {
  const counts = new ClientCounts(
    Int32Array.of(
      ...clients,
      clients.reduce((sum, count) => sum + count),
    ),
  )
  const said: unknown[] = []
  const placement = new ClientPlacement(1, counts, {
    mayAccept: (before) => before < (says.limit ?? Infinity),
    threadOf: () => says.threadOf,
    give: (...what) => said.push(what),
    count: (reason) => said.push(reason),
  })
  return { counts, said, placement }
}

test('a thread keeps a client, and counts it', () => {
  const { counts, said, placement } = secondOf([1, 1, 1])
  expect(placement.divertTo(false)(-1, 80)).toBe(false)
  expect([counts.all, counts.total, said]).toEqual([[1, 2, 1], 4, []])
})

test.each([false, true])('it gives one to a thread that has fewer, with TLS: %s', (isSecure) => {
  const { counts, said, placement } = secondOf([1, 1, 0])
  expect(placement.divertTo(isSecure)(77, 80)).toBe(true)
  expect([counts.all, said]).toEqual([[1, 1, 1], [[2, 77, isSecure]]])
})

test('a client of a port that is one thread’s alone becomes that thread’s', () => {
  const { counts, said, placement } = secondOf([5, 0, 0], { threadOf: 0 })
  expect(placement.divertTo(false)(77, 80)).toBe(true)
  expect([counts.all, said]).toEqual([[6, 0, 0], [[0, 77, false]]])
})

test('a client too many is closed and counted as refused', () => {
  const { counts, said, placement } = secondOf([1, 1, 0], { limit: 2 })
  const descriptor = openSync(devNull, 'r')
  expect(placement.divertTo(false)(descriptor, 80)).toBe(true)
  expect([counts.all, counts.total, said]).toEqual([[1, 1, 0], 2, ['Connections_Refused']])
  expect(() => closeSync(descriptor)).toThrow('EBADF')
})
