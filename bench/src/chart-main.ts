// Draws docs/performance.svg from the first of some results files, and prints the tables of all for docs/performance.md.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { markdownOf, svgOf } from './chart.ts'
import { reportLines } from './report.ts'
import { readResults } from './results-file.ts'

for (const [index, file] of process.argv.slice(2).entries()) {
  const results = readResults(file)
  const lines = reportLines(results, results.measurements)
  if (index === 0) {
    writeFileSync(fileURLToPath(new URL('../../docs/performance.svg', import.meta.url)), svgOf(results, lines))
  }
  console.log(`${results.title}\n\n${markdownOf(results, lines)}\n`)
}
