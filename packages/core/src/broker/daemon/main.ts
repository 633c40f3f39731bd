import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isBroken } from '../../base/url-prefix-syntax.ts'
import { NetEngine } from '../engine/net/net-engine.ts'
import { EstateFile, readEstate } from '../rendezvous/estate.ts'
import { publish } from '../rendezvous/generations.ts'
import { runtimeDirectory } from '../rendezvous/runtime-directory.ts'
import { clearStartMark } from '../rendezvous/start-mark.ts'
import { Broker } from './broker.ts'
import { announceReady, inheritedDescriptors, startSuccessor } from './successor.ts'
import { readServerLimits } from './server-limits.ts'
import type { ServerLimits } from './server-limits.ts'

/** How long a broker that nobody asked for by hand stays without any owner process; milliseconds. */
const IDLE_EXIT_MS = readMilliseconds('HTTPSYS_BROKER_IDLE_EXIT', 10_000)

/** The daemon that the first listening process starts: serves until no owner has been connected for a while. */
async function main(): Promise<void> {
  const directory = runtimeDirectory()
  // A directory of its own, so that nobody can connect before the socket is published.
  const nursery = await mkdtemp(join(directory, '.s'))
  let timer: NodeJS.Timeout | undefined
  const leaveWhenIdle = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      if (broker.isIdle) leave()
    }, IDLE_EXIT_MS)
  }
  let hasSuccessor = false
  const file = new EstateFile(directory, () => broker.estate)
  const leave = (): void => {
    void broker.close().then(() => {
      if (!hasSuccessor) file.write()
      process.exit(0)
    })
  }
  const privatePath = join(nursery, 's')
  const broker: Broker = await Broker.start({
    engine: new NetEngine(),
    socketPath: privatePath,
    limits: readLimits(),
    onIdle: leaveWhenIdle,
    onClaimsChanged: () => {
      // The file is the successor's.
      if (!hasSuccessor) file.touch()
    },
    onUpgrade: async (payload) => {
      file.write()
      const pid = await startSuccessor(payload, broker.descriptors)
      hasSuccessor = true
      void broker.leave().then(() => process.exit(0))
      return pid
    },
    onViolation: (pid, error) =>
      console.error(`${new Date().toISOString()} process ${pid} was cut off: ${String(error)}`),
  })
  broker.inherit(readEstate(directory))
  const inherited = inheritedDescriptors()
  // The kernel hands clients to both brokers from here on; their requests wait for the owners.
  if (inherited !== undefined) await broker.openInheritedPorts(inherited)
  const path = await publish(directory, privatePath, inherited !== undefined)
  await rm(nursery, { recursive: true, force: true })
  clearStartMark(directory)
  if (path === undefined) process.exit(0)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, leave)
  }
  // The terminal that the first owner ran in may close.
  process.on('SIGHUP', () => {})
  if (inherited === undefined) await broker.openInheritedPorts([])
  else announceReady()
}

function readLimits(): Partial<ServerLimits> {
  const limits = readServerLimits(process.env)
  if (!isBroken(limits)) return limits
  console.error(`${limits.reason}: using HTTP.SYS's limits. ${limits.remedy}.`)
  return {}
}

/** A wrong value must not keep the apps from listening: it is noted, and the default used. */
function readMilliseconds(name: string, otherwise: number): number {
  const text = process.env[name]
  if (!text) return otherwise
  if (/^\d{1,9}$/.test(text)) return Number(text)
  console.error(`${name} is "${text}", not a number of milliseconds: using ${otherwise}`)
  return otherwise
}

await main()
