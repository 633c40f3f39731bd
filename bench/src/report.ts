import { median, ratioSpread, type Spread, spreadOf } from '@httpsys/core/measure'
import type { Figures, Measurement, Metric } from './scenario.ts'

/** What the report needs to know of a scenario; the results file has it too. */
export interface Reported {
  readonly metrics: readonly Metric[]
  readonly references: readonly string[]
  readonly variants: readonly { readonly name: string; readonly title: string }[]
}

/** All rounds of one variant. */
export interface Summary {
  /** By the keys of the metrics. */
  readonly values: Readonly<Record<string, Spread>>
  /** Median of each role's part of the first metric. */
  readonly roles: Readonly<Record<string, number>>
  /** The largest of the rounds, in CPUs. */
  readonly foreignLoad: number
  /** By the reference's name: how many times better this variant is in the first metric, round by round. */
  readonly ratios: Readonly<Record<string, Spread>>
  readonly rounds: number
}

/** One line of the table: numbers, or why there are none. One bad round spoils all of them. */
export type ReportLine = { readonly name: string; readonly title: string } & (
  | { readonly summary: Summary }
  | { readonly failure: string }
)

/** Above this the other programs on the machine have probably moved the numbers. */
const NOISY_LOAD = 0.1

/** Sums the rounds up, a line for each variant. */
export function reportLines(
  { variants, metrics, references }: Reported,
  measurements: readonly Measurement[],
): ReportLine[] {
  const results = new Map(variants.map(({ name }) => [name, resultsOf(name, measurements)]))
  return variants.map(({ name, title }) => {
    const own = results.get(name) ?? 'not measured'
    if (typeof own === 'string') return { name, title, failure: own }
    const ratios: Record<string, Spread> = {}
    for (const reference of references) {
      const other = results.get(reference)
      if (reference === name || other === undefined || typeof other === 'string') continue
      const ratio = ratioOf(metrics[0], own, other)
      if (ratio !== undefined) ratios[reference] = ratio
    }
    return { name, title, summary: { ...summarize(own, metrics), ratios } }
  })
}

/** How many times better one variant is than another; `undefined` when their rounds don't match. */
function ratioOf(metric: Metric | undefined, own: readonly Figures[], other: readonly Figures[]): Spread | undefined {
  if (metric === undefined || own.length !== other.length) return undefined
  const values = (figures: readonly Figures[]): number[] => figures.map((each) => each.values[metric.key] ?? Number.NaN)
  return metric.better === 'more' ? ratioSpread(values(own), values(other)) : ratioSpread(values(other), values(own))
}

/** The table and what to know about it. */
export function renderReport(reported: Reported, lines: readonly ReportLine[]): string {
  const header = headerOf(reported, lines)
  const rows = lines.map((line) =>
    'failure' in line ? [line.title, `failed: ${line.failure}`] : cellsOf(reported, line.title, line.summary, header),
  )
  const complete = [header, ...rows.filter((cells) => cells.length === header.length)]
  const widths = header.map((_, column) => {
    // A failure's text is as long as it is and must not widen the column below.
    const measured = column === 0 ? rows : complete
    return Math.max(...measured.map((cells) => cells[column]?.length ?? 0))
  })
  const table = [header, ...rows].map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return [...table, '', ...footnotes(lines)].join('\n')
}

/** Heads of the columns: the first metric with its parts, the others, then the ratios. */
function headerOf({ metrics, references }: Reported, lines: readonly ReportLine[]): string[] {
  const [first, ...others] = metrics
  const hasRoles = lines.some((line) => 'summary' in line && Object.keys(line.summary.roles).length > 1)
  return [
    '',
    first?.title ?? '',
    ...(hasRoles ? ['of which'] : []),
    ...others.map(({ title }) => title),
    'foreign',
    ...references.map((name) => `vs ${name}`),
  ]
}

function cellsOf(reported: Reported, title: string, summary: Summary, header: readonly string[]): string[] {
  const [first, ...others] = reported.metrics
  const parts = Object.entries(summary.roles).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const roles = parts.length < 2 ? '' : parts.map(([role, value]) => `${role} ${value.toFixed(1)}`).join(' + ')
  const { foreignLoad, values, ratios } = summary
  return [
    title,
    first === undefined ? '' : spreadText(values[first.key], first.digits),
    ...(header.includes('of which') ? [roles] : []),
    ...others.map(({ key, digits }) => values[key]?.median.toFixed(digits) ?? ''),
    `${Math.round(foreignLoad * 100)}%${foreignLoad > NOISY_LOAD ? ' !' : ''}`,
    ...reported.references.map((name) => spreadText(ratios[name], 2)),
  ]
}

function footnotes(lines: readonly ReportLine[]): string[] {
  const notes = [
    'Median of the rounds (smallest..largest). Ratios are taken within each round; above 1 the variant is better, by the first column.',
  ]
  if (lines.some((line) => 'summary' in line && line.summary.foreignLoad > NOISY_LOAD)) {
    notes.push('! Other programs used much CPU in a round: trust the ratios more than the numbers, or run again.')
  }
  return notes
}

/** Figures in the order of the rounds, or why there are none. */
function resultsOf(variant: string, measurements: readonly Measurement[]): readonly Figures[] | string {
  const figures: Figures[] = []
  for (const measurement of measurements.toSorted((a, b) => a.round - b.round)) {
    if (measurement.variant !== variant) continue
    if ('failure' in measurement) return `${measurement.failure} (round ${measurement.round})`
    figures.push(measurement.figures)
  }
  return figures.length === 0 ? 'not measured' : figures
}

function summarize(figures: readonly Figures[], metrics: readonly Metric[]): Omit<Summary, 'ratios'> {
  const roles = new Set(figures.flatMap((each) => Object.keys(each.roles)))
  const values: Record<string, Spread> = {}
  for (const { key } of metrics) {
    const measured = figures.flatMap((each) => each.values[key] ?? [])
    if (measured.length > 0) values[key] = spreadOf(measured)
  }
  return {
    values,
    roles: Object.fromEntries([...roles].map((role) => [role, median(figures.map((each) => each.roles[role] ?? 0))])),
    foreignLoad: Math.max(...figures.map((each) => each.foreignLoad)),
    rounds: figures.length,
  }
}

function spreadText(spread: Spread | undefined, digits: number): string {
  if (spread === undefined) return ''
  const { median: middle, min, max } = spread
  if (min === max) return middle.toFixed(digits)
  return `${middle.toFixed(digits)} (${min.toFixed(digits)}..${max.toFixed(digits)})`
}
