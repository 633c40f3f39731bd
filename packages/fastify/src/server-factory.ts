import { createServer } from 'node:http'
import type { RequestListener, Server, ServerOptions } from 'node:http'
import type { PrefixOptions } from '@httpsys/core'
import type { FastifyServerFactory } from 'fastify'
import { claimOnListen } from './claim-on-listen.ts'
import { plainHttpOnly } from './plain-http.ts'
import { prefix } from './prefix.ts'

/** The options of an app that concern its server, as Fastify hands them to a factory: with its defaults filled in. */
interface ServerSettings {
  readonly http?: ServerOptions | null
  readonly https?: unknown
  readonly http2?: unknown
  readonly connectionTimeout: number
  readonly keepAliveTimeout: number
  readonly requestTimeout: number
  readonly maxRequestsPerSocket: number
}

/**
 * A `serverFactory` for Fastify: the app's `listen` claims the prefix, whatever port it is given.
 *
 * @param text - a path like `/2/`, or a full UrlPrefix string like `http://*:80/2/`
 * @throws HttpSysError `EINVAL`, naming the rule that the text breaks; the factory, when the app has `https` or `http2`
 */
export function serverFactory(text: string, options: PrefixOptions = {}): FastifyServerFactory<Server> {
  const claimed = prefix(text, options)
  return (handler, given) => {
    const settings = given as unknown as ServerSettings
    if (settings.https || settings.http2) throw plainHttpOnly(claimed)
    const server = createServer(settings.http ?? {}, handler as RequestListener)
    applyTimeouts(server, settings)
    claimOnListen(server, claimed)
    return server
  }
}

/** Fastify sets these on servers that it makes, and leaves them to the factory else. */
function applyTimeouts(server: Server, settings: ServerSettings): void {
  server.keepAliveTimeout = settings.keepAliveTimeout
  server.requestTimeout = settings.requestTimeout
  server.setTimeout(settings.connectionTimeout)
  if (settings.maxRequestsPerSocket > 0) server.maxRequestsPerSocket = settings.maxRequestsPerSocket
}
