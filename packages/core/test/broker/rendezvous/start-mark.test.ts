import { existsSync, mkdtempSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { clearStartMark, setStartMark } from '../../../src/broker/rendezvous/start-mark.ts'

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'httpsys-mark-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

function setAge(milliseconds: number): void {
  const seconds = (Date.now() - milliseconds) / 1000
  utimesSync(join(directory, 'starting'), seconds, seconds)
}

test('the first may start a broker, the others wait', () => {
  expect([setStartMark(directory), setStartMark(directory), setStartMark(directory)]).toEqual([true, false, false])
})

test('after the mark is cleared the next may start one', () => {
  setStartMark(directory)
  clearStartMark(directory)
  expect(existsSync(join(directory, 'starting'))).toBe(false)
  expect(setStartMark(directory)).toBe(true)
})

test('clearing twice does no harm', () => {
  clearStartMark(directory)
  expect(() => clearStartMark(directory)).not.toThrow()
})

test.each([
  [0, false],
  [2000, false],
  [4000, true],
  [86_400_000, true],
  [-1000, false],
  [-86_400_000, true],
])('a mark that is %i ms old lets another one start: %s', (age, expected) => {
  setStartMark(directory)
  setAge(age)
  expect(setStartMark(directory)).toBe(expected)
  // Whoever took over has made the mark fresh.
  expect(setStartMark(directory)).toBe(false)
})

test('a directory that is gone is an error', () => {
  expect(() => setStartMark(join(directory, 'missing'))).toThrow(expect.objectContaining({ code: 'ENOENT' }) as Error)
})
