import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { capture, type LoadGenerator, type LoadResult } from '@httpsys/core/measure'

/** Requests that each connection has under way. */
const STREAMS = 10

/** nghttp2's h2load: HTTP/2 over TLS, each connection with ten streams that ask all paths in turn. */
export const h2load: LoadGenerator = {
  name: 'h2load',
  run: async ({ port, tls, requests, connections, seconds, cpu }) => {
    const directory = mkdtempSync(join(tmpdir(), 'httpsys-load-'))
    try {
      const log = join(directory, 'times')
      const base = `${tls === true ? 'https' : 'http'}://127.0.0.1:${port}`
      const urls = requests.map(({ path }) => `${base}${path}`)
      const settings = ['-D', String(seconds), '-c', String(connections), '-m', String(STREAMS), `--log-file=${log}`]
      return parseH2load(await capture(cpu, ['h2load', ...settings, ...urls]), readFileSync(log, 'utf8'), seconds)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  },
}

/** Whether h2load is installed. */
export function isH2loadInstalled(): boolean {
  return spawnSync('h2load', ['--version']).error === undefined
}

/**
 * Reads what h2load has printed, and its log: a line for each request, with its beginning, its status and its microseconds.
 *
 * @throws Error with h2load's output when there is no result in it
 */
export function parseH2load(output: string, log: string, seconds: number): LoadResult {
  const counts = /(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(output)
  const bytes = /^traffic: .*?\((\d+)\) total/m.exec(output)?.[1]
  if (counts === null || bytes === undefined) throw new Error(`h2load gave no result: ${output.trim() || 'no output'}`)
  const lines = log.split('\n').filter((line) => line !== '')
  const times = Float64Array.from(lines, (line) => Number(line.split('\t')[2]) / 1e3).toSorted()
  const percentile = (part: number): number => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0
  return {
    requests: Number(counts[2]),
    bytes: Number(bytes),
    seconds,
    p50: percentile(0.5),
    p99: percentile(0.99),
    p999: percentile(0.999),
    badStatuses: lines.filter((line) => !line.split('\t')[1]!.startsWith('2')).length,
    socketErrors: Number(counts[4]) + Number(counts[5]),
  }
}
