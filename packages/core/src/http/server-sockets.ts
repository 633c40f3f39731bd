import { AsyncResource } from 'node:async_hooks'
import type { Server, ServerResponse } from 'node:http'
import { MemberList } from '../base/member-list.ts'
import type { UrlPrefix } from '../base/url-prefix.ts'
import type { QueueConnection } from '../queue/exchange.ts'
import { nativeConnectionListeners } from './node-internals.ts'
import type { ServerInternals, ServerResponseInternals } from './node-internals.ts'
import { QueueSocket } from './queue-socket.ts'
import type { OnSocketClosed } from './queue-socket.ts'
import { rethrowLater } from './rethrow-later.ts'

/** The sockets that the servers of this process have of one connection. */
interface Sharing {
  /** The server that had its last request. */
  latestOf: ServerSockets
  /** Its socket; null when that is closed. */
  latest: QueueSocket | null
  /** Those of all servers, once there is a second one. */
  all: Map<ServerSockets, QueueSocket> | null
}

/**
 * The sockets of one server, one for each client connection that has come to it: what `'connection'`, `getConnections`,
 * `closeIdleConnections` and `closeAllConnections` are about.
 */
export class ServerSockets {
  readonly #server: Server & ServerInternals
  readonly #prefix: UrlPrefix
  /** The port is this server's alone: so are the connections. */
  readonly #isPrivate: boolean
  readonly #onClosed: OnSocketClosed
  readonly #sockets = new MemberList<QueueSocket>()
  /** What `listen` was called in: requests must not inherit the context of whatever opened the way to the backend. */
  readonly #scope = new AsyncResource('HTTPSYSSERVER')
  /** After the queue was shut down sockets are let go as soon as they are idle. */
  #isReleasing = false

  constructor(server: Server & ServerInternals, prefix: UrlPrefix, isPrivate: boolean, onClosed: OnSocketClosed) {
    this.#server = server
    this.#prefix = prefix
    this.#isPrivate = isPrivate
    this.#onClosed = onClosed
  }

  get count(): number {
    return this.#sockets.size
  }

  /** The socket of a connection, made at the first request, or when a private port accepts it. */
  of(connection: QueueConnection): QueueSocket {
    // Nearly always no other server has had the connection's last request.
    const sharing = connection.context as Sharing | undefined
    if (sharing?.latestOf === this && sharing.latest?.isClosed === false) return sharing.latest
    let socket = sharing && this.#among(sharing)
    if (socket === undefined || socket.isClosed) {
      socket = this.#open(connection)
      this.#share(connection, socket)
    } else {
      sharing!.latestOf = this
      sharing!.latest = socket
    }
    return socket
  }

  #among({ all, latest, latestOf }: Sharing): QueueSocket | undefined {
    if (all !== null) return all.get(this)
    return latestOf === this && latest !== null ? latest : undefined
  }

  #share(connection: QueueConnection, socket: QueueSocket): void {
    const sharing = connection.context as Sharing | undefined
    if (sharing === undefined) {
      const begun: Sharing = { latestOf: this, latest: socket, all: null }
      connection.context = begun
      connection.onClosed = () => forgetAll(begun)
      return
    }
    const { latest, latestOf } = sharing
    if (latestOf !== this && sharing.all === null) sharing.all = new Map(latest === null ? [] : [[latestOf, latest]])
    sharing.all?.set(this, socket)
    sharing.latestOf = this
    sharing.latest = socket
  }

  #open(connection: QueueConnection): QueueSocket {
    const server = this.#server
    const socket = this.#scope.runInAsyncScope(
      () => new QueueSocket(server, this.#prefix, connection, this.#onClosed, server.highWaterMark),
    )
    this.#sockets.add(socket)
    if (server.timeout) socket.setTimeout(server.timeout)
    server._connections++
    this.#emit('connection', socket)
    // Servers of node:https have one each for the TCP and for the TLS connection; here they are the same.
    if (server.listenerCount('secureConnection') > 0) this.#emit('secureConnection', socket)
    return socket
  }

  /** A socket has been closed. */
  delete(socket: QueueSocket): void {
    this.#sockets.delete(socket)
    this.#server._connections--
    const sharing = socket.connection.context as Sharing | undefined
    if (sharing === undefined) return
    if (sharing.all?.get(this) === socket) sharing.all.delete(this)
    if (sharing.latest === socket) sharing.latest = null
  }

  /** A request is done. */
  onIdle(socket: QueueSocket): void {
    if (this.#isReleasing) this.#letGo(socket)
  }

  /** No further requests will come: lets go of idle connections now, of the others when they are done. */
  release(): void {
    this.#isReleasing = true
    for (const socket of this.#sockets) if (socket.exchange === null) this.#letGo(socket)
  }

  /** Forgets the connections without a request under way; the TCP connections are the backend's and may serve other prefixes. */
  closeIdle(): void {
    for (const socket of this.#sockets) {
      if (this.#isPrivate) closeIfIdle(socket)
      else if (socket.exchange === null) socket.forget()
    }
  }

  /** Breaks every connection that has a request under way here, and forgets the others. */
  closeAll(): void {
    for (const socket of this.#sockets) this.#letGo(socket)
  }

  /** The connection's own end is not this server's to decide while others may be behind the port. */
  #letGo(socket: QueueSocket): void {
    if (this.#isPrivate) socket.destroy()
    else socket.forget()
  }

  #emit(event: 'connection' | 'secureConnection', socket: QueueSocket): void {
    const server = this.#server
    if (server.listenerCount(event) < 2) return
    for (const listener of server.rawListeners(event)) {
      if (nativeConnectionListeners.has(listener)) continue
      try {
        ;(listener as (socket: QueueSocket) => void).call(server, socket)
      } catch (error) {
        rethrowLater(error)
      }
    }
  }
}

/** The client has ended the connection: of all servers only those hear of it that have had a request of it. */
function forgetAll({ all, latest }: Sharing): void {
  if (all === null) latest?.forget()
  else for (const socket of all.values()) socket.forget()
}

/** What node:http takes for idle: there has been a request, and all that the app has to say to it has been said. */
function closeIfIdle(socket: QueueSocket): void {
  const response = socket._httpMessage as (ServerResponse & ServerResponseInternals) | null
  if (socket.exchange === null) {
    if (socket.requestCount > 0) socket.closeIfIdle()
  } else if (response?.finished === true && response.req.complete) response._last = true
}
