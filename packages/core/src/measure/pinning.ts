import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Which CPU the servers and which the load generator is held on. */
export interface Pinning {
  readonly serverCpu: number
  readonly loadCpu: number
}

/** Either the pinning or the reason why there is none. */
export type PinningChoice = { readonly pinning: Pinning } | { readonly pinning: undefined; readonly reason: string }

/**
 * Takes the first two CPUs this process may run on. Servers that share their CPU with the load generator would be
 * measured with its cache misses and with smaller batches than they see in real life.
 */
export function choosePinning(): PinningChoice {
  if (spawnSync('taskset', ['--version']).error !== undefined) return none('taskset is not installed')
  const [serverCpu, loadCpu] = allowedCpus(readFileSync('/proc/self/status', 'utf8'))
  if (serverCpu === undefined || loadCpu === undefined) return none('there is only one CPU')
  return { pinning: { serverCpu, loadCpu } }
}

/** The command with `taskset` in front; `taskset` replaces itself, so the pid stays that of the command. */
export function pinned(cpu: number | undefined, command: readonly string[]): [string, ...string[]] {
  const [program, ...args] = cpu === undefined ? command : ['taskset', '-c', String(cpu), ...command]
  if (program === undefined) throw new Error('An empty command')
  return [program, ...args]
}

/** CPU numbers of the `Cpus_allowed_list` line of `/proc/PID/status`, which reads like `0-1,4`. */
export function allowedCpus(status: string): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? ''
  const cpus: number[] = []
  for (const range of list.split(',')) {
    const [first, last] = range.split('-').map(Number)
    if (range === '' || first === undefined) continue
    for (let cpu = first; cpu <= (last ?? first); cpu++) cpus.push(cpu)
  }
  return cpus
}

function none(reason: string): PinningChoice {
  return { pinning: undefined, reason }
}
