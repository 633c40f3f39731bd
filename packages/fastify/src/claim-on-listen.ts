import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HttpSysError, UrlPrefix } from '@httpsys/core'

const claims = new WeakMap<Server, UrlPrefix>()

interface Listener {
  listen(this: Server, ...args: unknown[]): Server
}

/**
 * From now on the server listens on the prefix, whatever port and host `listen` is given; only a prefix in their place counts.
 *
 * @throws HttpSysError `EINVAL` when the server has been given a prefix before
 */
export function claimOnListen(server: Server, prefix: UrlPrefix): void {
  const earlier = claims.get(server)
  if (earlier !== undefined) throw secondPrefix(prefix, earlier)
  claims.set(server, prefix)
  const listener = server as unknown as Listener
  // oxlint-disable-next-line typescript/unbound-method -- called with the server
  const { listen } = listener
  listener.listen = function listenOnPrefix(this: Server, ...args: unknown[]): Server {
    const [target] = args
    if (target instanceof UrlPrefix) return listen.apply(this, args)
    const callback = args.findLast((argument) => typeof argument === 'function')
    if (typeof target === 'object' && target !== null) keepFromListeningTwice(this, target)
    return callback === undefined ? listen.call(this, prefix) : listen.call(this, prefix, callback)
  }
}

/**
 * For `localhost` Fastify makes a second server and listens, on TCP, on every address of the host that the first one does not have. It
 * takes the host from the options when the first one listens.
 */
function keepFromListeningTwice(server: Server, options: { host?: string }): void {
  server.prependOnceListener('listening', () => (options.host = (server.address() as AddressInfo).address))
}

function secondPrefix(prefix: UrlPrefix, earlier: UrlPrefix): HttpSysError {
  return new HttpSysError({
    code: 'EINVAL',
    syscall: 'listen',
    subject: prefix.href,
    reason: `the app has been given the prefix ${earlier.href} before`,
    remedy: 'Give an app one prefix, and make a second app for the other one.',
  })
}
