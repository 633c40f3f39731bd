import type { RequestListener, Server } from 'node:http'
import type { UrlPrefix } from '../base/url-prefix.ts'

/** How an app is served; what {@link Framework.mount} gets. */
export interface MountContext {
  readonly prefix: UrlPrefix
  /**
   * Listens on the prefix; resolves when requests can come.
   *
   * @param target - a server that does not listen yet, or a handler for a new one
   * @param options - `strip`: whether the app sees URLs without the prefix, unless the prefix itself says otherwise; default false
   * @throws HttpSysError when the prefix can't be had
   */
  readonly listen: (target: Server | RequestListener, options?: { readonly strip?: boolean }) => Promise<Server>
  /** Makes a handler of a `Request → Response` function. */
  readonly fromFetch: (fetch: FetchHandler) => RequestListener
}

/** A `fetch`-style handler: Hono, h3, srvx, `export default { fetch }`. */
export type FetchHandler = (request: Request) => Response | Promise<Response>

/** What the registry needs to know of a framework. */
export interface Framework {
  /** Registering a name again replaces it. */
  readonly name: string
  /** Whether an app is one of this framework's, told by what it exposes. */
  readonly detect: (app: unknown) => boolean
  /** Serves the app; resolves to the listening server. */
  readonly mount: (app: never, context: MountContext) => Server | Promise<Server>
}
