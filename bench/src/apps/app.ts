import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { prefix, type UrlPrefix } from '@httpsys/core'

/** Where an app listens, and as whom. */
export interface Place {
  /** The number of its prefix. */
  readonly owner: string
  /** On the shared port, at the owner's prefix; else on a free port of its own. */
  readonly isShared: boolean
  /** Where the routes of a framework begin: `''` when something in front strips the prefix, `/:owner` for one app that serves all. */
  readonly mount: '' | '/:owner'
}

/** What a file of this folder exports: starts the app and resolves to its port once it listens. */
export type ListenApp = (place: Place) => Promise<number>

/** The apps, for peers that need to know more than a name. */
export const APPS = {
  hello: { title: 'node:http', isStripped: false },
  bodies: { title: 'node:http', isStripped: false },
  cached: { title: 'node:http', isStripped: false },
  websocket: { title: 'ws', isStripped: false },
  express: { title: 'Express 5', isStripped: true },
  koa: { title: 'Koa', isStripped: true },
  fastify: { title: 'Fastify', isStripped: true },
} as const satisfies Record<string, { title: string; isStripped: boolean }>

/** Name of an app. */
export type AppName = keyof typeof APPS

/**
 * Lets a server of node:http listen where it belongs; resolves to the port.
 *
 * @param makePrefix - the adapter's, where the app has one
 */
export async function listenHttp(
  server: Server,
  { isShared, owner }: Place,
  makePrefix: (text: string) => UrlPrefix = prefix,
): Promise<number> {
  // Proxies keep their connections to the app; one that Node closes in the same moment would be a 502 and spoil the run.
  server.keepAliveTimeout = 60_000
  if (isShared) server.listen(makePrefix(`/${owner}/`))
  else server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
