import { flushResponseCache, prefix as corePrefix, retire } from '@httpsys/core'
import type { PrefixOptions, UrlPrefix } from '@httpsys/core'

/**
 * The prefix for `app.listen` of an Express app.
 *
 * Routes stay as they are: the app sees URLs as if it were mounted at the prefix (`req.baseUrl`, `req.url`, `req.originalUrl`),
 * unless `strip: false` is given.
 *
 * @param text - a path like `/2/`, or a full UrlPrefix string like `http://*:80/2/`
 * @throws HttpSysError `EINVAL`, naming the rule that the text breaks
 */
export function prefix(text: string, options: PrefixOptions = {}): UrlPrefix {
  return corePrefix(text, { strip: true, ...options })
}

export { HttpSysError, UrlPrefix, flushResponseCache, retire } from '@httpsys/core'
export type { CachePolicy, PrefixOptions } from '@httpsys/core'

const httpsys = { prefix, retire, flushResponseCache }
export default httpsys
