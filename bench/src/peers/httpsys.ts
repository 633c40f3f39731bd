import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '@httpsys/core/measure'
import type { Launch } from '../scenario.ts'
import { certificate } from './certificate.ts'
import { eight, type Peer, serverCommand } from './peer.ts'

const BROKERS_TIMEOUT_MS = 10_000
const POLL_MS = 20

/** Eight owners on one port, and the broker that the first of them starts. */
export const httpsys: Peer = shared('httpsys', 'httpsys', {})

/** The same with the engine that works everywhere. */
export const httpsysNet: Peer = shared('httpsys-net', 'httpsys (net engine)', { HTTPSYS_ENGINE: 'net' })

/** The same with frames between broker and owners in shared memory instead of over the local socket. */
export const httpsysRings: Peer = shared('httpsys-rings', 'httpsys (rings)', { HTTPSYS_DELIVERY: 'rings' })

function shared(name: string, title: string, engine: NodeJS.ProcessEnv): Peer {
  return {
    name,
    title: (app) => `${title}, ${eight(app)}`,
    routes: true,
    unavailable: () => undefined,
    /** All owners at once, in no order: the first that finds no broker starts it. */
    start: async (launch, app, { cache, tls }) => {
      const port = await freePort()
      if (tls === true) certify(launch, port)
      const env = {
        ...engine,
        HTTPSYS_BASE: `${tls === true ? 'https' : 'http'}://127.0.0.1:${port}`,
        ...(cache === true ? { HTTPSYS_RESPONSE_CACHE: '1' } : {}),
      }
      await Promise.all(
        launch.conditions.owners.map((owner) => {
          const command = serverCommand(launch, 'serve', app, 'prefix', String(owner))
          return launch.group.startReady({ role: 'owners', childRole: 'broker', command, env })
        }),
      )
      await oneBrokerIsLeft(launch)
      return port
    },
  }
}

/** Gives the port a certificate, where the broker of the launch looks for it. */
function certify({ directory }: Launch, port: number): void {
  const { certificate: cert, key } = certificate(directory)
  const entry = { ipport: `127.0.0.1:${port}`, cert, key, clientcertnegotiation: 'none' }
  writeFileSync(join(directory, 'sslcert.json'), JSON.stringify([entry]), { mode: 0o600 })
  chmodSync(key, 0o600)
}

/** Owners that start at the same moment may start several brokers, of which all but one leave again. */
async function oneBrokerIsLeft({ group }: Launch): Promise<void> {
  const deadline = Date.now() + BROKERS_TIMEOUT_MS
  for (;;) {
    const brokers = group.members().filter(({ role }) => role === 'broker')
    if (brokers.length === 1) return
    if (Date.now() > deadline) throw new Error(`There are ${brokers.length} brokers`)
    await delay(POLL_MS)
  }
}
