import { Server } from 'node:http'
import type { PrefixOptions } from '@httpsys/core'
import type { FastifyInstance } from 'fastify'
import { claimOnListen } from './claim-on-listen.ts'
import { plainHttpOnly } from './plain-http.ts'
import { prefix } from './prefix.ts'

/** Options of {@link plugin}. */
export interface HttpSysPluginOptions extends PrefixOptions {
  /** A path like `/2/`, or a full UrlPrefix string like `http://*:80/2/`. It is not put in front of the routes of the app. */
  readonly prefix: string
}

/**
 * A Fastify plugin: the app's `listen` claims the prefix, whatever port it is given.
 *
 * @throws HttpSysError `EINVAL` when the prefix breaks a rule, the app has another one, or was made with `https` or `http2`
 */
export const plugin = Object.assign(
  async (app: FastifyInstance, { prefix: text, ...options }: HttpSysPluginOptions): Promise<void> => {
    const claimed = prefix(text, options)
    if (!(app.server instanceof Server)) throw plainHttpOnly(claimed)
    claimOnListen(app.server, claimed)
  },
  // What fastify-plugin would add: the plugin acts on the app that it is registered on, and `prefix` is its own option.
  {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: '@httpsys/fastify',
    [Symbol.for('plugin-meta')]: { fastify: '5.x', name: '@httpsys/fastify' },
  },
)
