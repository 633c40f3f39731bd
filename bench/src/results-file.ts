import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { MachineFacts } from './machine.ts'
import { UsageError } from './options.ts'
import { type Reported, type ReportLine, reportLines } from './report.ts'
import type { Measurement, Scenario } from './scenario.ts'

/** What the rounds of one file have in common. */
export interface Settings {
  readonly seconds: number
  readonly warmup: number
  readonly connections: number
  readonly load: string
  readonly pinning: { readonly serverCpu: number; readonly loadCpu: number } | null
}

/** One scenario's numbers, as a file holds them. */
export interface Results extends Reported {
  readonly scenario: string
  readonly title: string
  readonly about: string
  readonly date: string
  readonly command: string
  readonly machine: MachineFacts
  readonly settings: Settings
  readonly measurements: readonly Measurement[]
}

/** Results without a measurement so far. */
export function emptyResults(
  { name, title, about, metrics, references }: Scenario,
  variants: readonly { readonly name: string; readonly title: string }[],
  facts: Pick<Results, 'date' | 'command' | 'machine' | 'settings'>,
): Results {
  const named = variants.map((variant) => ({ name: variant.name, title: variant.title }))
  return { scenario: name, title, about, ...facts, metrics, references, variants: named, measurements: [] }
}

/** Number of the last round. */
export function lastRound({ measurements }: Results): number {
  return Math.max(0, ...measurements.map(({ round }) => round))
}

/**
 * Reads results in order to add rounds.
 *
 * @param fresh - what the file would be if it were made now
 * @throws UsageError when the file's rounds were measured otherwise
 */
export function readForMore(file: string, fresh: Results): Results {
  const before = readResults(file)
  for (const key of ['scenario', 'machine', 'settings', 'variants'] as const) {
    if (JSON.stringify(before[key]) !== JSON.stringify(fresh[key])) {
      throw new UsageError(
        `--more: ${file} has another ${key}: ${JSON.stringify(before[key])} and not ${JSON.stringify(fresh[key])}.`,
      )
    }
  }
  return before
}

/** Reads a results file. */
export function readResults(file: string): Results {
  return JSON.parse(readFileSync(file, 'utf8')) as Results
}

/** Writes them, with the lines of the table for those who read the file by eye. */
export function writeResults(file: string, results: Results): void {
  mkdirSync(dirname(file), { recursive: true })
  const { measurements, ...head } = results
  const lines: readonly ReportLine[] = reportLines(results, measurements)
  writeFileSync(file, `${JSON.stringify({ ...head, lines, measurements }, undefined, 2)}\n`)
}
