import { Server } from 'node:net'
import { HttpSysError } from '../base/errors.ts'
import { isUrlPrefix } from '../base/url-prefix.ts'
import type { UrlPrefix } from '../base/url-prefix.ts'

const kRefuses = Symbol.for('httpsys.refuse')

interface Hookable {
  [kRefuses]?: boolean
  listen(this: Server, ...args: unknown[]): Server
}

/**
 * Lets every server but `http.Server` (of https, http2, tls, net) refuse a prefix.
 *
 * They would take it for options with a port, and listen on that very port in place of the broker.
 */
export function refusePrefixesElsewhere(): void {
  const prototype = Server.prototype as unknown as Hookable
  if (prototype[kRefuses]) return
  // oxlint-disable-next-line typescript/unbound-method -- called with the server
  const nativeListen = prototype.listen
  prototype[kRefuses] = true
  prototype.listen = function listen(this: Server, ...args: unknown[]): Server {
    const [target] = args
    if (isUrlPrefix(target)) throw notHttp(target)
    return nativeListen.apply(this, args)
  }
}

function notHttp(prefix: UrlPrefix): HttpSysError {
  return new HttpSysError({
    code: 'EINVAL',
    syscall: 'listen',
    subject: prefix.href,
    reason: 'only an http.Server can listen on a prefix, and this server is another one',
    remedy: 'Use http.createServer in place of https, http2, tls or net: the broker speaks with the clients.',
  })
}
