import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Clock ticks per second in /proc/stat and /proc/PID/stat. Linux fixes USER_HZ at 100 for user space on all common machines. */
const TICKS_PER_SECOND = 100

/** CPU time one process has used since it started. */
export interface ProcessCpu {
  /** Nanoseconds on a CPU, user and kernel, of all its threads. */
  readonly nanoseconds: number
  /** Ticks of 10 ms, to tell user from kernel time. */
  readonly userTicks: number
  readonly kernelTicks: number
}

/** CPU time of the whole machine since it started, in seconds of one CPU. */
export interface MachineCpu {
  /** Used by processes and by the kernel for them. */
  readonly busy: number
  /** Wanted by this machine but given to another one by the hypervisor. */
  readonly stolen: number
}

/** Whether this system tells the CPU time of each thread. */
export function canAccount(): boolean {
  return existsSync('/proc/self/schedstat') && existsSync('/proc/stat')
}

/**
 * CPU time of a process from the kernel's scheduler: exact nanoseconds, not samples.
 *
 * @returns `undefined` when the process is gone.
 */
export function readProcessCpu(pid: number): ProcessCpu | undefined {
  try {
    let nanoseconds = 0
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      nanoseconds += parseSchedstat(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8'))
    }
    return { nanoseconds, ...parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'utf8')) }
  } catch {
    return undefined
  }
}

/** Bytes of memory of a process that are its own share: pages that processes share count in parts (`Pss`). */
export function readProcessMemory(pid: number): number {
  const kilobytes = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/smaps_rollup has no Pss`)
  return Number(kilobytes) * 1024
}

/** CPU time of the whole machine. */
export function readMachineCpu(): MachineCpu {
  return parseMachineStat(readFileSync('/proc/stat', 'utf8'))
}

/** Seconds of CPU used by this process and by the children it has waited for: the harness and its load generators. */
export function readHarnessCpu(): number {
  const fields = statFields(readFileSync('/proc/self/stat', 'utf8'))
  return (field(fields, 14) + field(fields, 15) + field(fields, 16) + field(fields, 17)) / TICKS_PER_SECOND
}

/** First number of a `schedstat` file: nanoseconds spent on a CPU. */
export function parseSchedstat(text: string): number {
  const nanoseconds = Number(text.split(' ', 1)[0])
  if (text === '' || Number.isNaN(nanoseconds)) throw new Error(`Not a schedstat file: '${text}'`)
  return nanoseconds
}

/** User and kernel ticks of a `/proc/PID/stat` file. */
export function parseProcessStat(text: string): { userTicks: number; kernelTicks: number } {
  const fields = statFields(text)
  return { userTicks: field(fields, 14), kernelTicks: field(fields, 15) }
}

/** Parent's pid of a `/proc/PID/stat` file. */
export function parseParent(text: string): number {
  return field(statFields(text), 4)
}

/** The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal. */
export function parseMachineStat(text: string): MachineCpu {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, stolen = 0] = text
    .slice(0, text.indexOf('\n'))
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return {
    busy: (user + nice + system + irq + softirq) / TICKS_PER_SECOND,
    stolen: stolen / TICKS_PER_SECOND,
  }
}

/** The fields after the command's name, which stands in parentheses and may hold spaces and parentheses itself. */
function statFields(text: string): string[] {
  return text
    .slice(text.lastIndexOf(')') + 2)
    .trim()
    .split(' ')
}

/** A field by its number in proc(5), where the state after the command's name is number 3. */
function field(fields: readonly string[], number: number): number {
  return Number(fields[number - 3])
}
