import { APPS } from '../apps/app.ts'
import { type Peer, serverCommand } from './peer.ts'

/** One process of the app that answers for all prefixes: the cost without any routing. */
export const node: Peer = {
  name: 'node',
  title: (app) => `${APPS[app].title}, one process, no routing`,
  routes: false,
  unavailable: () => undefined,
  start: async (launch, app) => {
    const command = serverCommand(launch, 'serve', app, 'alone', '0')
    return Number(await launch.group.startReady({ role: 'server', command }))
  },
}
