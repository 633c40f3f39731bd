import { fileURLToPath } from 'node:url'
import { type AppName, APPS } from '../apps/app.ts'
import type { Launch } from '../scenario.ts'

/** What a scenario needs of whatever is in front, besides routing. */
export interface PeerOptions {
  /** TLS and, by ALPN, HTTP/2 towards the clients. */
  readonly tls?: boolean
  /** A response cache, for responses that allow it. */
  readonly cache?: boolean
}

/** A way to bring an app to clients. */
export interface Peer {
  readonly name: string
  title(app: AppName): string
  /** Whether each prefix is answered by its own process. */
  readonly routes: boolean
  /** Why it can't run on this machine; `undefined` when it can. */
  unavailable(): string | undefined
  /** Starts it and resolves to the port to ask once it answers there. */
  start(launch: Launch, app: AppName, options: PeerOptions): Promise<number>
}

/** The command of a program in `src/servers/`. */
export function serverCommand(launch: Launch, script: string, ...args: readonly string[]): string[] {
  return [launch.conditions.node, fileURLToPath(new URL(`../servers/${script}.js`, import.meta.url)), ...args]
}

/** Starts an owner for each prefix, each on its own port; resolves to the ports. */
export function startOwners(launch: Launch, app: AppName): Promise<number[]> {
  return Promise.all(
    launch.conditions.owners.map(async (owner) => {
      const command = serverCommand(launch, 'serve', app, 'port', String(owner))
      return Number(await launch.group.startReady({ role: 'owners', command }))
    }),
  )
}

/** `8 × Express 5`. */
export function eight(app: AppName): string {
  return `8 × ${APPS[app].title}`
}
