import { expect, test } from 'vitest'
import type { AppFigures, AppResults } from '../../../src/measure/app/measure-app.ts'
import { appReport } from '../../../src/measure/app/report.ts'
import { WAYS } from '../../../src/measure/app/ways.ts'

const fleet = { vms: 1_250, monthly: 460.8 }

test('compares each way with the shared port, and bills what nginx costs', () => {
  const report = appReport(resultsOf({ httpsys: [10, 12], nginx: [61, 73.2], alone: [20, 24] }), 8, fleet)
  expect(report).toMatch(/on a shared port, 8 processes +11\.0 +90909 /)
  expect(report).toMatch(/nginx → 8 processes .* 6\.10 \(6\.10\.\.6\.10\)/)
  expect(report).toContain('1250 VMs become 205.')
  expect(report).toContain('$5,778,432 saved.')
})

test('bills http-proxy where there is no nginx, and nothing where there is neither', () => {
  expect(appReport(resultsOf({ httpsys: [10], 'http-proxy': [100] }), 8, fleet)).toContain(
    'CPU of http-proxy: 1250 VMs',
  )
  expect(appReport(resultsOf({ httpsys: [10], alone: [9] }), 8, fleet)).toContain('no bill without')
})

test('a way that failed says why and has no number', () => {
  const report = appReport(resultsOf({ httpsys: [10], nginx: 'it ended with 1' }), 8, fleet)
  expect(report).toMatch(/nginx → 8 processes +failed: it ended with 1/)
  expect(report).not.toContain('saved')
})

function resultsOf(measured: Record<string, number[] | string>): AppResults {
  const figures = (microseconds: number): AppFigures => ({ microseconds, p50: 1, p99: 2, foreignLoad: 0 })
  return new Map(
    WAYS.flatMap((way) => {
      const own = measured[way.name]
      return own === undefined ? [] : [[way, typeof own === 'string' ? own : own.map(figures)] as const]
    }),
  )
}
