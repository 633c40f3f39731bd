import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { expect, test } from 'vitest'
import { ClientCounts } from '../../../../src/broker/daemon/client-counts.ts'
import { ClientPlacement } from '../../../../src/broker/daemon/threads/client-placement.ts'

/** The second of three threads, and what it has said of clients. */
function secondOf(clients: number[], says: { mayAccept?: boolean; threadOf?: number } = {}) {
  const counts = new ClientCounts(Int32Array.from(clients))
  const said: unknown[] = []
  const placement = new ClientPlacement(1, counts, {
    mayAccept: () => says.mayAccept ?? true,
    threadOf: () => says.threadOf,
    give: (...what) => said.push(what),
    count: (reason) => said.push(reason),
  })
  return { counts, said, placement }
}

test('a thread keeps a client, and counts it', () => {
  const { counts, said, placement } = secondOf([1, 1, 1])
  expect(placement.divertTo(false)(-1, 80)).toBe(false)
  expect([counts.all, said]).toEqual([[1, 2, 1], []])
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
  const { counts, said, placement } = secondOf([1, 1, 0], { mayAccept: false })
  const descriptor = openSync(devNull, 'r')
  expect(placement.divertTo(false)(descriptor, 80)).toBe(true)
  expect([counts.all, said]).toEqual([[1, 1, 0], ['Connections_Refused']])
  expect(() => closeSync(descriptor)).toThrow('EBADF')
})
