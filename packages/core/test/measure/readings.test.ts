import { describe, expect, test } from 'vitest'
import { cpuBetween, cpuUnderLoad, type Readings } from '../../src/measure/readings.ts'

const members = [
  { pid: 1, role: 'broker' },
  { pid: 2, role: 'owners' },
  { pid: 3, role: 'owners' },
]

function readings(time: number, milliseconds: readonly number[], busy: number, harness: number): Readings {
  const processes = milliseconds.map((ms) => ({
    nanoseconds: ms * 1e6,
    userTicks: ms / 40,
    kernelTicks: (ms * 3) / 40,
  }))
  return { time, processes, machine: { busy, stolen: busy / 10 }, harness }
}

describe('the CPU used between two readings', () => {
  const before = readings(5000, [100, 200, 300], 10, 1)
  const after = readings(7000, [110, 205, 315], 12, 2.5)

  test('is counted for all processes and for each role', () => {
    const use = cpuBetween(members, before, after)
    expect(use.nanoseconds).toBe(30e6)
    expect(use.roles).toEqual({ broker: 10e6, owners: 20e6 })
    expect(use.kernelShare).toBeCloseTo(0.75)
  })

  test('leaves as foreign what neither the servers nor the load used, and what the hypervisor took', () => {
    // 2 s busy and 0.2 s stolen, less 0.03 s of the servers and 1.5 s of the load, in 2 s.
    expect(cpuBetween(members, before, after).foreignLoad).toBeCloseTo((2 + 0.2 - 0.03 - 1.5) / 2)
  })

  test('never leaves less than no foreign load', () => {
    expect(cpuBetween(members, before, { ...after, harness: 9 }).foreignLoad).toBe(0)
  })

  test('may be nothing, but not under load', () => {
    expect(cpuBetween(members, before, before).nanoseconds).toBe(0)
    expect(() => cpuUnderLoad(members, before, before)).toThrow('counted no CPU time')
  })
})
