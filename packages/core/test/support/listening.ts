import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import httpsys from '../../src/index.ts'
import type { PrefixOptions } from '../../src/index.ts'

/** Listens on a path of `localhost`; returns the port, a free one unless one is named. */
export async function listenOn(server: Server, path: string, port = 0, options: PrefixOptions = {}): Promise<number> {
  return listenAt(server, `http://localhost:${port}${path}`, options)
}

/** The same with TLS. */
export async function listenSecurely(server: Server, path: string, port = 0): Promise<number> {
  return listenAt(server, `https://localhost:${port}${path}`, {})
}

async function listenAt(server: Server, url: string, options: PrefixOptions): Promise<number> {
  server.listen(httpsys.prefix(url, options))
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Closes a server with whatever is still connected. */
export async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
