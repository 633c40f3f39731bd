import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../ports.ts'
import type { ProcessGroup } from '../processes.ts'
import { nginxCommand } from './nginx.ts'

/** The app and how it is asked. */
export interface MeasuredApp {
  readonly command: readonly string[]
  /** Path below the prefix. */
  readonly path: string
  /** How many copies of it run, each with a prefix. */
  readonly owners: number
  readonly connections: number
  /** `--import` of the preload that moves a program's servers to a prefix. */
  readonly preload: string
}

/** A way to bring the app to clients. */
export interface Way {
  readonly name: 'alone' | 'httpsys' | 'nginx' | 'http-proxy'
  title(owners: number): string
  /** Why it can't be used here; undefined when it can. */
  unavailable(): string | undefined
  /** Starts it; resolves to the port and the paths to ask there. */
  start(app: MeasuredApp, group: ProcessGroup, directory: string): Promise<{ port: number; paths: string[] }>
}

/** All of them; what is saved is counted from the first proxy that is here. */
export const WAYS: readonly Way[] = [
  {
    name: 'alone',
    title: () => 'alone, one process, no routing',
    unavailable: () => undefined,
    start: async (app, group) => ({ port: await startOnPort(app, group), paths: [`/${app.path}`] }),
  },
  {
    name: 'httpsys',
    title: (owners) => `on a shared port, ${owners} processes`,
    unavailable: () => undefined,
    start: startOnPrefixes,
  },
  {
    name: 'nginx',
    title: (owners) => `nginx → ${owners} processes`,
    unavailable: () => (spawnSync('nginx', ['-v']).error === undefined ? undefined : 'nginx is not installed'),
    start: async (app, group, directory) => {
      const ports = await Promise.all(numbers(app.owners).map(() => startOnPort(app, group)))
      const port = await freePort()
      await group.startOn({ role: 'nginx', command: nginxCommand(directory, port, ports, app.connections) }, port)
      return { port, paths: prefixed(app) }
    },
  },
  {
    name: 'http-proxy',
    title: (owners) => `http-proxy → ${owners} processes`,
    unavailable: () => (httpProxyFile() === undefined ? 'http-proxy is not installed beside the app' : undefined),
    start: async (app, group) => {
      const ports = await Promise.all(numbers(app.owners).map(() => startOnPort(app, group)))
      const program = fileURLToPath(new URL('./proxy-server.js', import.meta.url))
      const command = [process.execPath, program, httpProxyFile() ?? '', ...ports.map(String)]
      return { port: Number(await group.startReady({ role: 'proxy', command })), paths: prefixed(app) }
    },
  },
]

/** The app as it is, on the port that PORT names. */
async function startOnPort({ command }: MeasuredApp, group: ProcessGroup): Promise<number> {
  const port = await freePort()
  try {
    await group.startOn({ role: 'app', command, env: { PORT: String(port) } }, port)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error
    throw new Error('the program does not listen on the port that PORT names', { cause: error })
  }
  return port
}

/** All copies at once, in no order: the first that finds no broker starts it. */
async function startOnPrefixes(app: MeasuredApp, group: ProcessGroup): Promise<{ port: number; paths: string[] }> {
  const port = await freePort()
  const options = process.env['NODE_OPTIONS']
  const common = {
    HTTPSYS_BASE: `http://127.0.0.1:${port}`,
    NODE_OPTIONS: [...(options === undefined || options === '' ? [] : [options]), `--import=${app.preload}`].join(' '),
  }
  await Promise.all(
    numbers(app.owners).map((owner) => {
      const env = { ...common, PORT: String(port), HTTPSYS_PREFIX: `/${owner}/` }
      return group.startOn({ role: 'app', command: app.command, env }, port)
    }),
  )
  return { port, paths: prefixed(app) }
}

function httpProxyFile(): string | undefined {
  try {
    return createRequire(join(process.cwd(), 'app.js')).resolve('http-proxy')
  } catch {
    return undefined
  }
}

function prefixed({ owners, path }: MeasuredApp): string[] {
  return numbers(owners).map((owner) => `/${owner}/${path}`)
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1)
}
