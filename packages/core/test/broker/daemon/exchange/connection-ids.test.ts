import { expect, test } from 'vitest'
import { ConnectionIds } from '../../../../src/broker/daemon/exchange/connection-ids.ts'
import type { AnnouncedConnection, OwnerPeer } from '../../../../src/broker/daemon/owner-peer.ts'

/** An owner that gives ids from a number on, and what it has been told. */
function ownerFrom(id: number): { peer: OwnerPeer; told: string[] } {
  const told: string[] = []
  const peer = {
    announce: () => {
      told.push(`connection ${id}`)
      return id++
    },
    forget: (gone: number) => void told.push(`end of ${gone}`),
  } as unknown as OwnerPeer
  return { peer, told }
}

test('each owner is told of a connection once, and of its end', () => {
  const ids = new ConnectionIds({} as AnnouncedConnection)
  const owners = [ownerFrom(100), ownerFrom(200), ownerFrom(300)]
  for (let round = 0; round < 2; round++) {
    expect(owners.map(({ peer }) => ids.announce(peer))).toEqual([100, 200, 300])
  }
  ids.close()
  ids.close()
  expect(owners.map(({ told }) => told)).toEqual([
    ['connection 100', 'end of 100'],
    ['connection 200', 'end of 200'],
    ['connection 300', 'end of 300'],
  ])
})

test('an owner that has gone is told of nothing, whichever it was, and another takes its place', () => {
  for (const gone of [0, 1]) {
    const ids = new ConnectionIds({} as AnnouncedConnection)
    const owners = [ownerFrom(100), ownerFrom(200)]
    for (const { peer } of owners) ids.announce(peer)
    ids.forget(owners[gone]!.peer)
    const heir = ownerFrom(300)
    expect([heir, owners[1 - gone]!, heir].map(({ peer }) => ids.announce(peer))).toEqual([300, 200 - 100 * gone, 300])
    ids.close()
    expect([heir.told, owners[1 - gone]!.told, owners[gone]!.told].map((told) => told.length)).toEqual([2, 2, 1])
  }
})

test('an owner without an id left is asked again the next time', () => {
  const ids = new ConnectionIds({} as AnnouncedConnection)
  const left = [-1, -1, 9]
  const peer = { announce: () => left.shift() } as unknown as OwnerPeer
  expect([1, 2, 3, 4].map(() => ids.announce(peer))).toEqual([-1, -1, 9, 9])
})
