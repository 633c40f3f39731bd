import { expect, test } from 'vitest'
import { UrlPrefix } from '../../../src/base/url-prefix.ts'
import type { OwnerClaim } from '../../../src/broker/daemon/request-queue-entry.ts'
import { RequestQueueEntry } from '../../../src/broker/daemon/request-queue-entry.ts'

function entryWith(count: number): RequestQueueEntry {
  const entry = new RequestQueueEntry(UrlPrefix.parse('http://localhost:0/2/'), 4711)
  for (let id = 0; id < count; id++) entry.owners.push({ peer: {} as OwnerClaim['peer'], id, entry })
  return entry
}

test('knows its prefix and the real port', () => {
  expect(entryWith(0)).toMatchObject({ prefix: { path: '/2/', port: 0 }, port: 4711 })
})

test.each([1, 2, 3])('hands requests to %i owners in turn', (count) => {
  const entry = entryWith(count)
  const picked = Array.from({ length: 3 * count }, () => entry.pick().id)
  for (let id = 0; id < count; id++) expect(picked.filter((other) => other === id)).toHaveLength(3)
  expect(picked.slice(0, count)).toEqual(picked.slice(count, 2 * count))
})

test('goes on in turn among those that are left', () => {
  const entry = entryWith(3)
  entry.pick()
  entry.pick()
  expect(entry.remove(entry.owners[2]!)).toBe(true)
  const picked = Array.from({ length: 4 }, () => entry.pick().id)
  expect(picked.sort()).toEqual([0, 0, 1, 1])
  expect(entry.remove(entry.owners[0]!)).toBe(true)
  expect([entry.pick().id, entry.pick().id]).toEqual([1, 1])
})

test('says when the last owner has gone, and minds no stranger', () => {
  const entry = entryWith(2)
  const [first, second] = entry.owners as [OwnerClaim, OwnerClaim]
  expect(entry.remove(entryWith(1).owners[0]!)).toBe(true)
  expect(entry.owners).toHaveLength(2)
  expect([entry.remove(first), entry.remove(first), entry.remove(second)]).toEqual([true, true, false])
})
