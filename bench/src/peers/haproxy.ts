import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '@httpsys/core/measure'
import { APPS } from '../apps/app.ts'
import { certificate } from './certificate.ts'
import { eight, type Peer, startOwners } from './peer.ts'
import { fillTemplate } from './template.ts'

/** haproxy with connections to the owners that are used again, one owner behind each prefix. */
export const haproxy: Peer = {
  name: 'haproxy',
  title: (app) => `haproxy → ${eight(app)}`,
  routes: true,
  unavailable: () => (spawnSync('haproxy', ['-v']).error === undefined ? undefined : 'haproxy is not installed'),
  start: async (launch, app, { tls }) => {
    const ownerPorts = await startOwners(launch, app)
    const port = await freePort()
    const directory = join(launch.directory, 'haproxy')
    mkdirSync(directory)
    const template = readFileSync(fileURLToPath(new URL('../../peers/haproxy.cfg', import.meta.url)), 'utf8')
    const both = tls === true ? certificate(directory).both : undefined
    const values = {
      directory,
      port: String(port),
      tls: both === undefined ? '' : ` ssl crt ${both} alpn h2,http/1.1`,
      backends: haproxyBackends(ownerPorts, APPS[app].isStripped),
    }
    const file = join(directory, 'haproxy.cfg')
    writeFileSync(file, fillTemplate('haproxy.cfg', template, values))
    writeFileSync(
      join(directory, 'owners.map'),
      ownerPorts.map((_, index) => `/${index + 1}/ owner_${index + 1}\n`).join(''),
    )
    // -db: in the foreground.
    await launch.group.startOn({ role: 'haproxy', command: ['haproxy', '-db', '-f', file] }, port)
    return port
  },
}

/** A backend for each owner. */
export function haproxyBackends(ownerPorts: readonly number[], isStripped: boolean): string {
  return ownerPorts
    .map((port, index) => {
      const strip = isStripped ? `  http-request replace-path /${index + 1}/(.*) /\\1\n` : ''
      return `backend owner_${index + 1}\n${strip}  server owner 127.0.0.1:${port}\n`
    })
    .join('\n')
}
