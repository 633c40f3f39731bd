import { APPS } from '../apps/app.ts'
import { eight, type Peer, serverCommand, startOwners } from './peer.ts'

/** http-proxy, which most proxies written for Node build upon. */
export const httpProxy: Peer = npmProxy('http-proxy', 'http-proxy')

/** @fastify/http-proxy, on undici. */
export const fastifyProxy: Peer = npmProxy('fastify-proxy', '@fastify/http-proxy')

function npmProxy(name: string, title: string): Peer {
  return {
    name,
    title: (app) => `${title} → ${eight(app)}`,
    routes: true,
    unavailable: () => undefined,
    start: async (launch, app) => {
      const ports = (await startOwners(launch, app)).map(String)
      const command = serverCommand(launch, name, ...ports, ...(APPS[app].isStripped ? ['strip'] : []))
      return Number(await launch.group.startReady({ role: 'proxy', command }))
    },
  }
}
