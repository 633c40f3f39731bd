import { isUrlPrefix, prefix } from '../base/url-prefix.ts'
import type { UrlPrefix } from '../base/url-prefix.ts'
import type { RequestQueue } from '../queue/exchange.ts'

/** Of all servers of this process. */
const openQueues = new Set<RequestQueue>()

/** A server listens on the queue from now on. */
export function addOpenQueue(queue: RequestQueue): void {
  openQueues.add(queue)
}

export function removeOpenQueue(queue: RequestQueue): void {
  openQueues.delete(queue)
}

/**
 * Makes the response cache forget what it keeps of this process: all of a prefix and of those below it, or what one path names.
 *
 * Once it has resolved no request is answered with a response from before the call, nor with one to a request that had begun
 * before it. Nothing happens where this process has claimed nothing.
 *
 * @param target - as for `listen`; prefixes on port 0 mean whatever port they have got
 * @param path - below the prefix, as `news/42`: that, with any query; with a slash at its end also what is below
 * @throws HttpSysError `EINVAL` for a prefix that breaks a rule
 */
export async function flushResponseCache(target: UrlPrefix | string, path = ''): Promise<void> {
  const given = isUrlPrefix(target) ? target : prefix(target)
  const wanted = `${given.path}${path.replace(/^\//, '')}`
  const flushes: Promise<void>[] = []
  for (const queue of openQueues) {
    if (!isSameSite(given, queue.prefix)) continue
    const own = queue.prefix.path
    if (wanted.endsWith('/') && isBelow(own, wanted)) flushes.push(queue.flushResponseCache(own))
    else if (isBelow(wanted, own)) flushes.push(queue.flushResponseCache(wanted))
  }
  await Promise.all(flushes)
}

function isSameSite(given: UrlPrefix, claimed: UrlPrefix): boolean {
  const isSamePort = given.port === 0 || given.port === claimed.port
  return isSamePort && given.scheme === claimed.scheme && given.host === claimed.host
}

/** Both as in prefixes, which are compared without case. */
function isBelow(path: string, above: string): boolean {
  return path.toLowerCase().startsWith(above.toLowerCase())
}
