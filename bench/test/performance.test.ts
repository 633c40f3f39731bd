import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { markdownOf, svgOf } from '../src/chart.ts'
import { reportLines } from '../src/report.ts'
import { readResults } from '../src/results-file.ts'

const root = new URL('../../', import.meta.url)
const page = readFileSync(new URL('docs/performance.md', root), 'utf8')
const file = /\(\.\.\/(bench\/results\/[\w-]+\.json)\)/.exec(page)?.[1] ?? ''
const results = readResults(new URL(file, root).pathname)
const lines = reportLines(results, results.measurements)

test('docs/performance.md has the numbers of the results file that it names', () => {
  // The formatter aligns the columns.
  const cells = (text: string): string[] =>
    text
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) => line.replaceAll(/-{3,}/g, '---').replaceAll(/ +/g, ' '))
  expect(cells(page)).toEqual(cells(markdownOf(results, lines)))
})

test('docs/performance.md names the commit and the machine', () => {
  expect(page).toContain(results.machine.commit)
  expect(page).toContain(`node ${results.machine.node}`)
})

test('docs/performance.svg is drawn from the same file', () => {
  expect(readFileSync(new URL('docs/performance.svg', root), 'utf8')).toBe(svgOf(results, lines))
})
