// Compiled by `npm run typecheck`, never run: what TypeScript must accept.
import type { Server } from 'node:http'
import fastify from 'fastify'
import httpsys from '../src/index.ts'
import { UrlPrefix } from '../src/index.ts'

const prefix: UrlPrefix = httpsys.prefix('/2/', { strip: false, mode: 'attach', base: 'http://localhost:8080' })

void (fastify().listen(prefix) satisfies Promise<string>)
fastify().listen(prefix, (_error, _address) => {}) satisfies void
fastify().register(httpsys.plugin, { prefix: '/2/', strip: false, mode: 'attach' })
fastify({ logger: true }).register(httpsys.plugin, { prefix: '/2/' })
fastify({ serverFactory: httpsys.serverFactory('/2/', { mode: 'attach' }) }).server satisfies Server

// @ts-expect-error -- there is no such mode
httpsys.prefix('/2/', { mode: 'share' })
// @ts-expect-error -- the prefix is missing
fastify().register(httpsys.plugin, {})
// @ts-expect-error -- a port is what the prefix replaces
httpsys.serverFactory(3000)
