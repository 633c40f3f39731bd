import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { prepareNginx } from './nginx.ts'
import { freePort, portOpens } from './ports.ts'
import type { ProcessGroup } from './processes.ts'

/** Prefixes `/1/` to `/8/`, each with a process of its own where the variant routes. */
export const OWNERS = [1, 2, 3, 4, 5, 6, 7, 8] as const

/** What a variant needs in order to start. */
export interface Launch {
  readonly group: ProcessGroup
  /** Private to this measurement, removed after it; also the runtime directory of the broker. */
  readonly directory: string
  readonly node: string
  readonly connections: number
}

/** A set of server processes to measure. */
export interface Variant {
  readonly name: string
  readonly title: string
  /** Whether each prefix is answered by its own process. */
  readonly routes: boolean
  /** The variants its cost is compared with: the same application without routing, and behind nginx. */
  readonly plain: string
  readonly proxied: string
  /** Why it can't run on this machine; `undefined` when it can. */
  unavailable(): string | undefined
  /** Starts it and returns the port to ask. */
  start(launch: Launch): Promise<number>
}

const onNodeHttp = { plain: 'node-http', proxied: 'nginx' }
const onExpress = { plain: 'node-express', proxied: 'nginx-express' }
const always = { unavailable: () => undefined }
const withNginx = { unavailable: () => (isNginxInstalled() ? undefined : 'nginx is not installed') }

/** Every variant there is, in the order of the table. */
export const VARIANTS: readonly Variant[] = [
  {
    name: 'node-http',
    title: 'node:http, one process',
    routes: false,
    ...onNodeHttp,
    ...always,
    start: (launch) => startNode(launch, 'server', ['node-http.js', '0']),
  },
  {
    name: 'httpsys',
    title: 'httpsys, 8 × http.Server',
    routes: true,
    ...onNodeHttp,
    ...always,
    start: (launch) => startShared(launch, 'httpsys.js'),
  },
  {
    name: 'nginx',
    title: 'nginx → 8 × node:http',
    routes: true,
    ...onNodeHttp,
    ...withNginx,
    start: (launch) => startBehindNginx(launch, 'node-http.js', false),
  },
  {
    name: 'node-express',
    title: 'Express, one process',
    routes: false,
    ...onExpress,
    ...always,
    start: (launch) => startNode(launch, 'server', ['node-express.js', '0', '/:owner']),
  },
  {
    name: 'httpsys-express',
    title: 'httpsys, 8 × Express',
    routes: true,
    ...onExpress,
    ...always,
    start: (launch) => startShared(launch, 'httpsys-express.js'),
  },
  {
    name: 'nginx-express',
    title: 'nginx → 8 × Express',
    routes: true,
    ...onExpress,
    ...withNginx,
    start: (launch) => startBehindNginx(launch, 'node-express.js', true),
  },
]

async function startNode(launch: Launch, role: string, args: readonly string[]): Promise<number> {
  return Number(await launch.group.startReady({ role, command: serverCommand(launch, args) }))
}

/** All owners at once, in no order: the first that finds no broker starts it. */
async function startShared(launch: Launch, script: string): Promise<number> {
  const port = await freePort()
  const env = { HTTPSYS_BASE: `http://127.0.0.1:${port}` }
  await Promise.all(
    OWNERS.map((owner) => {
      const command = serverCommand(launch, [script, String(owner)])
      return launch.group.startReady({ role: 'workers', childRole: 'broker', command, env })
    }),
  )
  return port
}

async function startBehindNginx(launch: Launch, script: string, strip: boolean): Promise<number> {
  const upstreamPorts = await Promise.all(OWNERS.map((owner) => startNode(launch, 'workers', [script, String(owner)])))
  const port = await freePort()
  const { directory, connections } = launch
  launch.group.start({
    role: 'nginx',
    command: prepareNginx({ directory, port, upstreamPorts, strip, connections }),
  })
  await portOpens(port)
  return port
}

function serverCommand(launch: Launch, [script, ...args]: readonly string[]): string[] {
  return [launch.node, fileURLToPath(new URL(`./servers/${script}`, import.meta.url)), ...args]
}

function isNginxInstalled(): boolean {
  return spawnSync('nginx', ['-v']).error === undefined
}
