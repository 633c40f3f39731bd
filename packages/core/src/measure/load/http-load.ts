import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pinned } from '../pinning.ts'
import type { HttpRequest } from './http-request.ts'
import { parseWrk, wrkScript } from './wrk.ts'

export type { HttpRequest } from './http-request.ts'

/** What to ask for, and how hard. */
export interface HttpTarget {
  readonly port: number
  readonly tls?: boolean
  /** Each connection meets all of them. */
  readonly requests: readonly HttpRequest[]
  readonly connections: number
  readonly seconds: number
  /**
   * Requests a second, sent when they are due whether or not earlier ones have been answered; latencies count from that moment.
   *
   * @defaultValue as many as come: each connection asks again when it has its answer
   */
  readonly rate?: number
  /** wrk's patience with one request; its own is 2. */
  readonly timeoutSeconds?: number
  /** The CPU the load generator is held on; `undefined` leaves it free. */
  readonly cpu: number | undefined
}

/** What came back. */
export interface LoadResult {
  /** Responses received completely. */
  readonly requests: number
  /** Bytes received, heads included. */
  readonly bytes: number
  readonly seconds: number
  /** Milliseconds. */
  readonly p50: number
  /** Milliseconds. */
  readonly p99: number
  /** Milliseconds. */
  readonly p999: number
  /** Responses with a status of 400 or more. */
  readonly badStatuses: number
  /** Connections that failed, and requests without an answer. */
  readonly socketErrors: number
}

/** A program that makes load. */
export interface LoadGenerator {
  readonly name: string
  run(target: HttpTarget): Promise<LoadResult>
}

/** This package's own load generator: slower than wrk, and the only one that keeps to a rate. */
export const builtInLoad: LoadGenerator = { name: 'built-in', run: runBuiltIn }

/** wrk, which needs a third of the CPU. */
export const wrkLoad: LoadGenerator = { name: 'wrk', run: runWrk }

/** Whether wrk is installed. */
export function isWrkInstalled(): boolean {
  // It prints its version and fails for want of a URL: that it started at all is what counts.
  return spawnSync('wrk', ['--version']).error === undefined
}

async function runWrk(target: HttpTarget): Promise<LoadResult> {
  if (target.rate !== undefined) throw new RangeError('wrk keeps to no rate')
  const directory = mkdtempSync(join(tmpdir(), 'httpsys-load-'))
  try {
    const script = join(directory, 'requests.lua')
    const host = `127.0.0.1:${target.port}`
    writeFileSync(script, wrkScript(target.requests, host))
    const command = ['wrk', '-t', '1', '-c', String(target.connections), '-d', `${target.seconds}s`, '-s', script]
    if (target.timeoutSeconds !== undefined) command.push('--timeout', `${target.timeoutSeconds}s`)
    return parseWrk(await capture(target.cpu, [...command, `${target.tls === true ? 'https' : 'http'}://${host}/`]))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function runBuiltIn(target: HttpTarget): Promise<LoadResult> {
  const program = fileURLToPath(new URL('./load-client.js', import.meta.url))
  return parseLoadResult(await capture(target.cpu, [process.execPath, program], JSON.stringify(target)))
}

/**
 * Reads the JSON that a load program prints.
 *
 * @throws Error with the output when it is something else
 */
export function parseLoadResult(output: string): LoadResult {
  try {
    const result = JSON.parse(output) as LoadResult
    if (typeof result.requests === 'number' && typeof result.socketErrors === 'number') return result
  } catch {
    // Falls through to the same message.
  }
  throw new Error(`The load generator gave no result: ${output.trim() || 'no output'}`)
}

/** What went wrong during the load, in words; `undefined` when nothing did. */
export function loadFailure(result: LoadResult): string | undefined {
  const problems: string[] = []
  if (result.badStatuses > 0) problems.push(`${result.badStatuses} responses with a bad status`)
  if (result.socketErrors > 0) problems.push(`${result.socketErrors} socket errors or time-outs`)
  if (result.requests === 0) problems.push('no response at all')
  return problems.length > 0 ? problems.join(', ') : undefined
}

/** Runs a load program to its end, held on a CPU, and returns what it printed. */
export function capture(cpu: number | undefined, command: readonly string[], input = ''): Promise<string> {
  const [program, ...args] = pinned(cpu, command)
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.on('error', reject)
    child.on('close', () => resolve(output))
    // A program that ends without reading is reported by what it printed.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}
