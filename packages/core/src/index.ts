import { brokerBackend } from './broker/client/open-broker-queue.ts'
import { prefix } from './base/url-prefix.ts'
import { installListenHook } from './http/listen-hook.ts'

// Composition root: here, and only here, the backend is chosen.
installListenHook(brokerBackend)

export { HttpSysError } from './base/errors.ts'
export type { HttpSysErrorCode } from './base/errors.ts'
export { UrlPrefix, prefix } from './base/url-prefix.ts'
export type { PrefixOptions } from './base/url-prefix.ts'

const httpsys = { prefix }
export default httpsys
