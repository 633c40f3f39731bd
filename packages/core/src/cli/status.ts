import { parseArgs } from 'node:util'
import { summary } from './cachestate.ts'
import { table } from './table.ts'
import type { BrokerStatus, QueueStatus } from '../broker/protocol/status.ts'

/**
 * `httpsys status`: prints what the broker is doing, as a table or as JSON.
 *
 * @param query - asks the broker; undefined when none runs
 * @throws TypeError for unknown options
 */
export async function status(args: string[], query: () => Promise<BrokerStatus | undefined>): Promise<void> {
  const { values } = parseArgs({ args, options: { json: { type: 'boolean' } } })
  const found = await query()
  if (values.json === true) process.stdout.write(`${JSON.stringify(found ?? null, null, 2)}\n`)
  else process.stdout.write(found === undefined ? 'no broker runs\n' : describe(found))
}

function describe({
  pid,
  version,
  node,
  engine,
  engineNote,
  uptime,
  ports,
  queues,
  connections,
  threads,
  cache,
  reasons,
}: BrokerStatus): string {
  const lines = [
    `broker ${version}, process ${pid}, ${engine} engine${inThreads(threads.length)} on Node ${node}, up ${uptime} s, ${connections} connections`,
    ...(engineNote === undefined ? [] : [`slower than it could be: ${engineNote}`]),
    ...ports.map(({ port, addresses }) => `port ${port} on ${addresses.join(', ')}`),
    '',
    ...table([['PREFIX', 'OWNERS', 'REQUESTS', 'CACHED', 'WAITING', 'CONNECTIONS'], ...queues.map(rowOf)]),
  ]
  if (cache.stored > 0) lines.push('', summary(cache))
  const counted = Object.entries(reasons)
  if (counted.length > 0) {
    lines.push(
      '',
      ...table([['ANSWERED OR ENDED BY THE BROKER', 'TIMES'], ...counted.map(([name, n]) => [name, String(n)])]),
    )
  }
  return `${lines.join('\n')}\n`
}

function rowOf({ prefix, state, owners, requests, cacheHits, waiting, connections }: QueueStatus): string[] {
  const pids = owners.map(({ pid }) => pid).join(' ')
  const counts = [requests, cacheHits, waiting, connections].map(String)
  return [prefix, state === 'orphaned' ? 'none now' : pids, ...counts]
}

function inThreads(count: number): string {
  return count === 1 ? '' : ` in ${count} threads`
}
