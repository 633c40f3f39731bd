import { cpuUnderLoad, type CpuUse, takeReadings } from '@httpsys/core/measure'
import type { Figures, Launch, Metric } from './scenario.ts'

/** What a load came to, whatever it consists of. */
export interface LoadOutcome {
  /** Requests, messages: what the CPU time is divided by. */
  readonly count: number
  /** Bytes of them, towards or from the clients. */
  readonly bytes?: number
  readonly seconds: number
  /** Milliseconds; `undefined` where they mean nothing. */
  readonly latency?: { readonly p50: number; readonly p99: number; readonly p999: number }
  /** That it was not the load that was asked for, in words. Who has just been woken up may be late. */
  readonly lateness?: string | undefined
}

/** Runs a load for some seconds. */
export type RunLoad = (seconds: number) => Promise<LoadOutcome>

/** Of load before each measurement, for caches that others have used meanwhile, and heaps that are tidied up when a load ends. */
const SETTLE_S = 2

/** Warms up; returns what reads the CPU time of every process of the group on both sides of the load. */
export async function underLoad(
  { group, conditions }: Launch,
  run: RunLoad,
): Promise<() => Promise<{ readonly outcome: LoadOutcome; readonly use: CpuUse }>> {
  if (conditions.warmup > 0) await run(conditions.warmup)
  return async () => {
    if (!conditions.isSmoke) await run(SETTLE_S)
    const members = group.members()
    const before = takeReadings(members)
    const outcome = await run(conditions.seconds)
    if (outcome.lateness !== undefined) throw new Error(outcome.lateness)
    return { outcome, use: cpuUnderLoad(members, before, takeReadings(members)) }
  }
}

/** Metrics of scenarios that count things, such as requests. */
export function countMetrics(unit: string): [Metric, ...Metric[]] {
  return [
    { key: 'cpu', title: `CPU µs/${unit}`, digits: 1, better: 'less' },
    { key: 'kernel', title: 'kernel %', digits: 0, better: 'neither' },
    { key: 'rate', title: `${unit}s/s`, digits: 0, better: 'more' },
    { key: 'p50', title: 'p50 ms', digits: 2, better: 'less' },
    { key: 'p99', title: 'p99 ms', digits: 2, better: 'less' },
    { key: 'p999', title: 'p99.9 ms', digits: 2, better: 'less' },
  ]
}

/** {@link countMetrics} of one measurement. */
export function countFigures({ outcome, use }: { outcome: LoadOutcome; use: CpuUse }): Figures {
  const { count, seconds, latency } = outcome
  return {
    values: {
      cpu: use.nanoseconds / 1e3 / count,
      kernel: use.kernelShare * 100,
      rate: count / seconds,
      ...latency,
    },
    roles: Object.fromEntries(Object.entries(use.roles).map(([role, spent]) => [role, spent / 1e3 / count])),
    foreignLoad: use.foreignLoad,
  }
}

const MEBIBYTE = 2 ** 20

/** Metrics of scenarios that move bytes. */
export const BYTE_METRICS: [Metric, ...Metric[]] = [
  { key: 'bytesPerCpu', title: 'MiB/CPU second', digits: 0, better: 'more' },
  { key: 'kernel', title: 'kernel %', digits: 0, better: 'neither' },
  { key: 'bytesRate', title: 'MiB/s', digits: 0, better: 'more' },
  { key: 'cpu', title: 'CPU µs/request', digits: 0, better: 'less' },
]

/** {@link BYTE_METRICS} of one measurement. */
export function byteFigures({ outcome, use }: { outcome: LoadOutcome; use: CpuUse }): Figures {
  const mebibytes = (outcome.bytes ?? 0) / MEBIBYTE
  return {
    values: {
      bytesPerCpu: mebibytes / (use.nanoseconds / 1e9),
      kernel: use.kernelShare * 100,
      bytesRate: mebibytes / outcome.seconds,
      cpu: use.nanoseconds / 1e3 / outcome.count,
    },
    roles: {},
    foreignLoad: use.foreignLoad,
  }
}
