import type { IncomingMessage } from 'node:http'
import type Koa from 'koa'

/** A request whose prefix has been taken off its `url`. */
interface StrippedRequest extends IncomingMessage {
  originalUrl?: string
  baseUrl?: string
}

const knowing = new WeakSet<typeof Koa>()

/**
 * Lets the contexts of all apps of a copy of Koa tell the whole URL of requests that came over a stripped prefix; others are as
 * before. Koa itself copies `req.url` to `originalUrl` when it makes a context.
 */
export function teachOriginalUrl(copy: typeof Koa): void {
  if (knowing.has(copy)) return
  knowing.add(copy)
  // oxlint-disable-next-line typescript/unbound-method -- called with the app
  const createContext = copy.prototype.createContext
  copy.prototype.createContext = function create(this: Koa, request, response) {
    const context = createContext.call(this, request, response)
    const { originalUrl, baseUrl } = request as StrippedRequest
    if (originalUrl === undefined || baseUrl === undefined) return context
    context.originalUrl = originalUrl
    context.request.originalUrl = originalUrl
    Object.assign(context, { mountPath: baseUrl === '' ? '/' : baseUrl })
    return context
  } as typeof createContext
}
