import { isWrkInstalled, loadFailure, wrkLoad } from '@httpsys/core/measure'
import { HttpClient, PipeliningClient } from './clients.ts'
import { FastClient } from './fast-client.ts'
import { FAULTS } from './faults.ts'
import type { Scene } from './faults.ts'
import { startLoad, times } from './load.ts'
import type { Kind } from './load.ts'

const FAST_CONNECTIONS = 32
/** Uploads, and requests behind each other. */
const OTHERS: readonly Kind[] = [
  ...times(6, (ground) => new HttpClient(ground)),
  ...times(2, (ground) => new PipeliningClient(ground)),
]
/** wrk's own is 2 s: a start may take longer on a machine that does other things beside. */
const WRK_TIMEOUT_SECONDS = 20

/** How long, and under what load. */
export interface RestartOptions {
  readonly seconds: number
  readonly seed: number
  /** Small requests a second at most; undefined: as many as wrk, where it is installed, can make. */
  readonly rate: number | undefined
}

/**
 * Replaces the owners one after the other, again and again: those that got SIGTERM by ones that wait for their prefix, and running ones by
 * a take-over. Nothing excuses a request that fails.
 *
 * @returns whether none has
 */
export async function runRestarts(scene: Scene, { seconds, seed, rate }: RestartOptions): Promise<boolean> {
  const { site, journal, prefixes } = scene
  const pauseMs = rate === undefined ? 0 : (FAST_CONNECTIONS / rate) * 1000
  const isForWrk = rate === undefined && isWrkInstalled()
  const fast = isForWrk ? [] : times(FAST_CONNECTIONS, (ground) => new FastClient(ground, pauseMs))
  const checked = startLoad(site.port, seed, journal, [...fast, ...OTHERS])
  const wrk = isForWrk ? runWrk(site.port, prefixes, seconds) : undefined
  const end = performance.now() + seconds * 1000
  let restarts = 0
  for (let round = 0; performance.now() < end; round++) {
    const fault = FAULTS[round % 2 === 0 ? 'owner retired' : 'owner taken over']!
    for (const prefix of prefixes) {
      if (performance.now() >= end) break
      await fault({ ...scene, prefixes: [prefix] })
      restarts++
    }
  }
  await checked.stop()
  console.log(`${restarts} owners replaced in ${seconds} s`)
  return (await wrk) ?? true
}

async function runWrk(port: number, prefixes: readonly string[], seconds: number): Promise<boolean> {
  const requests = prefixes.map((prefix) => ({ method: 'GET', path: `${prefix}?number=1&size=100` }))
  const connections = FAST_CONNECTIONS
  const target = { port, requests, connections, seconds, timeoutSeconds: WRK_TIMEOUT_SECONDS, cpu: undefined }
  const result = await wrkLoad.run(target)
  const failure = loadFailure(result)
  const speed = Math.round(result.requests / result.seconds)
  console.log(`wrk: ${result.requests} requests (${speed}/s), p99 ${result.p99} ms, ${failure ?? 'none failed'}`)
  return failure === undefined
}
