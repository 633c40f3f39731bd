import { eight, type Peer, serverCommand } from './peer.ts'

/** node:cluster: eight processes on one port, but whichever is next gets the connection: nothing is routed. */
export const cluster: Peer = {
  name: 'cluster',
  title: (app) => `node:cluster, ${eight(app)}, no routing`,
  routes: false,
  unavailable: () => undefined,
  start: async (launch, app) => {
    const command = serverCommand(launch, 'cluster', app, String(launch.conditions.owners.length))
    return Number(await launch.group.startReady({ role: 'primary', childRole: 'owners', command }))
  },
}
