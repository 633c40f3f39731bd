// Draws docs/performance.svg from a results file, and prints the table for docs/performance.md. Argument: the file.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { markdownOf, svgOf } from './chart.ts'
import { reportLines } from './report.ts'
import { readResults } from './results-file.ts'

const results = readResults(process.argv[2] ?? '')
const lines = reportLines(results, results.measurements)
writeFileSync(fileURLToPath(new URL('../../docs/performance.svg', import.meta.url)), svgOf(results, lines))
console.log(markdownOf(results, lines))
