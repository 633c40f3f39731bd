import { type MachineCpu, type ProcessCpu, readHarnessCpu, readMachineCpu } from './accounting.ts'
import { type Member, readMembersCpu } from './processes.ts'

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

/** CPU that the members of a group used between two readings. */
export interface CpuUse {
  /** Nanoseconds, all of them together. */
  readonly nanoseconds: number
  /** The same for each role. */
  readonly roles: Readonly<Record<string, number>>
  /** Part spent in the kernel, 0 to 1, from samples of 10 ms. */
  readonly kernelShare: number
  /** CPUs' worth of work on this machine that was neither the servers' nor the load's, with time taken by the hypervisor: 0.5 is half a CPU. */
  readonly foreignLoad: number
}

/**
 * Reads the counters of the members, of the machine and of this process.
 *
 * @throws Error when a member is gone
 */
export function takeReadings(members: readonly Member[]): Readings {
  const processes = readMembersCpu(members)
  if (processes === undefined) throw new Error('A server process ended during the measurement')
  return { time: performance.now(), processes, machine: readMachineCpu(), harness: readHarnessCpu() }
}

/**
 * What was used between two readings of the same members while they had work to do.
 *
 * @throws Error when the kernel counted nothing
 */
export function cpuUnderLoad(members: readonly Member[], before: Readings, after: Readings): CpuUse {
  const use = cpuBetween(members, before, after)
  if (use.nanoseconds === 0) throw new Error('The kernel counted no CPU time for the servers')
  return use
}

/** What was used between two readings of the same members; idle ones may have used nothing. */
export function cpuBetween(members: readonly Member[], before: Readings, after: Readings): CpuUse {
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
    roles[role] = (roles[role] ?? 0) + to.nanoseconds - from.nanoseconds
  }
  const busy = after.machine.busy - before.machine.busy
  const stolen = after.machine.stolen - before.machine.stolen
  const known = nanoseconds / 1e9 + after.harness - before.harness
  return {
    nanoseconds,
    roles,
    kernelShare: kernelTicks / Math.max(1, userTicks + kernelTicks),
    // Ticks of 10 ms on one side and nanoseconds on the other: a quiet machine may come out slightly below nothing.
    foreignLoad: Math.max(0, (busy + stolen - known) / ((after.time - before.time) / 1e3)),
  }
}
