import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MachineCpu, type ProcessCpu, readHarnessCpu, readMachineCpu } from './accounting.ts'
import { type LoadGenerator, type LoadResult, type LoadTarget, loadFailure } from './load.ts'
import type { Pinning } from './pinning.ts'
import { type Member, ProcessGroup, readMembersCpu } from './processes.ts'
import { OWNERS, type Variant } from './variants.ts'
import { verifyAnswers } from './verify.ts'

/** Under what conditions every variant is measured. */
export interface Conditions {
  readonly seconds: number
  readonly warmup: number
  readonly connections: number
  /** The node binary of the servers. */
  readonly node: string
  readonly pinning: Pinning | undefined
  readonly load: LoadGenerator
}

/** Numbers of one measurement. */
export interface Figures {
  /** Microseconds of CPU per request, all server processes together. */
  readonly cpu: number
  /** The same for each role; their sum is `cpu`. */
  readonly roles: Readonly<Record<string, number>>
  /** Part of `cpu` spent in the kernel, 0 to 1, from samples of 10 ms. */
  readonly kernelShare: number
  readonly requests: number
  readonly requestsPerSecond: number
  /** Milliseconds. */
  readonly p50: number
  /** Milliseconds. */
  readonly p99: number
  /** CPUs' worth of work on this machine that was neither the servers' nor the load's, with time taken by the hypervisor: 0.5 is half a CPU. */
  readonly foreignLoad: number
}

/** One measurement of one variant: numbers, or the reason why there are none. */
export type Measurement = { readonly round: number; readonly variant: string } & (
  | { readonly figures: Figures }
  | { readonly failure: string }
)

/** Groups that run now and their directories, for the end of this process to clear away. */
const running = new Map<ProcessGroup, string>()

/** Clears away what an interrupted measurement has left. */
export function killRunning(): void {
  for (const [group, directory] of running) {
    group.killNow()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Starts a variant, checks its answers, warms it up, measures it, and stops it. */
export async function measure(variant: Variant, round: number, conditions: Conditions): Promise<Measurement> {
  const directory = mkdtempSync(join(tmpdir(), 'httpsys-bench-'))
  const group = new ProcessGroup(conditions.pinning?.serverCpu, ['HTTPSYS_RUNTIME_DIR', directory])
  running.set(group, directory)
  try {
    const { node, connections } = conditions
    const port = await variant.start({ group, directory, node, connections })
    await verifyAnswers(port, variant.routes)
    return { round, variant: variant.name, figures: await underLoad(group, port, conditions) }
  } catch (error) {
    return { round, variant: variant.name, failure: error instanceof Error ? error.message : String(error) }
  } finally {
    await group.stop()
    running.delete(group)
    rmSync(directory, { recursive: true, force: true })
  }
}

async function underLoad(group: ProcessGroup, port: number, conditions: Conditions): Promise<Figures> {
  const { connections, pinning, load, warmup, seconds } = conditions
  const paths = OWNERS.map((owner) => `/${owner}/`)
  const target: LoadTarget = { port, paths, connections, seconds, cpu: pinning?.loadCpu }
  if (warmup > 0) await load.run({ ...target, seconds: warmup })

  const members = group.members()
  const before = readings(members)
  const result = await load.run(target)
  const after = readings(members)

  const failure = loadFailure(result)
  if (failure !== undefined) throw new Error(failure)
  return figuresOf(members, before, after, result)
}

/** What the kernel has counted up to one moment. */
export interface Readings {
  /** Milliseconds, of any clock. */
  readonly time: number
  /** In the order of the members. */
  readonly processes: readonly ProcessCpu[]
  readonly machine: MachineCpu
  /** Seconds of CPU of this process and of its load generators. */
  readonly harness: number
}

function readings(members: readonly Member[]): Readings {
  const processes = readMembersCpu(members)
  if (processes === undefined) throw new Error('A server process ended during the measurement')
  return { time: performance.now(), processes, machine: readMachineCpu(), harness: readHarnessCpu() }
}

/** The numbers of a measurement from the readings on both sides of it. */
export function figuresOf(members: readonly Member[], before: Readings, after: Readings, result: LoadResult): Figures {
  const roles: Record<string, number> = {}
  let nanoseconds = 0
  let userTicks = 0
  let kernelTicks = 0
  for (const [index, { role }] of members.entries()) {
    const from = before.processes[index]
    const to = after.processes[index]
    if (from === undefined || to === undefined) throw new RangeError('A member without a reading')
    nanoseconds += to.nanoseconds - from.nanoseconds
    userTicks += to.userTicks - from.userTicks
    kernelTicks += to.kernelTicks - from.kernelTicks
    roles[role] = (roles[role] ?? 0) + (to.nanoseconds - from.nanoseconds) / 1e3 / result.requests
  }
  if (nanoseconds === 0) throw new Error('The kernel counted no CPU time for the servers')
  const busy = after.machine.busy - before.machine.busy
  const stolen = after.machine.stolen - before.machine.stolen
  const known = nanoseconds / 1e9 + after.harness - before.harness
  return {
    cpu: nanoseconds / 1e3 / result.requests,
    roles,
    kernelShare: kernelTicks / Math.max(1, userTicks + kernelTicks),
    requests: result.requests,
    requestsPerSecond: result.requests / result.seconds,
    p50: result.p50,
    p99: result.p99,
    // Ticks of 10 ms on one side and nanoseconds on the other: a quiet machine may come out slightly below nothing.
    foreignLoad: Math.max(0, (busy + stolen - known) / ((after.time - before.time) / 1e3)),
  }
}
