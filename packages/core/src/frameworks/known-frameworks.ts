import { Server } from 'node:http'
import type { RequestListener } from 'node:http'
import type { Framework } from './framework.ts'
import { keepKoaUrls } from './koa-urls.ts'
import type { KoaApp } from './koa-urls.ts'

interface NestApp {
  init(): Promise<unknown>
  getHttpServer(): Server
}
interface FastifyApp {
  readonly server: Server
  listen(prefix: object): Promise<unknown>
}
interface NextApp {
  prepare(): Promise<unknown>
  getRequestHandler(): RequestListener
}
interface FetchApp {
  fetch(request: Request): Response | Promise<Response>
}

/** What `mount` recognises by itself, special before general. */
export const KNOWN_FRAMEWORKS: readonly Framework[] = [
  {
    name: 'http.Server',
    detect: (app) => app instanceof Server,
    mount: (app: Server, { listen }) => listen(app),
  },
  {
    name: 'NestJS',
    detect: (app) => has(app, 'getHttpAdapter', 'getHttpServer', 'init'),
    mount: async (app: NestApp, { listen }) => {
      await app.init()
      return listen(app.getHttpServer(), { strip: true })
    },
  },
  {
    name: 'Fastify',
    detect: (app) => has(app, 'inject', 'ready', 'listen', 'register'),
    // Its own `listen` runs its hooks; the server is made by then.
    mount: async (app: FastifyApp, { prefix }) => {
      prefix.strip ??= true
      await app.listen(prefix)
      return app.server
    },
  },
  {
    name: 'Next',
    detect: (app) => has(app, 'getRequestHandler', 'prepare'),
    mount: async (app: NextApp, { listen }) => {
      await app.prepare()
      return listen(app.getRequestHandler())
    },
  },
  {
    name: 'Koa',
    detect: (app) => has(app, 'callback', 'createContext', 'use'),
    mount: (app: KoaApp, { listen }) => {
      keepKoaUrls(app)
      return listen(app.callback(), { strip: true })
    },
  },
  {
    name: 'Express and Connect',
    detect: (app) => typeof app === 'function' && has(app, 'handle', 'use'),
    mount: (app: RequestListener, { listen }) => listen(app, { strip: true }),
  },
  {
    name: 'fetch handlers',
    detect: (app) => has(app, 'fetch'),
    mount: (app: FetchApp, { listen, fromFetch }) => listen(fromFetch((request) => app.fetch(request))),
  },
  {
    name: 'plain handlers',
    detect: (app) => typeof app === 'function',
    mount: (app: RequestListener, { listen }) => listen(app),
  },
]

function has(app: unknown, ...methods: string[]): boolean {
  if ((typeof app !== 'object' && typeof app !== 'function') || app === null) return false
  return methods.every((method) => typeof (app as Record<string, unknown>)[method] === 'function')
}
