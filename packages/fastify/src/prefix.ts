import { prefix as corePrefix } from '@httpsys/core'
import type { PrefixOptions, UrlPrefix } from '@httpsys/core'

/**
 * The prefix for `app.listen` of a Fastify app.
 *
 * Routes stay as they are: the app sees URLs without the prefix, and the whole one in `request.originalUrl`, unless
 * `strip: false` is given.
 *
 * @param text - a path like `/2/`, or a full UrlPrefix string like `http://*:80/2/`
 * @throws HttpSysError `EINVAL`, naming the rule that the text breaks
 */
export function prefix(text: string, options: PrefixOptions = {}): UrlPrefix {
  return corePrefix(text, { strip: true, ...options })
}
