import { describe, expect, test } from 'vitest'
import type { Measurement } from '../src/measure.ts'
import { renderReport, reportLines } from '../src/report.ts'

const variants = [
  { name: 'node-http', title: 'node:http', plain: 'node-http', proxied: 'nginx' },
  { name: 'httpsys', title: 'httpsys', plain: 'node-http', proxied: 'nginx' },
  { name: 'nginx', title: 'nginx', plain: 'node-http', proxied: 'nginx' },
]

function measured(variant: string, round: number, cpu: number, foreignLoad = 0): Measurement {
  const figures = {
    cpu,
    roles: { broker: cpu / 4, workers: (cpu * 3) / 4 },
    kernelShare: 0.5,
    requests: 1000,
    requestsPerSecond: 500 + round,
    p50: 1,
    p99: 2,
    foreignLoad,
  }
  return { variant, round, figures }
}

const good = [
  measured('node-http', 1, 10),
  measured('node-http', 2, 20),
  measured('node-http', 3, 30),
  // Not in the order of the rounds: they are rotated.
  measured('nginx', 3, 180),
  measured('nginx', 1, 60),
  measured('nginx', 2, 100),
  measured('httpsys', 2, 25),
  measured('httpsys', 1, 20),
  measured('httpsys', 3, 30),
]

describe('the report', () => {
  test('gives the median and spread of the rounds, and ratios taken round by round', () => {
    const [, httpsys] = reportLines(variants, good)
    expect(httpsys).toMatchObject({
      name: 'httpsys',
      summary: {
        cpu: { median: 25, min: 20, max: 30 },
        roles: { broker: 6.25, workers: 18.75 },
        requestsPerSecond: 502,
        plainRatio: { median: 0.8, min: 0.5, max: 1 },
        proxiedRatio: { median: 4, min: 3, max: 6 },
      },
    })
  })

  test('compares nothing with itself', () => {
    const [nodeHttp, , nginx] = reportLines(variants, good)
    expect(nodeHttp).toMatchObject({ summary: { plainRatio: undefined, proxiedRatio: { median: 6 } } })
    expect(nginx).toMatchObject({ summary: { plainRatio: { max: 0.2 }, proxiedRatio: undefined } })
  })

  test('shows no number of a variant that failed in one round, and no ratio to it', () => {
    const failing = good.map((each): Measurement =>
      each.variant === 'nginx' && each.round === 2 ? { variant: 'nginx', round: 2, failure: '7 socket errors' } : each,
    )
    const lines = reportLines(variants, failing)
    expect(lines[2]).toEqual({ name: 'nginx', title: 'nginx', failure: '7 socket errors (round 2)' })
    expect(lines[1]).toMatchObject({ summary: { proxiedRatio: undefined } })
    const text = renderReport(lines)
    expect(text).toMatch(/^nginx +failed: 7 socket errors \(round 2\)$/m)
    expect(text).not.toContain('100.0')
  })

  test('names a variant that was never measured', () => {
    expect(reportLines(variants, [])[0]).toEqual({ name: 'node-http', title: 'node:http', failure: 'not measured' })
  })

  test('lines its columns up', () => {
    const [header = '', first = '', second = ''] = renderReport(reportLines(variants, good)).split('\n')
    expect(header.indexOf('requests/s')).toBe(first.indexOf('502'))
    expect(header.indexOf('requests/s')).toBe(second.indexOf('502'))
    expect(second).toContain('25.0 (20.0..30.0)')
    expect(second).toContain('broker 6.3 + workers 18.8')
    expect(second).toContain('4.00 (3.00..6.00)')
  })

  test('marks rounds in which other programs were busy', () => {
    expect(renderReport(reportLines(variants, good))).not.toContain('!')
    const noisy = renderReport(reportLines(variants, [...good.slice(0, -1), measured('httpsys', 3, 30, 0.4)]))
    expect(noisy).toMatch(/^httpsys.*40% !/m)
    expect(noisy).toMatch(/^! Other programs/m)
  })
})
