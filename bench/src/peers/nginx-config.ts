import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { certificate } from './certificate.ts'
import { fillTemplate } from './template.ts'

/** The values of the template. */
export interface NginxSettings {
  /** For the pid file and the like; must exist. */
  readonly directory: string
  readonly port: number
  /** Port of the owner of each prefix, the first being that of `/1/`. */
  readonly ownerPorts: readonly number[]
  /** Whether the owners see the path without their prefix, as an Express app with unchanged routes needs it. */
  readonly isStripped: boolean
  readonly connections: number
  readonly tls?: boolean
  readonly cache?: boolean
  /** More paths that go to the first owner. */
  readonly morePaths?: readonly string[]
}

/** Writes nginx's configuration and returns the command that runs it in the foreground. */
export function prepareNginx(settings: NginxSettings): string[] {
  const directory = join(settings.directory, 'nginx')
  mkdirSync(directory, { recursive: true })
  const template = readFileSync(fileURLToPath(new URL('../../peers/nginx.conf', import.meta.url)), 'utf8')
  const file = join(directory, 'nginx.conf')
  const tls = settings.tls === true ? certificate(directory) : undefined
  writeFileSync(file, fillTemplate('nginx.conf', template, nginxValues({ ...settings, directory }, tls)))
  // Without -e nginx tries the log file it was built with, which an ordinary user may not open.
  return ['nginx', '-e', join(directory, 'error.log'), '-p', directory, '-c', file]
}

/** What stands for the words of the template. */
export function nginxValues(
  settings: NginxSettings,
  tls?: { readonly certificate: string; readonly key: string },
): Record<string, string> {
  const { directory, port, ownerPorts, cache } = settings
  return {
    directory,
    // Root's worker would become nobody, who can't enter the directory that the cache is in.
    user: process.getuid?.() === 0 ? 'user root;' : '',
    upstreams: ownerPorts.map((ownerPort, index) => upstream(index + 1, ownerPort, settings)).join(''),
    locations: [
      ...ownerPorts.map((_, index) => location(`/${index + 1}/`, index + 1, settings)),
      ...(settings.morePaths ?? []).map((path) => location(path, 1, settings)),
    ].join(''),
    listen: `listen 127.0.0.1:${port}${tls === undefined ? '' : ' ssl http2'} backlog=4096;`,
    tls: tls === undefined ? '' : `ssl_certificate ${tls.certificate};\n    ssl_certificate_key ${tls.key};`,
    cache: cache === true ? `proxy_cache_path ${directory}/cache levels=1:2 keys_zone=answers:10m;` : '',
    use_cache: cache === true ? 'proxy_cache answers;\n    proxy_cache_lock on;' : '',
  }
}

function upstream(owner: number, port: number, settings: NginxSettings): string {
  return `  upstream owner_${owner} {
    server 127.0.0.1:${port};
    keepalive ${settings.connections};
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }
`
}

function location(path: string, owner: number, settings: NginxSettings): string {
  // A path in proxy_pass replaces the prefix; without one nginx passes the request line on as it came, which costs it less.
  return `    location ${path} { proxy_pass http://owner_${owner}${settings.isStripped ? '/' : ''}; }
`
}
