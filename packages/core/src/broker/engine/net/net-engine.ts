import { createServer } from 'node:net'
import type { AddressInfo, ListenOptions, Server, Socket } from 'node:net'
import type { Endpoint, Engine, EngineConnection, EngineListener } from '../engine.ts'
import { NetConnection } from './net-connection.ts'

/** Connections that the kernel holds until they are accepted; Linux caps it at net.core.somaxconn (4096). */
const BACKLOG = 4096

/** The engine on node:net: works wherever Node does. */
export class NetEngine implements Engine {
  readonly name = 'net'

  listen(endpoint: Endpoint, onConnection: (connection: EngineConnection) => void): Promise<EngineListener> {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket: Socket) => {
      const connection = new NetConnection(socket)
      onConnection(connection)
      connection.start()
    })
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(listenOptions(endpoint), () => {
        server.off('error', reject)
        // EMFILE and the like while accepting: the kernel keeps the connection in its queue, and Node tries again.
        server.on('error', () => {})
        resolve(new NetListener(server, endpoint))
      })
    })
  }
}

class NetListener implements EngineListener {
  readonly port: number
  readonly #server: Server

  constructor(server: Server, endpoint: Endpoint) {
    this.#server = server
    this.port = endpoint.kind === 'tcp' ? (server.address() as AddressInfo).port : 0
  }

  close(): Promise<void> {
    // node:net reports `close` only when every accepted connection is gone, but the port is free at once.
    this.#server.close()
    return Promise.resolve()
  }
}

function listenOptions(endpoint: Endpoint): ListenOptions {
  if (endpoint.kind === 'local') return { path: endpoint.path, backlog: BACKLOG }
  return { host: endpoint.host, port: endpoint.port, ipv6Only: endpoint.ipv6Only, backlog: BACKLOG, exclusive: true }
}
