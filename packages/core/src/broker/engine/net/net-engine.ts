import { createServer } from 'node:net'
import type { ListenOptions, Server, Socket } from 'node:net'
import { BACKLOG } from '../../../sockets/listening-socket.ts'
import type { Endpoint, Engine, EngineConnection, EngineListener, Watched } from '../engine.ts'
import { NetConnection } from './net-connection.ts'

/** The engine on node:net: works wherever Node does. */
export class NetEngine implements Engine {
  readonly name = 'net'

  listen(endpoint: Endpoint, onConnection: (connection: EngineConnection) => void): Promise<EngineListener> {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket: Socket) => {
      const connection = new NetConnection(socket)
      onConnection(connection)
      connection.start()
    })
    return listen(server, endpoint)
  }

  watch(watched: Watched): () => void {
    const look = (): void => {
      isLooking = false
      watched.wake()
      if (watched.poll() || watched.sleep()) start()
    }
    let isLooking = false
    const start = (): void => {
      if (isLooking) return
      isLooking = true
      setImmediate(look)
    }
    return start
  }
}

/** Lets a server of node:net listen. Rejects with Node's error. */
export function listen(server: Server, endpoint: Endpoint): Promise<EngineListener> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(listenOptions(endpoint), () => {
      server.off('error', reject)
      // EMFILE and the like while accepting: the kernel keeps the connection in its queue, and Node tries again.
      server.on('error', () => {})
      resolve(new NetListener(server))
    })
  })
}

class NetListener implements EngineListener {
  readonly address: string
  readonly port: number
  readonly #server: Server

  constructor(server: Server) {
    this.#server = server
    // A path for a local socket, and nothing for one that was inherited.
    const bound = server.address()
    this.address = bound === null || typeof bound === 'string' ? '' : bound.address
    this.port = bound === null || typeof bound === 'string' ? 0 : bound.port
  }

  get descriptor(): number {
    return (this.#server as unknown as { _handle: { fd?: number } | null })._handle?.fd ?? -1
  }

  close(): Promise<void> {
    // node:net reports `close` only when every accepted connection is gone, but the port is free at once.
    this.#server.close()
    return Promise.resolve()
  }
}

function listenOptions(endpoint: Endpoint): ListenOptions {
  if (endpoint.kind === 'local') return { path: endpoint.path, backlog: BACKLOG }
  // @types/node 20 does not know `fd`.
  if (endpoint.kind === 'descriptor') return { fd: endpoint.descriptor, backlog: BACKLOG } as ListenOptions
  return { host: endpoint.host, port: endpoint.port, ipv6Only: endpoint.ipv6Only, backlog: BACKLOG, exclusive: true }
}
