import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { UrlPrefix } from '../../../src/base/url-prefix.ts'
import { isReservedFor, readReservations, writeReservations } from '../../../src/broker/rendezvous/reservations.ts'
import type { Reservation } from '../../../src/broker/rendezvous/reservations.ts'

const ALICE = { uid: 1000, gids: [1000, 33] }
const RESERVED: Reservation[] = [
  { url: 'http://*:80/2/', uid: 1000 },
  { url: 'http://localhost:8080/team/', gid: 33 },
  { url: 'http://*:80/bob/', uid: 1001 },
]

test.each([
  ['http://*:80/2/', true],
  ['http://*:80/2/deeper/', true],
  ['http://*:80/22/', false],
  ['http://*:80/', false],
  ['http://*:81/2/', false],
  ['http://+:80/2/', false],
  ['http://localhost:80/2/', false],
  ['https://*:80/2/', false],
  ['http://localhost:8080/TEAM/x/', true],
  ['http://*:80/bob/', false],
])('%s is reserved for Alice: %s', (href, expected) => {
  expect(isReservedFor(ALICE, UrlPrefix.parse(href), RESERVED)).toBe(expected)
})

test('are read as they were written, and what is none lets nobody in', () => {
  const directory = mkdtempSync(join(tmpdir(), 'httpsys-urlacl-'))
  try {
    expect(readReservations(directory)).toEqual([])
    writeReservations(directory, RESERVED)
    expect(readReservations(directory)).toEqual(RESERVED)
    const broken = [
      { url: 'nonsense', uid: 1 },
      { url: 'http://*:80/' },
      { url: 'http://*:80/', uid: 1, gid: 1 },
      7,
      RESERVED[0],
    ]
    writeFileSync(join(directory, 'reservations.json'), JSON.stringify(broken))
    expect(readReservations(directory)).toEqual([RESERVED[0]])
    writeFileSync(join(directory, 'reservations.json'), '[{')
    expect(readReservations(directory)).toEqual([])
  } finally {
    rmSync(directory, { recursive: true })
  }
})
