import type { Figures, Measurement } from './measure.ts'
import { median, ratioSpread, type Spread, spreadOf } from './statistics.ts'

/** What the report needs to know of a variant. */
export interface ReportedVariant {
  readonly name: string
  readonly title: string
  /** Names of the variants its cost is compared with: the same application without routing, and behind nginx. */
  readonly plain: string
  readonly proxied: string
}

/** All rounds of one variant. */
export interface Summary {
  /** Microseconds per request. */
  readonly cpu: Spread
  /** Median of each role, microseconds per request. */
  readonly roles: Readonly<Record<string, number>>
  /** Part spent in the kernel, 0 to 1. */
  readonly kernelShare: number
  readonly requestsPerSecond: number
  /** Milliseconds. */
  readonly p99: number
  /** The largest of the rounds, in CPUs. */
  readonly foreignLoad: number
  /** The other variant's CPU divided by this one's, round by round; `undefined` when the other has no numbers. */
  readonly plainRatio: Spread | undefined
  readonly proxiedRatio: Spread | undefined
}

/** One line of the table: numbers, or why there are none. One bad round spoils all of them. */
export type ReportLine = { readonly name: string; readonly title: string } & (
  | { readonly summary: Summary }
  | { readonly failure: string }
)

/** Above this the other programs on the machine have probably moved the numbers. */
const NOISY_LOAD = 0.1

const HEADER = [
  '',
  'CPU µs/request',
  'of which',
  'kernel',
  'requests/s',
  'p99 ms',
  'foreign',
  'plain÷this',
  'nginx÷this',
]

/** Sums the rounds up, a line for each variant. */
export function reportLines(variants: readonly ReportedVariant[], measurements: readonly Measurement[]): ReportLine[] {
  const results = new Map(variants.map(({ name }) => [name, resultsOf(name, measurements)]))
  return variants.map((variant) => {
    const { name, title } = variant
    const own = results.get(name) ?? 'not measured'
    if (typeof own === 'string') return { name, title, failure: own }
    const ratioTo = (other: string): Spread | undefined => {
      const reference = results.get(other)
      if (other === name || reference === undefined || typeof reference === 'string') return undefined
      return ratioSpread(cpuOf(reference), cpuOf(own))
    }
    const summary = { ...summarize(own), plainRatio: ratioTo(variant.plain), proxiedRatio: ratioTo(variant.proxied) }
    return { name, title, summary }
  })
}

/** The table and what to know about it. */
export function renderReport(lines: readonly ReportLine[]): string {
  const rows = lines.map((line) => ('failure' in line ? [line.title, `failed: ${line.failure}`] : cellsOf(line)))
  const complete = [HEADER, ...rows.filter((cells) => cells.length === HEADER.length)]
  const widths = HEADER.map((_, column) => {
    // A failure's text is as long as it is and must not widen the column below.
    const measured = column === 0 ? rows : complete
    return Math.max(...measured.map((cells) => cells[column]?.length ?? 0))
  })
  const table = [HEADER, ...rows].map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return [...table, '', ...footnotes(lines)].join('\n')
}

function cellsOf({ title, summary }: { title: string; summary: Summary }): string[] {
  const { cpu, roles, kernelShare, requestsPerSecond, p99, foreignLoad, plainRatio, proxiedRatio } = summary
  const parts = Object.entries(roles).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return [
    title,
    spreadText(cpu, 1),
    parts.length < 2 ? '' : parts.map(([role, value]) => `${role} ${value.toFixed(1)}`).join(' + '),
    `${Math.round(kernelShare * 100)}%`,
    String(Math.round(requestsPerSecond)),
    p99.toFixed(1),
    `${Math.round(foreignLoad * 100)}%${foreignLoad > NOISY_LOAD ? ' !' : ''}`,
    plainRatio === undefined ? '' : spreadText(plainRatio, 2),
    proxiedRatio === undefined ? '' : spreadText(proxiedRatio, 2),
  ]
}

function footnotes(lines: readonly ReportLine[]): string[] {
  const notes = [
    'Median of the rounds (smallest..largest). Ratios are taken within each round; above 1 this variant costs less.',
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

function summarize(figures: readonly Figures[]): Omit<Summary, 'plainRatio' | 'proxiedRatio'> {
  const roles = new Set(figures.flatMap((each) => Object.keys(each.roles)))
  const middle = (pick: (each: Figures) => number): number => median(figures.map(pick))
  return {
    cpu: spreadOf(cpuOf(figures)),
    roles: Object.fromEntries([...roles].map((role) => [role, middle((each) => each.roles[role] ?? 0)])),
    kernelShare: middle((each) => each.kernelShare),
    requestsPerSecond: middle((each) => each.requestsPerSecond),
    p99: middle((each) => each.p99),
    foreignLoad: Math.max(...figures.map((each) => each.foreignLoad)),
  }
}

function cpuOf(figures: readonly Figures[]): number[] {
  return figures.map((each) => each.cpu)
}

function spreadText(spread: Spread, digits: number): string {
  return `${spread.median.toFixed(digits)} (${spread.min.toFixed(digits)}..${spread.max.toFixed(digits)})`
}
