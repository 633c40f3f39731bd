import { flushResponseCache, prefix as corePrefix, retire } from '@httpsys/core'
import type { PrefixOptions, UrlPrefix } from '@httpsys/core'
import { loadedCopiesOfKoa } from './koa-copies.ts'
import { teachOriginalUrl } from './mounted-contexts.ts'

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
  // Whoever asks for a prefix has an app to listen with, so its copy of Koa is there by now.
  for (const copy of loadedCopiesOfKoa()) teachOriginalUrl(copy)
  return corePrefix(text, { strip: true, ...options })
}

export { HttpSysError, UrlPrefix, flushResponseCache, retire } from '@httpsys/core'
export type { CachePolicy, PrefixOptions } from '@httpsys/core'

const httpsys = { prefix, retire, flushResponseCache }
export default httpsys
