import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { parseParent, type ProcessCpu, readProcessCpu } from './accounting.ts'
import { pinned } from './pinning.ts'
import { portOpens } from './ports.ts'

const READY_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 3_000
const POLL_MS = 20

/** A server process to start. */
export interface ServerSpec {
  /** What its CPU time is counted as. */
  readonly role: string
  /** What the CPU time of processes it starts itself is counted as. @defaultValue the same role */
  readonly childRole?: string
  readonly command: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Takes what the process prints on its standard error. @defaultValue it goes to this process's */
  readonly onErrorOutput?: (text: string) => void
}

/** One process whose CPU time counts. */
export interface Member {
  readonly pid: number
  readonly role: string
}

interface Started {
  readonly child: ChildProcess
  readonly spec: ServerSpec
}

/** What is known of a process from /proc. */
export interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  /** Carries the group's mark in the environment it was started with. */
  readonly marked: boolean
}

/** The server processes of one measurement: everything it starts, directly or not, is counted and in the end stopped. */
export class ProcessGroup {
  readonly #cpu: number | undefined
  readonly #mark: string
  readonly #env: NodeJS.ProcessEnv
  readonly #started: Started[] = []

  /**
   * @param cpu - the CPU all processes are held on; `undefined` leaves them free
   * @param mark - an environment variable of this group alone as `[name, value]`: a daemon that detached itself and lost its
   *   parent is still known by it
   * @param env - more environment for all of them
   */
  constructor(cpu: number | undefined, mark: readonly [name: string, value: string], env: NodeJS.ProcessEnv = {}) {
    this.#cpu = cpu
    this.#mark = `${mark[0]}=${mark[1]}`
    this.#env = { ...process.env, ...env, [mark[0]]: mark[1] }
  }

  /** Starts a process that says on its first line of output when it is ready, and returns that line. */
  async startReady(spec: ServerSpec): Promise<string> {
    const child = this.#spawn(spec, 'pipe')
    if (child.stdout === null) throw new Error('No pipe to the server process')
    const lines = createInterface({ input: child.stdout })
    const abort = new AbortController()
    try {
      return await Promise.race([
        once(lines, 'line', abort).then(([line]) => String(line)),
        once(child, 'exit', abort).then(([code, signal]) => {
          throw new Error(`A ${spec.role} process ended with ${code ?? signal} before it was ready`)
        }),
        delay(READY_TIMEOUT_MS, undefined, abort).then(() => {
          throw new Error(`A ${spec.role} process was not ready within ${READY_TIMEOUT_MS / 1000} s`)
        }),
      ])
    } finally {
      abort.abort()
    }
  }

  /**
   * Starts a process that says nothing of use, and returns once its loopback port takes connections.
   *
   * @throws Error with what it said when it ends before that
   */
  async startOn(spec: ServerSpec, port: number): Promise<void> {
    let said = ''
    const child = this.#spawn({ onErrorOutput: (text) => (said = (said + text).slice(-2_000)), ...spec }, 'ignore')
    const abort = new AbortController()
    try {
      await Promise.race([
        portOpens(port, abort.signal),
        once(child, 'close', abort).then(([code, signal]) => {
          throw new Error(`A ${spec.role} process ended with ${code ?? signal}: ${said.trim() || 'it said nothing'}`)
        }),
      ])
    } finally {
      abort.abort()
    }
  }

  /** All living processes of the group. */
  members(): Member[] {
    return membersOf(this.#roots(), readProcessTable(this.#mark))
  }

  /** Stops every process of the group, politely first, and returns when they are gone. Never touches any other process. */
  async stop(): Promise<void> {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const deadline = Date.now() + STOP_TIMEOUT_MS
      let living = this.members()
      for (const member of living) sendSignal(member.pid, signal)
      while (living.length > 0 && Date.now() < deadline) {
        await delay(POLL_MS)
        living = this.members()
      }
      if (living.length === 0) return
    }
    const pids = this.members().map((member) => member.pid)
    throw new Error(`Processes ${pids.join(', ')} can't be stopped`)
  }

  /** Kills what is left without waiting, for the end of this process. */
  killNow(): void {
    for (const member of this.members()) sendSignal(member.pid, 'SIGKILL')
  }

  #spawn(spec: ServerSpec, stdout: 'pipe' | 'ignore'): ChildProcess {
    const [program, ...args] = pinned(this.#cpu, spec.command)
    const stderr = spec.onErrorOutput === undefined ? 'inherit' : 'pipe'
    const child = spawn(program, args, {
      stdio: ['ignore', stdout, stderr],
      env: { ...this.#env, ...spec.env },
      cwd: spec.cwd,
    })
    if (spec.onErrorOutput !== undefined) child.stderr?.setEncoding('utf8').on('data', spec.onErrorOutput)
    // Reported through 'exit' or by the readiness check; without a listener it would end this process.
    child.on('error', () => {})
    this.#started.push({ child, spec })
    return child
  }

  #roots(): RootProcess[] {
    return this.#started.flatMap(({ child, spec }) =>
      child.pid === undefined || child.exitCode !== null || child.signalCode !== null
        ? []
        : [{ pid: child.pid, role: spec.role, childRole: spec.childRole ?? spec.role }],
    )
  }
}

/** A process this group started itself. */
export interface RootProcess {
  readonly pid: number
  readonly role: string
  readonly childRole: string
}

/** The group's members in a process table: the roots, their descendants, and every other process that carries the mark. */
export function membersOf(roots: readonly RootProcess[], table: readonly ProcessEntry[]): Member[] {
  const roles = new Map<number, string>()
  const descend = (pid: number, role: string): void => {
    for (const entry of table) {
      if (entry.parent !== pid || roles.has(entry.pid)) continue
      roles.set(entry.pid, role)
      descend(entry.pid, role)
    }
  }
  for (const root of roots) roles.set(root.pid, root.role)
  for (const root of roots) descend(root.pid, root.childRole)
  for (const entry of table) {
    if (entry.marked && !roles.has(entry.pid)) roles.set(entry.pid, roots[0]?.childRole ?? 'left over')
  }
  return [...roles].map(([pid, role]) => ({ pid, role }))
}

/** CPU time of each member now; `undefined` when one of them is gone. */
export function readMembersCpu(members: readonly Member[]): ProcessCpu[] | undefined {
  const times: ProcessCpu[] = []
  for (const member of members) {
    const cpu = readProcessCpu(member.pid)
    if (cpu === undefined) return undefined
    times.push(cpu)
  }
  return times
}

function readProcessTable(mark: string): ProcessEntry[] {
  const table: ProcessEntry[] = []
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    const stat = readOrEmpty(`/proc/${name}/stat`)
    // A zombie only waits to be collected: it uses no CPU and can't be stopped.
    if (stat === '' || stat.includes(') Z ')) continue
    const marked = readOrEmpty(`/proc/${name}/environ`).split('\0').includes(mark)
    table.push({ pid, parent: parseParent(stat), marked })
  }
  return table
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // It ended meanwhile, or belongs to another user and so not to us.
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended by itself.
  }
}
