import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { EstateFile, readEstate } from '../../../src/broker/rendezvous/estate.ts'
import type { Estate, InheritedClaim } from '../../../src/broker/rendezvous/estate.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'httpsys-estate-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const ESTATE: Estate = [
  { href: 'http://localhost:8080/2/', settings: {} },
  { href: 'http://*:80/', settings: { holdFor: 5, verbosity503: 'basic' } },
]

test('is read as it was written, and changes that come together are written once', async () => {
  let asked = 0
  const file = new EstateFile(directory, () => {
    asked++
    return ESTATE
  })
  file.touch()
  file.touch()
  await vi.waitFor(() => expect(readEstate(directory)).toEqual(ESTATE))
  expect(asked).toBe(1)
  for (let changes = 0; changes < 100; changes++) {
    file.touch()
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  expect(asked).toBeGreaterThan(1)
  expect(asked).toBeLessThan(20)
  file.write()
  expect(readFileSync(join(directory, 'claims.json'), 'utf8')).toBe(JSON.stringify(ESTATE))
})

test.each([
  ['no file', undefined, []],
  ['half a file', '[{"href":"http://a:1/', []],
  ['something else', '{"href":"http://a:1/"}', []],
  [
    'claims that are none beside good ones',
    JSON.stringify([
      null,
      1,
      { href: 'x', settings: {} },
      { href: 'http://a:0/', settings: {} },
      { href: 'http://a:1/' },
      ESTATE[0],
    ]),
    [ESTATE[0]],
  ],
  ['settings that are none', JSON.stringify([{ href: 'http://a:1/', settings: { holdFor: -1 } }]), []],
])('takes what it can from %s', (_what, text, expected) => {
  if (text !== undefined) writeFileSync(join(directory, 'claims.json'), text)
  expect(readEstate(directory)).toEqual(expected)
})

test('a claim is there as soon as it has been added, and all of them in one piece when one has gone', async () => {
  const claims: InheritedClaim[] = []
  const file = new EstateFile(directory, () => claims)
  for (let count = 1; count <= 20; count++) {
    const claim = { href: `http://localhost:8080/${count}/`, settings: {} }
    claims.push(claim)
    file.add(claim)
    expect(readEstate(directory)).toEqual(claims)
  }
  const again = { href: claims[3]!.href, settings: { holdFor: 7 } }
  claims[3] = again
  file.add(again)
  expect(readEstate(directory)).toEqual(claims)
  claims.shift()
  file.touch()
  await vi.waitFor(() => expect(readFileSync(join(directory, 'claims.json'), 'utf8')).toBe(JSON.stringify(claims)))
})

test('many claims are written one by one, and all of them again only when as many have come', async () => {
  const claims: InheritedClaim[] = []
  let written = 0
  const file = new EstateFile(directory, () => {
    written += claims.length
    return claims
  })
  for (let count = 1; count <= 20_000; count++) {
    const claim = { href: `http://localhost:8080/${count}/`, settings: {} }
    claims.push(claim)
    file.add(claim)
    // oxlint-disable-next-line no-await-in-loop -- timers are to have their turn
    if (count % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  expect(written).toBeLessThan(2 * claims.length)
  expect(readEstate(directory)).toEqual(claims)
})

test('the file of claims that are made again and again does not grow without end', async () => {
  const file = new EstateFile(directory, () => [ESTATE[0]!])
  for (let count = 0; count < 5000; count++) file.add(ESTATE[0]!)
  await vi.waitFor(() => expect(readFileSync(join(directory, 'claims.json'), 'utf8')).toBe(JSON.stringify([ESTATE[0]])))
})

test('what takes long is done less often', async () => {
  const TAKES_MS = 10
  let asked = 0
  const file = new EstateFile(directory, () => {
    asked++
    for (const end = performance.now() + TAKES_MS; performance.now() < end;);
    return ESTATE
  })
  const start = performance.now()
  while (asked < 4) {
    file.touch()
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  // Between the first and the last there are three pauses.
  expect(performance.now() - start).toBeGreaterThan(3 * 10 * TAKES_MS)
})

test('half a line at the end is left out', () => {
  writeFileSync(
    join(directory, 'claims.json'),
    `${JSON.stringify([ESTATE[0]])}\n${JSON.stringify(ESTATE[1])}\n{"href":"ht`,
  )
  expect(readEstate(directory)).toEqual(ESTATE)
})

test('claims are not all put together again for each one that can not be written', () => {
  let asked = 0
  const file = new EstateFile(join(directory, 'none'), () => {
    asked++
    return ESTATE
  })
  for (let count = 0; count < 20; count++) file.add(ESTATE[0]!)
  expect(asked).toBe(1)
})

test('a directory that can not be written to costs nobody anything', () => {
  expect(() => new EstateFile(join(directory, 'none'), () => ESTATE).write()).not.toThrow()
})
