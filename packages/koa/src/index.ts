import type { IncomingMessage } from 'node:http'
import { prefix as corePrefix } from '@httpsys/core'
import type { PrefixOptions, UrlPrefix } from '@httpsys/core'
import Koa from 'koa'

/** A request whose prefix has been taken off its `url`. */
interface StrippedRequest extends IncomingMessage {
  originalUrl?: string
  baseUrl?: string
}

/**
 * The prefix for `app.listen` of a Koa app.
 *
 * Routes stay as they are: `ctx.url` and `ctx.path` come without the prefix, `ctx.mountPath` is the prefix as the client wrote it
 * (as with koa-mount), and `ctx.originalUrl` is the whole URL, unless `strip: false` is given.
 *
 * @param text - a path like `/2/`, or a full UrlPrefix string like `http://*:80/2/`
 * @throws HttpSysError `EINVAL`, naming the rule that the text breaks
 */
export function prefix(text: string, options: PrefixOptions = {}): UrlPrefix {
  return corePrefix(text, { strip: true, ...options })
}

// Koa copies `req.url` to `originalUrl` when it makes a context; only requests that came over a stripped prefix are changed.
// oxlint-disable-next-line typescript/unbound-method -- called with the app
const createContext = Koa.prototype.createContext
Koa.prototype.createContext = function create(this: Koa, request, response) {
  const whole = (request as StrippedRequest).originalUrl
  const context = createContext.call(this, request, response)
  const { baseUrl } = request as StrippedRequest
  if (whole === undefined || baseUrl === undefined) return context
  context.originalUrl = whole
  context.request.originalUrl = whole
  Object.assign(context, { mountPath: baseUrl === '' ? '/' : baseUrl })
  return context
} as typeof createContext

export { HttpSysError, UrlPrefix } from '@httpsys/core'
export type { PrefixOptions } from '@httpsys/core'

const httpsys = { prefix }
export default httpsys
