import { spawnSync } from 'node:child_process'
import { freePort } from '@httpsys/core/measure'
import { APPS } from '../apps/app.ts'
import { prepareNginx } from './nginx-config.ts'
import { eight, type Peer, startOwners } from './peer.ts'

/** nginx with keep-alive upstreams, one owner behind each prefix. */
export const nginx: Peer = {
  name: 'nginx',
  title: (app) => `nginx → ${eight(app)}`,
  routes: true,
  unavailable: () => (spawnSync('nginx', ['-v']).error === undefined ? undefined : 'nginx is not installed'),
  start: async (launch, app, options) => {
    const ownerPorts = await startOwners(launch, app)
    const port = await freePort()
    const { directory, conditions } = launch
    const { connections } = conditions
    const { isStripped } = APPS[app]
    const command = prepareNginx({ directory, port, ownerPorts, isStripped, connections, ...options })
    await launch.group.startOn({ role: 'nginx', command }, port)
    return port
  },
}
