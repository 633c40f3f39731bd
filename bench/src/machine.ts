import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { UsageError } from './options.ts'

/** What a reader needs to judge the numbers. */
export interface MachineFacts {
  readonly cpu: string
  readonly cores: number
  /** GiB. */
  readonly memory: number
  readonly os: string
  readonly kernel: string
  /** Version of the servers' node. */
  readonly node: string
  /** Commit of the working tree, with `+changes` when it has uncommitted ones; `unknown` outside of a repository. */
  readonly commit: string
  /** Versions of the programs that are measured or measure. */
  readonly nginx: string
  readonly haproxy: string
  readonly wrk: string
}

/**
 * Collects the facts.
 *
 * @throws UsageError when the node binary can't be run.
 */
export function machineFacts(node: string): MachineFacts {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memory: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    os: osName(),
    kernel: `${type()} ${release()}`,
    node: nodeVersion(node),
    commit: commit(),
    nginx: output('nginx', ['-v'])?.replace(/^.*nginx\//s, '') ?? 'not installed',
    haproxy: /version (\S+)/.exec(output('haproxy', ['-v']) ?? '')?.[1] ?? 'not installed',
    // wrk fails for want of a URL when it is asked for its version.
    wrk: /^wrk (\S+)/m.exec(printed('wrk', ['--version']))?.[1] ?? 'not installed',
  }
}

/** The command line with directories of this machine left out, for the results file. */
export function commandLine(args: readonly string[]): string {
  const shown = args.map((arg) => arg.replace(/^(--\w+=)?\/.*\/(?=[^/])/, '$1…/'))
  return ['npm run bench --', ...shown].join(' ')
}

function nodeVersion(node: string): string {
  const version = output(node, ['--version'])
  if (version === undefined || !/^v\d/.test(version))
    throw new UsageError(`--node ${node} is not a node binary that runs here`)
  return version
}

function commit(): string {
  const head = output('git', ['rev-parse', '--short=12', 'HEAD'])
  if (head === undefined) return 'unknown'
  return output('git', ['status', '--porcelain']) === '' ? head : `${head}+changes`
}

function osName(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? type()
  } catch {
    return type()
  }
}

function printed(program: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  return `${stdout ?? ''}${stderr ?? ''}`
}

function output(program: string, args: readonly string[]): string | undefined {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  return status === 0 ? (stdout + stderr).trim() : undefined
}
