import type { ReportLine } from './report.ts'
import type { Results } from './results-file.ts'

const BAR_HEIGHT = 22
const ROW_HEIGHT = 34
const LABEL_WIDTH = 270
const BAR_WIDTH = 420

/** A table in Markdown of the first metric and the ratios. */
export function markdownOf({ metrics, references }: Results, lines: readonly ReportLine[]): string {
  const [metric] = metrics
  if (metric === undefined) throw new RangeError('Results without a metric')
  const rows = lines.map((line) => {
    if ('failure' in line) return [line.title, `failed: ${line.failure}`, ...references.map(() => ''), '']
    const { values, ratios, foreignLoad } = line.summary
    const value = values[metric.key]
    return [
      line.title,
      value === undefined ? '' : spreadText(value, metric.digits),
      ...references.map((name) => (ratios[name] === undefined ? '' : spreadText(ratios[name], 2))),
      `${Math.round(foreignLoad * 100)} %`,
    ]
  })
  const head = ['', metric.title, ...references.map((name) => `vs ${name}`), 'foreign CPU']
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** A bar for each variant: the median of the first metric, with a line from the smallest to the largest round. */
export function svgOf({ title, metrics }: Results, lines: readonly ReportLine[]): string {
  const [metric] = metrics
  if (metric === undefined) throw new RangeError('Results without a metric')
  const bars = lines.flatMap((line) => {
    const value = 'summary' in line ? line.summary.values[metric.key] : undefined
    return value === undefined ? [] : [{ title: line.title, ...value }]
  })
  const scale = BAR_WIDTH / Math.max(...bars.map(({ max }) => max))
  const x = (value: number): string => (LABEL_WIDTH + value * scale).toFixed(1)
  const drawn = bars.map(({ title: name, median, min, max }, index) => {
    const y = 40 + index * ROW_HEIGHT
    const middle = y + BAR_HEIGHT / 2
    return `  <text x="${LABEL_WIDTH - 8}" y="${middle + 5}" text-anchor="end">${escaped(name)}</text>
  <rect x="${LABEL_WIDTH}" y="${y}" width="${(median * scale).toFixed(1)}" height="${BAR_HEIGHT}" fill="#4a7dbd"/>
  <line x1="${x(min)}" x2="${x(max)}" y1="${middle}" y2="${middle}" stroke="#222" stroke-width="2"/>
  <text x="${Number(x(max)) + 6}" y="${middle + 5}">${median.toFixed(metric.digits)}</text>
`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${LABEL_WIDTH + BAR_WIDTH + 70}" height="${50 + bars.length * ROW_HEIGHT}" font-family="sans-serif" font-size="13">
  <rect width="100%" height="100%" fill="#fff"/>
  <text x="10" y="22" font-weight="bold">${escaped(title)}: ${escaped(metric.title)}</text>
${drawn.join('')}</svg>
`
}

function spreadText({ median, min, max }: { median: number; min: number; max: number }, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
