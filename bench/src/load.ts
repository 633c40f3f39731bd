import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { pinned } from './pinning.ts'

/** What to ask for, and how hard. */
export interface LoadTarget {
  readonly port: number
  /** Each connection cycles through these. */
  readonly paths: readonly string[]
  readonly connections: number
  readonly seconds: number
  /** The CPU the load generator is held on; `undefined` leaves it free. */
  readonly cpu: number | undefined
}

/** What came back. */
export interface LoadResult {
  /** Responses received completely. */
  readonly requests: number
  readonly seconds: number
  /** Milliseconds. */
  readonly p50: number
  /** Milliseconds. */
  readonly p99: number
  readonly badStatuses: number
  readonly socketErrors: number
}

/** A program that makes load. */
export interface LoadGenerator {
  readonly name: 'wrk' | 'autocannon'
  /** Why it isn't the preferred one. */
  readonly note?: string
  run(target: LoadTarget): Promise<LoadResult>
}

/** wrk when it is installed, else autocannon from npm. */
export function chooseLoadGenerator(): LoadGenerator {
  // wrk prints its version and fails for want of a URL: that it started at all is what counts.
  if (spawnSync('wrk', ['--version']).error === undefined) return { name: 'wrk', run: runWrk }
  return {
    name: 'autocannon',
    note: 'wrk is not installed: autocannon makes the load. It is slower than the servers, so batches are smaller and every µs/request is higher than with wrk',
    run: runAutocannon,
  }
}

async function runWrk(target: LoadTarget): Promise<LoadResult> {
  const script = fileURLToPath(new URL('../load/cycle.lua', import.meta.url))
  const command = ['wrk', '-t', '1', '-c', String(target.connections), '-d', `${target.seconds}s`, '-s', script]
  return parseWrk(await capture(target.cpu, [...command, `http://127.0.0.1:${target.port}/`, '--', ...target.paths]))
}

async function runAutocannon(target: LoadTarget): Promise<LoadResult> {
  const script = fileURLToPath(new URL('./autocannon-load.js', import.meta.url))
  const { port, paths, connections, seconds } = target
  const output = await capture(target.cpu, [
    process.execPath,
    script,
    JSON.stringify({ port, paths, connections, seconds }),
  ])
  return parseAutocannon(output)
}

/**
 * Reads the line that `load/cycle.lua` prints at the end.
 *
 * @throws Error with wrk's output when the line isn't there.
 */
export function parseWrk(output: string): LoadResult {
  const line = /^bench (.*)$/m.exec(output)?.[1]
  if (line === undefined) throw new Error(`wrk gave no result: ${output.trim() || 'no output'}`)
  const values = new Map(line.split(' ').map((pair) => [pair.split('=')[0], Number(pair.split('=')[1])]))
  const value = (key: string): number => {
    const number = values.get(key)
    if (number === undefined || Number.isNaN(number)) throw new Error(`wrk's result has no ${key}: ${line}`)
    return number
  }
  return {
    requests: value('requests'),
    seconds: value('microseconds') / 1e6,
    p50: value('p50') / 1e3,
    p99: value('p99') / 1e3,
    badStatuses: value('status'),
    socketErrors: value('connect') + value('read') + value('write') + value('timeout'),
  }
}

/**
 * Reads the JSON that `autocannon-load.ts` prints.
 *
 * @throws Error with the output when it is something else.
 */
export function parseAutocannon(output: string): LoadResult {
  try {
    const result = JSON.parse(output) as LoadResult
    if (typeof result.requests === 'number' && typeof result.socketErrors === 'number') return result
  } catch {
    // Falls through to the same message.
  }
  throw new Error(`autocannon gave no result: ${output.trim() || 'no output'}`)
}

/** What went wrong during the load, in words; `undefined` when nothing did. */
export function loadFailure(result: LoadResult): string | undefined {
  const problems: string[] = []
  if (result.badStatuses > 0) problems.push(`${result.badStatuses} responses with a bad status`)
  if (result.socketErrors > 0) problems.push(`${result.socketErrors} socket errors or time-outs`)
  if (result.requests === 0) problems.push('no response at all')
  return problems.length > 0 ? problems.join(', ') : undefined
}

function capture(cpu: number | undefined, command: readonly string[]): Promise<string> {
  const [program, ...args] = pinned(cpu, command)
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.on('error', reject)
    child.on('close', () => resolve(output))
  })
}
