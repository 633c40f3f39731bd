import type { IncomingMessage, RequestListener } from 'node:http'

/** A Koa app, as far as it is touched here. */
export interface KoaApp {
  callback(): RequestListener
  createContext(request: IncomingMessage, ...rest: unknown[]): KoaContext
}

interface KoaContext {
  originalUrl: string
  mountPath?: string
  readonly request: { originalUrl: string }
}

/** Koa copies `req.url` to `originalUrl`: under a stripped prefix the whole URL and the mount path are put back. */
export function keepKoaUrls(app: KoaApp): void {
  // oxlint-disable-next-line typescript/unbound-method -- called with the app
  const { createContext } = app
  app.createContext = function create(this: KoaApp, request, ...rest) {
    const { originalUrl, baseUrl } = request as IncomingMessage & { originalUrl?: string; baseUrl?: string }
    const context = createContext.call(this, request, ...rest)
    if (originalUrl === undefined || baseUrl === undefined) return context
    context.originalUrl = originalUrl
    context.request.originalUrl = originalUrl
    context.mountPath = baseUrl === '' ? '/' : baseUrl
    return context
  }
}
