import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { builtInLoad, isWrkInstalled, loadFailure, wrkLoad } from '../load/http-load.ts'
import { choosePinning } from '../pinning.ts'
import { ProcessGroup } from '../processes.ts'
import { cpuUnderLoad, takeReadings } from '../readings.ts'
import { rotate } from '../statistics.ts'
import type { MeasuredApp, Way } from './ways.ts'

const ANSWER_TIMEOUT_MS = 15_000
const POLL_MS = 50

/** How long, and how often. */
export interface MeasureSettings {
  readonly rounds: number
  readonly seconds: number
  readonly warmup: number
}

/** One measurement of one way. */
export interface AppFigures {
  /** CPU of all server processes for one request. */
  readonly microseconds: number
  /** Milliseconds. */
  readonly p50: number
  /** Milliseconds. */
  readonly p99: number
  /** CPUs' worth of other programs' work. */
  readonly foreignLoad: number
}

/** By way: a measurement per round, or why there is none. */
export type AppResults = ReadonlyMap<Way, readonly AppFigures[] | string>

const running = new Map<ProcessGroup, string>()

/** Clears away what an interrupted measurement has left. */
export function clearMeasurements(): void {
  for (const [group, directory] of running) {
    group.killNow()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Measures all ways in turn, round after round, so that a noisy minute meets all of them. A way that fails once is left out. */
export async function measureApp(
  app: MeasuredApp,
  ways: readonly Way[],
  settings: MeasureSettings,
  say: (line: string) => void,
): Promise<AppResults> {
  const results = new Map<Way, AppFigures[] | string>(ways.map((way) => [way, []]))
  for (let round = 1; round <= settings.rounds; round++) {
    for (const way of rotate(ways, round - 1)) {
      const before = results.get(way)
      if (before === undefined || typeof before === 'string') continue
      try {
        // oxlint-disable-next-line no-await-in-loop -- one at a time is the point
        before.push(await measureOnce(app, way, settings))
        say(`round ${round}  ${way.name.padEnd(10)}  ${before.at(-1)!.microseconds.toFixed(1)} µs CPU per request`)
      } catch (error) {
        results.set(way, (error as Error).message)
        say(`round ${round}  ${way.name.padEnd(10)}  failed: ${(error as Error).message}`)
      }
    }
  }
  return results
}

async function measureOnce(app: MeasuredApp, way: Way, { seconds, warmup }: MeasureSettings): Promise<AppFigures> {
  const { pinning } = choosePinning()
  const directory = mkdtempSync(join(tmpdir(), 'httpsys-measure-'))
  const group = new ProcessGroup(pinning?.serverCpu, ['HTTPSYS_RUNTIME_DIR', directory])
  running.set(group, directory)
  try {
    const { port, paths } = await way.start(app, group, directory)
    for (const path of paths) {
      // oxlint-disable-next-line no-await-in-loop -- each must answer before anything counts
      await answers(port, path)
    }
    const load = isWrkInstalled() ? wrkLoad : builtInLoad
    const requests = paths.map((path) => ({ method: 'GET', path }))
    const target = { port, requests, connections: app.connections, cpu: pinning?.loadCpu }
    if (warmup > 0) await load.run({ ...target, seconds: warmup })
    const members = group.members()
    const before = takeReadings(members)
    const result = await load.run({ ...target, seconds })
    const use = cpuUnderLoad(members, before, takeReadings(members))
    const failure = loadFailure(result)
    if (failure !== undefined) throw new Error(failure)
    const { p50, p99 } = result
    return { microseconds: use.nanoseconds / 1e3 / result.requests, p50, p99, foreignLoad: use.foreignLoad }
  } finally {
    await group.stop()
    running.delete(group)
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Waits until a path is answered with success: a copy that has not claimed its prefix yet is answered for by the broker. */
async function answers(port: number, path: string): Promise<void> {
  const deadline = Date.now() + ANSWER_TIMEOUT_MS
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- again until it answers
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { redirect: 'manual' })
    // oxlint-disable-next-line no-await-in-loop -- the connection is free for the next one
    await response.arrayBuffer()
    if (response.status < 400) return
    if (Date.now() > deadline) throw new Error(`${path} answers ${response.status}; --path names one that succeeds`)
    // oxlint-disable-next-line no-await-in-loop -- as above
    await delay(POLL_MS)
  }
}
