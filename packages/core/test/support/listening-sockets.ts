import { readFileSync } from 'node:fs'

/** How many sockets of IPv4 (`tcp`) and of IPv6 (`tcp6`) listen on a port; those of `::` are of the latter, whatever else they serve. */
export function listeningSockets(port: number): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const file of ['tcp', 'tcp6']) {
    for (const line of readFileSync(`/proc/net/${file}`, 'latin1').split('\n')) {
      const [, local = '', , state] = line.trim().split(/\s+/)
      if (state !== '0A' || Number.parseInt(local.split(':')[1]!, 16) !== port) continue
      counts[file] = (counts[file] ?? 0) + 1
    }
  }
  return counts
}
