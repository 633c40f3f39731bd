import { flushResponseCache, retire } from '@httpsys/core'
import { plugin } from './plugin.ts'
import { prefix } from './prefix.ts'
import { serverFactory } from './server-factory.ts'

export { HttpSysError, UrlPrefix, flushResponseCache, retire } from '@httpsys/core'
export type { CachePolicy, PrefixOptions } from '@httpsys/core'
export { plugin } from './plugin.ts'
export type { HttpSysPluginOptions } from './plugin.ts'
export { prefix } from './prefix.ts'
export { serverFactory } from './server-factory.ts'

const httpsys = { prefix, retire, flushResponseCache, plugin, serverFactory }
export default httpsys
