import { describe, expect, test } from 'vitest'
import { Admission } from '../../../src/broker/daemon/admission.ts'

const stranger = (uid: number) => ({ uid, gids: [uid] })

describe('clients', () => {
  test.each([
    ['as many as are allowed', 10, Infinity, { clients: 9, peers: 500, listeners: 0 }, true],
    ['no more', 10, Infinity, { clients: 10, peers: 0, listeners: 0 }, false],
    [
      'any number where neither a limit is set nor one of descriptors is known',
      0,
      Infinity,
      { clients: 1e6, peers: 0, listeners: 0 },
      true,
    ],
    ['all descriptors but 64', 0, 1000, { clients: 900, peers: 35, listeners: 0 }, true],
    ['which owners have, too', 0, 1000, { clients: 900, peers: 36, listeners: 0 }, false],
    ['and what listens', 0, 1000, { clients: 900, peers: 30, listeners: 6 }, false],
    ['half of very few', 0, 40, { clients: 19, peers: 0, listeners: 0 }, true],
    ['and not the other half', 0, 40, { clients: 20, peers: 0, listeners: 0 }, false],
  ])('%s', (_what, maxClients, descriptors, occupancy, isIn) => {
    expect(new Admission(maxClients, descriptors).mayConnect(occupancy)).toBe(isIn)
  })
})

test('each thread has some descriptors of its own', () => {
  const mayConnect = (clients: number): boolean =>
    new Admission(0, 1000, 4).mayConnect({ clients, peers: 0, listeners: 0 })
  expect([mayConnect(911), mayConnect(912)]).toEqual([true, false])
})

describe('owner processes', () => {
  test('take a quarter of the descriptors, and those of another user a quarter of these', () => {
    const admission = new Admission(0, 160)
    let peers = 0
    const enter = (uid: number): boolean => {
      const isIn = admission.enter({ peers }, stranger(uid))
      if (isIn) peers++
      return isIn
    }
    const ofOne = Array.from({ length: 12 }, () => enter(65_001))
    expect(ofOne.filter(Boolean)).toHaveLength(10)
    expect(enter(65_002)).toBe(true)
    admission.leave(stranger(65_001))
    peers--
    expect(enter(65_001)).toBe(true)
    expect(enter(65_001)).toBe(false)
    const administrators = Array.from({ length: 40 }, () => enter(0))
    expect(administrators.filter(Boolean)).toHaveLength(29)
    expect(admission.enter({ peers }, undefined)).toBe(false)
    for (const credentials of [stranger(65_001), stranger(0), undefined]) {
      expect(admission.enter({ peers }, credentials, true)).toBe(true)
    }
  })

  test('may have connections to other threads as far as these fit in, too', () => {
    const admission = new Admission(0, 160)
    expect(admission.mayHaveMore({ peers: 38 }, 2)).toBe(true)
    expect(admission.mayHaveMore({ peers: 39 }, 2)).toBe(false)
  })
})
