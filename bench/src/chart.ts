import type { Spread } from '@httpsys/core/measure'
import type { ReportLine } from './report.ts'
import type { Results } from './results-file.ts'

const BAR_HEIGHT = 22
const ROW_HEIGHT = 34
const LABEL_WIDTH = 270
const BAR_WIDTH = 420

/** A table in Markdown: the first metric, its parts, what else says more than the first does, and the ratios. */
export function markdownOf({ metrics, references }: Results, lines: readonly ReportLine[]): string {
  const [metric, ...others] = metrics
  if (metric === undefined) throw new RangeError('Results without a metric')
  const shown = others.filter(({ key }) => !DETAILS.has(key))
  const head = ['', metric.title, 'of which', ...shown.map(({ title }) => title)]
  head.push(...references.map((name) => `vs ${name}`), 'foreign CPU')
  const rows = lines.map((line) => {
    if ('failure' in line) return [line.title, `failed: ${line.failure}`, ...head.slice(2).map(() => '')]
    const { values, roles, ratios, foreignLoad } = line.summary
    const cells = [line.title, spreadText(values[metric.key], metric.digits), rolesText(roles)]
    cells.push(...shown.map(({ key, digits }) => spreadText(values[key], digits)))
    cells.push(...references.map((name) => spreadText(ratios[name], 2)), `${Math.round(foreignLoad * 100)} %`)
    return cells
  })
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** Keys of metrics that are in the files of results, and in no table: one CPU is saturated, or the load is given. */
const DETAILS = new Set(['kernel', 'rate', 'bytesRate', 'p50', 'p999'])

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

function spreadText(spread: Spread | undefined, digits: number): string {
  if (spread === undefined) return ''
  const { median, min, max } = spread
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`
}

function rolesText(roles: Readonly<Record<string, number>>): string {
  const parts = Object.entries(roles).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return parts.length < 2 ? '' : parts.map(([role, value]) => `${role} ${value.toFixed(1)}`).join(', ')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
