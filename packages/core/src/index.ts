import { platformBackend } from './platform-backend.ts'
import { prefix } from './base/url-prefix.ts'
import { frameworks, mount } from './frameworks/mount.ts'
import { flushResponseCache } from './http/flush-response-cache.ts'
import { installListenHook } from './http/listen-hook.ts'
import { refusePrefixesElsewhere } from './http/other-servers.ts'
import { middleware } from './http/request-context.ts'
import { retire } from './http/retire.ts'

// Composition root: here, and only here, the backend is chosen.
installListenHook(platformBackend)
refusePrefixesElsewhere()

export { HttpSysError } from './base/errors.ts'
export type { HttpSysErrorCode } from './base/errors.ts'
export { UrlPrefix, prefix } from './base/url-prefix.ts'
export type { PrefixOptions } from './base/url-prefix.ts'
export { flushResponseCache } from './http/flush-response-cache.ts'
export type { CachePolicy } from './http/cache-policy.ts'
export type { FetchHandler, Framework, MountContext } from './frameworks/framework.ts'
export { frameworks, mount } from './frameworks/mount.ts'
export { retire } from './http/retire.ts'
export type { Retirable } from './http/retire.ts'
export { middleware } from './http/request-context.ts'
export type { ClientCertificate, RequestContext, RequestQueueFacts, RequestTls } from './http/request-context.ts'
export type { RequestTimings } from './http/request-timings.ts'

const httpsys = { prefix, mount, retire, frameworks, middleware, flushResponseCache }
export default httpsys
