import { describe, expect, test } from 'vitest'
import { figuresOf, type Readings } from '../src/measure.ts'

const members = [
  { pid: 1, role: 'broker' },
  { pid: 2, role: 'workers' },
  { pid: 3, role: 'workers' },
]
const load = { requests: 1000, seconds: 2, p50: 1, p99: 3, badStatuses: 0, socketErrors: 0 }

function readings(time: number, milliseconds: readonly number[], busy: number, harness: number): Readings {
  const processes = milliseconds.map((ms) => ({
    nanoseconds: ms * 1e6,
    userTicks: ms / 40,
    kernelTicks: (ms * 3) / 40,
  }))
  return { time, processes, machine: { busy, stolen: busy / 10 }, harness }
}

describe('the figures of a measurement', () => {
  const before = readings(5000, [100, 200, 300], 10, 1)
  const after = readings(7000, [110, 205, 315], 12, 2.5)

  test('count what was used between the readings, for all processes and for each role', () => {
    const figures = figuresOf(members, before, after, load)
    expect(figures.cpu).toBeCloseTo(30)
    expect(figures.roles['broker']).toBeCloseTo(10)
    expect(figures.roles['workers']).toBeCloseTo(20)
    expect(figures.kernelShare).toBeCloseTo(0.75)
    expect(figures.requestsPerSecond).toBe(500)
    expect(figures.p99).toBe(3)
  })

  test('count as foreign what neither the servers nor the load used, and what the hypervisor took', () => {
    // 2 s busy and 0.2 s stolen, less 0.03 s of the servers and 1.5 s of the load, in 2 s.
    expect(figuresOf(members, before, after, load).foreignLoad).toBeCloseTo((2 + 0.2 - 0.03 - 1.5) / 2)
  })

  test('never show less than no foreign load', () => {
    expect(figuresOf(members, before, { ...after, harness: 9 }, load).foreignLoad).toBe(0)
  })

  test('are refused when the kernel counted nothing', () => {
    expect(() => figuresOf(members, before, before, load)).toThrow('counted no CPU time')
  })
})
