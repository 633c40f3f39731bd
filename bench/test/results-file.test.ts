import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { machineFacts } from '../src/machine.ts'
import { UsageError } from '../src/options.ts'
import { emptyResults, lastRound, readForMore, readResults, type Results, writeResults } from '../src/results-file.ts'
import { mix } from '../src/scenarios/hello.ts'

const machine = machineFacts(process.execPath)
const settings = { seconds: 1, warmup: 0, connections: 8, load: 'wrk', pinning: null }
const facts = { date: '2026-11-25T00:00:00.000Z', command: 'npm run bench --', machine, settings }

function measuredOnce(): { results: Results; file: string } {
  const directory = mkdtempSync(join(tmpdir(), 'httpsys-results-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const figures = { values: { cpu: 10 }, roles: {}, foreignLoad: 0 }
  const results = {
    ...emptyResults(mix, mix.variants.slice(0, 1), facts),
    measurements: [{ round: 1, variant: 'node', figures }],
  }
  return { results, file: join(directory, 'deep', 'mix.json') }
}

test('results are read as they were written', () => {
  const { results, file } = measuredOnce()
  writeResults(file, results)
  expect(readResults(file)).toMatchObject(results)
  expect(lastRound(readResults(file))).toBe(1)
})

test('rounds are added to a file of the same scenario, settings, machine and variants', () => {
  const { results, file } = measuredOnce()
  writeResults(file, results)
  const later = emptyResults(mix, mix.variants.slice(0, 1), { ...facts, date: '2026-11-26T00:00:00.000Z' })
  expect(readForMore(file, later).measurements).toEqual(results.measurements)
})

test.each([
  ['settings', { settings: { ...settings, warmup: 9 } }],
  ['machine', { machine: { ...machine, commit: 'another' } }],
  ['variants', { variants: [] }],
  ['scenario', { scenario: 'idle' }],
])('rounds are not added when %s are others', (key, other) => {
  const { results, file } = measuredOnce()
  writeResults(file, results)
  expect(() => readForMore(file, { ...results, ...other })).toThrow(UsageError)
  expect(() => readForMore(file, { ...results, ...other })).toThrow(`has another ${key}`)
})
