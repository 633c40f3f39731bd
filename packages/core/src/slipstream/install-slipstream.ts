import cluster from 'node:cluster'
import { lookup } from 'node:dns'
import { Server as HttpServer } from 'node:http'
import { Server as HttpsServer } from 'node:https'
import { isIP } from 'node:net'
import { UrlPrefix } from '../base/url-prefix.ts'
import { isUrlPrefix } from '../base/url-prefix.ts'
import type { ListenOnPrefix } from '../http/listen-hook.ts'
import { prefixFor } from './destination.ts'
import type { Destination } from './destination.ts'
import { readPortListen } from './listen-arguments.ts'
import type { PortListen } from './listen-arguments.ts'

type Listen = (this: HttpServer, ...args: unknown[]) => HttpServer

/** Settings of {@link installSlipstream}. */
export interface SlipstreamOptions {
  readonly destination: Destination
  /** Whether apps see URLs without the prefix. */
  readonly strip: boolean
  readonly listenOnPrefix: ListenOnPrefix
  /** Takes one line for each server that has been moved. */
  readonly report: (line: string) => void
}

/** From now on, servers of node:http and node:https that ask for a TCP port get a prefix of the destination. */
export function installSlipstream(options: SlipstreamOptions): void {
  for (const { prototype } of [HttpServer, HttpsServer] as const) {
    const holder = prototype as unknown as { listen: Listen }
    const previous = holder.listen
    holder.listen = function listen(this: HttpServer, ...args: unknown[]): HttpServer {
      return move(this, args, options) ?? previous.apply(this, args)
    }
  }
}

function move(server: HttpServer, args: readonly unknown[], options: SlipstreamOptions): HttpServer | undefined {
  if (isUrlPrefix(args[0])) return undefined
  const asked = readPortListen(args)
  if (asked === undefined || server.listening) return undefined
  const { destination } = options
  const isTls = server instanceof HttpsServer
  // A private port has no certificate, and no second process to share it with.
  if (destination.kind === 'auto')
    return isTls || cluster.isWorker ? undefined : listenPrivately(server, asked, options)
  const found = prefixFor(destination, asked.port, asked.host)
  if (found === undefined) return undefined
  const mode = cluster.isWorker ? 'attach' : found.mode
  const prefix = UrlPrefix.parse(found.href, { strip: options.strip, mode })
  server.once('listening', () => {
    const { prefix: href } = server.address() as unknown as { prefix: string }
    const tls = isTls ? '; TLS is that of the shared port' : ''
    options.report(`httpsys: port ${asked.port} of process ${process.pid} is ${href}${tls}`)
  })
  return options.listenOnPrefix(server, prefix, asked)
}

function listenPrivately(server: HttpServer, asked: PortListen, options: SlipstreamOptions): HttpServer {
  const { host } = asked
  if (host === undefined || isIP(host) !== 0) {
    const prefix = prefixFor(options.destination, asked.port, host)!
    return options.listenOnPrefix(server, prefix, { ...asked, bind: { host } })
  }
  // As node:net: a name is looked up first, and its first address is used.
  lookup(host, (error, address) => {
    if (error !== null) server.emit('error', error)
    else listenPrivately(server, { ...asked, host: address }, options)
  })
  return server
}
