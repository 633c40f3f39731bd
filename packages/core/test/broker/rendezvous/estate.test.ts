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

test('a claim is there as soon as it has been added, and all of them when there is time', async () => {
  const claims: InheritedClaim[] = []
  const file = new EstateFile(directory, () => claims)
  for (let count = 1; count <= 20; count++) {
    const claim = { href: `http://localhost:8080/${count}/`, settings: {} }
    claims.push(claim)
    file.add(claim)
    expect(readEstate(directory)).toEqual(claims)
  }
  const [first, ...others] = claims
  claims.splice(0, claims.length, ...others, { href: first!.href, settings: { holdFor: 7 } })
  file.add(claims.at(-1)!)
  expect(readEstate(directory)).toContainEqual(claims.at(-1))
  expect(readEstate(directory)).toHaveLength(20)
  await vi.waitFor(() => expect(readFileSync(join(directory, 'claims.json'), 'utf8')).toBe(JSON.stringify(claims)))
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
