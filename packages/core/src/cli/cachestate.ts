import { parseArgs } from 'node:util'
import type { CacheState, CacheStatus, CachedResponseStatus } from '../broker/protocol/status.ts'
import { table } from './table.ts'

/** Asks the broker; undefined when none runs. */
export type AskCache = (url: string, isDeleted: boolean) => Promise<CacheState | undefined>

/**
 * `httpsys show cachestate` and `httpsys delete cache`: what the response cache holds, and what it is to forget, in netsh's words.
 *
 * @throws TypeError for arguments that are unknown, HttpSysError `EACCES`, `EINVAL`
 */
export async function cachestate(args: string[], ask: AskCache): Promise<void> {
  const { url, isJson } = readArguments(args)
  const state = await ask(url, false)
  if (isJson) process.stdout.write(`${JSON.stringify(state ?? null, null, 2)}\n`)
  else process.stdout.write(state === undefined ? 'no broker runs\n' : describe(state))
}

/** @throws TypeError for arguments that are unknown, HttpSysError `EACCES`, `EINVAL` */
export async function deleteCache(args: string[], ask: AskCache): Promise<void> {
  const { url } = readArguments(args)
  const state = await ask(url, true)
  process.stdout.write(state === undefined ? 'no broker runs\n' : `${counted(state.total)} forgotten\n`)
}

function readArguments(args: string[]): { url: string; isJson: boolean } {
  const { values, positionals } = parseArgs({ args, options: { json: { type: 'boolean' } }, allowPositionals: true })
  let url = ''
  for (const positional of positionals) {
    const match = /^url=(.+)$/i.exec(positional)
    if (match === null) throw new TypeError(`httpsys: there is no argument "${positional}" here; write url=URL`)
    url = match[1]!
  }
  return { url, isJson: values.json === true }
}

function describe({ cache, total, responses }: CacheState): string {
  const rows = [['URL', 'STATUS', 'BYTES', 'AGE', 'LEFT', 'HITS', 'VARIES WITH', 'PROCESS'], ...responses.map(rowOf)]
  const rest = total > responses.length ? [`and ${total - responses.length} more`] : []
  return `${[summary(cache), '', ...table(rows), ...rest].join('\n')}\n`
}

/** The cache in one line. */
export function summary({ responses, bytes, maxBytes, hits, misses, waits, evicted, flushed }: CacheStatus): string {
  const size = `${counted(responses)} in ${bytes} of ${maxBytes} bytes`
  return `cache: ${size}, ${hits} hits, ${misses} misses, ${waits} waits, ${evicted} evicted, ${flushed} flushed`
}

function rowOf({ url, status, bytes, age, timeToLive, hits, vary, pid }: CachedResponseStatus): string[] {
  const left = timeToLive === null ? 'until flushed' : `${timeToLive} s`
  return [url, String(status), String(bytes), `${age} s`, left, String(hits), vary.join(' '), String(pid)]
}

function counted(responses: number): string {
  return responses === 1 ? '1 response' : `${responses} responses`
}
