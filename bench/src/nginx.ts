import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The values of the template. */
export interface NginxSettings {
  /** For the pid file and the like; must exist. */
  readonly directory: string
  readonly port: number
  /** Port of the server behind each prefix, the first being that of `/1/`. */
  readonly upstreamPorts: readonly number[]
  /** Whether the servers see the path without their prefix, as an Express app with unchanged routes needs it. */
  readonly strip: boolean
  readonly connections: number
}

/** Writes nginx's configuration and returns the command that runs it in the foreground. */
export function prepareNginx(settings: NginxSettings): string[] {
  const directory = join(settings.directory, 'nginx')
  mkdirSync(directory)
  const template = readFileSync(fileURLToPath(new URL('../peers/nginx.conf', import.meta.url)), 'utf8')
  const file = join(directory, 'nginx.conf')
  writeFileSync(file, fillNginxTemplate(template, { ...settings, directory }))
  // Without -e nginx tries the log file it was built with, which an ordinary user may not open.
  return ['nginx', '-e', join(directory, 'error.log'), '-p', directory, '-c', file]
}

/**
 * Fills the template in.
 *
 * @throws Error naming a word of the template that has no value.
 */
export function fillNginxTemplate(template: string, settings: NginxSettings): string {
  const values = new Map([
    ['directory', settings.directory],
    ['port', String(settings.port)],
    ['upstreams', settings.upstreamPorts.map((port, index) => upstream(index + 1, port, settings)).join('')],
    ['locations', settings.upstreamPorts.map((_, index) => location(index + 1, settings)).join('')],
  ])
  return template.replaceAll(/\{\{(\w+)\}\}/g, (_, word: string) => {
    const value = values.get(word)
    if (value === undefined) throw new Error(`nginx.conf asks for '${word}', which has no value`)
    return value
  })
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

function location(owner: number, settings: NginxSettings): string {
  // A path in proxy_pass replaces the prefix; without one nginx passes the request line on as it came, which costs it less.
  return `    location /${owner}/ { proxy_pass http://owner_${owner}${settings.strip ? '/' : ''}; }
`
}
