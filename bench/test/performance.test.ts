import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { markdownOf, svgOf } from '../src/chart.ts'
import { reportLines } from '../src/report.ts'
import type { Summary } from '../src/report.ts'
import { readResults } from '../src/results-file.ts'

const root = new URL('../../', import.meta.url)
const page = readFileSync(new URL('docs/performance.md', root), 'utf8')
/** Parts of the page that show a results file. */
const parts = page.split(/^(?=## )/m).flatMap((text) => {
  const file = /\[raw numbers\]\(\.\.\/(bench\/results\/[\w-]+\.json)\)/.exec(text)?.[1]
  return file === undefined ? [] : [{ text, file, results: readResults(new URL(file, root).pathname) }]
})

describe.each(parts)('the part of docs/performance.md about $results.title', ({ text, results }) => {
  const lines = reportLines(results, results.measurements)

  test('has the numbers of the results file that it names', () => {
    // The formatter aligns the columns.
    const cells = (table: string): string[] =>
      table
        .split('\n')
        .filter((line) => line.startsWith('|'))
        .map((line) => line.replaceAll(/-{3,}/g, '---').replaceAll(/ +/g, ' '))
    expect(cells(text)).toEqual(cells(markdownOf(results, lines)))
  })

  test('names the commit and the version of Node', () => {
    expect(page).toContain(results.machine.commit)
    expect(page).toContain(`Node ${results.machine.node.replace('v', '')}`)
  })
})

test('what the page says of other machines is in the files that it names', () => {
  const said = [...page.matchAll(/\[([\d.]+ \([\d.]+–[\d.]+\))\]\(\.\.\/(bench\/results\/[\w-]+\.json)\)/g)]
  expect(said.length).toBeGreaterThan(20)
  for (const [, text, file] of said) {
    const results = readResults(new URL(file!, root).pathname)
    const line = reportLines(results, results.measurements).find(({ name }) => name === 'httpsys')
    const { median, min, max } = (line as { summary: Summary }).summary.ratios['nginx']!
    expect(`${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`, file).toBe(text)
  }
})

test('docs/performance.svg is drawn from the first file', () => {
  const { results } = parts[0]!
  const drawn = svgOf(results, reportLines(results, results.measurements))
  expect(readFileSync(new URL('docs/performance.svg', root), 'utf8')).toBe(drawn)
})
