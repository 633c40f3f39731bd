import { describe, expect, test } from 'vitest'
import { renderReport, type Reported, reportLines } from '../src/report.ts'
import type { Measurement } from '../src/scenario.ts'

const reported: Reported = {
  metrics: [
    { key: 'cpu', title: 'CPU µs/request', digits: 1, better: 'less' },
    { key: 'rate', title: 'requests/s', digits: 0, better: 'more' },
  ],
  references: ['node', 'nginx'],
  variants: [
    { name: 'node', title: 'node:http' },
    { name: 'httpsys', title: 'httpsys' },
    { name: 'nginx', title: 'nginx' },
  ],
}

function measured(variant: string, round: number, cpu: number, foreignLoad = 0): Measurement {
  const roles = { broker: cpu / 4, owners: (cpu * 3) / 4 }
  return { variant, round, figures: { values: { cpu, rate: 500 + round }, roles, foreignLoad } }
}

const good = [
  measured('node', 1, 10),
  measured('node', 2, 20),
  measured('node', 3, 30),
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
    const [, httpsys] = reportLines(reported, good)
    expect(httpsys).toMatchObject({
      name: 'httpsys',
      summary: {
        values: { cpu: { median: 25, min: 20, max: 30 }, rate: { median: 502 } },
        roles: { broker: 6.25, owners: 18.75 },
        ratios: { node: { median: 0.8, min: 0.5, max: 1 }, nginx: { median: 4, min: 3, max: 6 } },
        rounds: 3,
      },
    })
  })

  test('turns the ratio around where more is better: above 1 is always good', () => {
    const byRate: Reported = { ...reported, metrics: [{ key: 'rate', title: 'MiB/s', digits: 0, better: 'more' }] }
    const faster = [
      measured('node', 1, 1),
      { ...measured('httpsys', 1, 1), figures: { values: { rate: 1002 }, roles: {}, foreignLoad: 0 } },
    ]
    expect(reportLines(byRate, faster)[1]).toMatchObject({ summary: { ratios: { node: { median: 2 } } } })
  })

  test('compares nothing with itself', () => {
    const [node] = reportLines(reported, good)
    expect(node).toMatchObject({ summary: { ratios: { nginx: { median: 6 } } } })
    expect(node && 'summary' in node && node.summary.ratios['node']).toBeUndefined()
  })

  test('shows no number of a variant that failed in one round, and no ratio to it', () => {
    const failing = good.map((each): Measurement =>
      each.variant === 'nginx' && each.round === 2 ? { variant: 'nginx', round: 2, failure: '7 socket errors' } : each,
    )
    const lines = reportLines(reported, failing)
    expect(lines[2]).toEqual({ name: 'nginx', title: 'nginx', failure: '7 socket errors (round 2)' })
    expect(lines[1] && 'summary' in lines[1] && lines[1].summary.ratios['nginx']).toBeUndefined()
    const text = renderReport(reported, lines)
    expect(text).toMatch(/^nginx +failed: 7 socket errors \(round 2\)$/m)
    expect(text).not.toContain('100.0')
  })

  test('names a variant that was never measured', () => {
    expect(reportLines(reported, [])[0]).toEqual({ name: 'node', title: 'node:http', failure: 'not measured' })
  })

  test('lines its columns up', () => {
    const [header = '', first = '', second = ''] = renderReport(reported, reportLines(reported, good)).split('\n')
    expect(header.indexOf('requests/s')).toBe(first.indexOf('502'))
    expect(header.indexOf('requests/s')).toBe(second.indexOf('502'))
    expect(second).toContain('25.0 (20.0..30.0)')
    expect(second).toContain('broker 6.3 + owners 18.8')
    expect(second).toContain('4.00 (3.00..6.00)')
  })

  test('marks rounds in which other programs were busy', () => {
    expect(renderReport(reported, reportLines(reported, good))).not.toContain('!')
    const noisy = renderReport(reported, reportLines(reported, [...good.slice(0, -1), measured('httpsys', 3, 30, 0.4)]))
    expect(noisy).toMatch(/^httpsys.*40% !/m)
    expect(noisy).toMatch(/^! Other programs/m)
  })
})
