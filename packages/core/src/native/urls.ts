import type { UrlPrefix } from '../base/url-prefix.ts'
import type { UrlGroup } from './url-group.ts'

/**
 * The URLs that HTTP.SYS has to know for a prefix, the prefix itself first.
 *
 * `localhost` also answers for the loopback addresses, as with the broker: HTTP.SYS takes them for other hosts, so they are URLs of
 * their own.
 *
 * @param path - in place of the prefix's own
 */
export function urlsOf({ scheme, host, port, path: own }: UrlPrefix, path = own): string[] {
  const hosts = host === 'localhost' ? [host, '127.0.0.1', '[::1]'] : [host]
  return hosts.map((name) => `${scheme}://${name}:${port}${path}`)
}

/**
 * Registers a prefix with HTTP.SYS. The loopback addresses need a reservation that `localhost` does not, and are left out where there
 * is none.
 *
 * @throws HttpSysError when the prefix itself can't be registered
 */
export function registerUrls(group: UrlGroup, prefix: UrlPrefix): void {
  const [url, ...others] = urlsOf(prefix)
  group.add(url!)
  for (const other of others) group.tryAdd(other)
}
