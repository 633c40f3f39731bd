import { billLines, type Fleet } from '../bill.ts'
import { median, ratioSpread, type Spread } from '../statistics.ts'
import type { AppFigures, AppResults } from './measure-app.ts'

/** Above this the other programs on the machine have probably moved the numbers. */
const NOISY_LOAD = 0.1

/** The table, and the bill when there is a fleet. */
export function appReport(results: AppResults, owners: number, fleet: Fleet | undefined): string {
  const measured = [...results].flatMap(([way, figures]) => (typeof figures === 'string' ? [] : [{ way, figures }]))
  const own = measured.find(({ way }) => way.name === 'httpsys')?.figures
  const rows = [
    ['', 'CPU µs/request', 'requests/s at one core', 'p50 ms', 'p99 ms', 'foreign', 'CPU ÷ shared port'],
    ...[...results].map(([way, figures]) =>
      typeof figures === 'string'
        ? [way.title(owners), `failed: ${figures}`]
        : [
            way.title(owners),
            ...cells(figures),
            way.name === 'httpsys' || own === undefined ? '' : spread(times(figures, own)),
          ],
    ),
  ]
  const widths = rows[0]!.map((_, column) =>
    Math.max(...rows.map((row) => (row.length < 3 && column > 0 ? 0 : (row[column] ?? '').length))),
  )
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
  lines.push('', 'Medians of the rounds (smallest..largest); CPU of all server processes together, from the kernel.')
  if (measured.some(({ figures }) => figures.some(({ foreignLoad }) => foreignLoad > NOISY_LOAD))) {
    lines.push('Other programs used much CPU meanwhile: run it again on a quiet machine before you quote it.')
  }
  const proxy =
    measured.find(({ way }) => way.name === 'nginx') ?? measured.find(({ way }) => way.name === 'http-proxy')
  if (fleet !== undefined && own !== undefined && proxy !== undefined) {
    lines.push('', ...billLines(fleet, times(proxy.figures, own).median, proxy.way.name))
  } else if (fleet !== undefined) lines.push('', 'There is no bill without a measurement of nginx or http-proxy.')
  return lines.join('\n')
}

function cells(figures: readonly AppFigures[]): string[] {
  const microseconds = median(figures.map((each) => each.microseconds))
  return [
    microseconds.toFixed(1),
    (1e6 / microseconds).toFixed(0),
    median(figures.map(({ p50 }) => p50)).toFixed(2),
    median(figures.map(({ p99 }) => p99)).toFixed(2),
    `${Math.round(Math.max(...figures.map(({ foreignLoad }) => foreignLoad)) * 100)}%`,
  ]
}

function times(figures: readonly AppFigures[], own: readonly AppFigures[]): Spread {
  return ratioSpread(
    figures.map(({ microseconds }) => microseconds),
    own.map(({ microseconds }) => microseconds),
  )
}

function spread({ median: middle, min, max }: Spread): string {
  return `${middle.toFixed(2)} (${min.toFixed(2)}..${max.toFixed(2)})`
}
