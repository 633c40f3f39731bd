import { setTimeout as delay } from 'node:timers/promises'
import { cpuBetween, readProcessMemory, takeReadings } from '@httpsys/core/measure'
import { openIdleConnections } from '../loads/idle.ts'
import { httpsys, httpsysNet } from '../peers/httpsys.ts'
import { nginx } from '../peers/nginx.ts'
import { node } from '../peers/node.ts'
import type { Peer } from '../peers/peer.ts'
import type { Figures, Launch, Scenario } from '../scenario.ts'
import { verifyOwners } from '../verify.ts'

const CONNECTIONS = 10_000
const KIBIBYTE = 1024
/** For garbage collectors to have done what they do. */
const REST_MS = 3_000

/** What a connection costs that does nothing. */
export const idle: Scenario = {
  name: 'idle',
  title: '10,000 idle keep-alive connections',
  about:
    'Each has asked once. Memory is what the processes have more of than before, shared pages counted in parts; what the kernel keeps for a socket is the same for all and not in it.',
  metrics: [
    { key: 'memory', title: 'KiB/connection', digits: 2, better: 'less' },
    { key: 'before', title: 'MiB before', digits: 0, better: 'neither' },
    { key: 'cpu', title: 'idle CPU ms/s', digits: 1, better: 'less' },
  ],
  references: ['node', 'nginx'],
  variants: [node, httpsys, httpsysNet, nginx].map((peer) => ({
    name: peer.name,
    title: peer.title('hello'),
    unavailable: () => peer.unavailable(),
    isFresh: true,
    start: async (launch) => () => measureIdle(launch, peer),
  })),
}

async function measureIdle(launch: Launch, peer: Peer): Promise<Figures> {
  const { conditions, group } = launch
  const port = await peer.start(launch, 'hello', {})
  await verifyOwners(port, peer.routes ? conditions.owners : [])
  const count = conditions.isSmoke ? 100 : CONNECTIONS
  const paths = conditions.owners.map((owner) => `/${owner}/`)
  const loadCpu = conditions.pinning?.loadCpu
  // Code that is compiled and heaps that grow with the first requests are no cost of a connection.
  const warm = await openIdleConnections(port, paths, Math.min(count, 1_000), loadCpu)
  await warm.close()
  const restMs = conditions.isSmoke ? 0 : REST_MS
  await delay(restMs)

  const before = memoryOf(launch)
  const connections = await openIdleConnections(port, paths, count, loadCpu)
  await delay(restMs)
  const members = group.members()
  const from = takeReadings(members)
  await delay(Math.max(500, conditions.seconds * 1e3))
  const use = cpuBetween(members, from, takeReadings(members))
  const after = memoryOf(launch)
  await connections.close()

  const roles: Record<string, number> = {}
  for (const [role, bytes] of Object.entries(after)) roles[role] = (bytes - (before[role] ?? 0)) / KIBIBYTE / count
  return {
    values: {
      memory: sum(roles),
      before: sum(before) / KIBIBYTE ** 2,
      cpu: use.nanoseconds / 1e6 / Math.max(0.5, conditions.seconds),
    },
    roles,
    foreignLoad: use.foreignLoad,
  }
}

function memoryOf({ group }: Launch): Record<string, number> {
  const roles: Record<string, number> = {}
  for (const { pid, role } of group.members()) roles[role] = (roles[role] ?? 0) + readProcessMemory(pid)
  return roles
}

function sum(roles: Readonly<Record<string, number>>): number {
  return Object.values(roles).reduce((total, value) => total + value, 0)
}
