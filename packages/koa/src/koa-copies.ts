import { createRequire } from 'node:module'
import Koa from 'koa'

const { cache } = createRequire(import.meta.url)

/**
 * The class of every copy of Koa that this process has loaded.
 *
 * An app need not use the copy that is found from here: npm installs one for each version that somebody asks for. A copy never hands
 * out its apps to a server, so it can't be known from a request; but Koa is CommonJS, also when it is imported, and can be looked up.
 */
export function loadedCopiesOfKoa(): Set<typeof Koa> {
  const copies = new Set([Koa])
  for (const path in cache) {
    if (!/[\\/]lib[\\/]application\.js$/.test(path)) continue
    const exported: unknown = cache[path]!.exports
    if (isKoa(exported)) copies.add(exported)
  }
  return copies
}

/** Express 4 has a lib/application.js too. */
function isKoa(value: unknown): value is typeof Koa {
  if (typeof value !== 'function') return false
  const { createContext, callback } = value.prototype as Partial<Koa>
  return typeof createContext === 'function' && typeof callback === 'function'
}
