import { constants } from 'node:crypto'
import { createServer as createNetServer } from 'node:net'
import { createServer } from 'node:tls'
import type { SecureContext, Server, TLSSocket } from 'node:tls'
import type { TlsInfo } from '../../../base/tls-info.ts'
import type { Endpoint, Engine, EngineConnection, EngineListener } from '../../engine/engine.ts'
import { listen } from '../../engine/net/net-engine.ts'
import type { Certificate, Certificates } from './certificates.ts'
import { TlsConnection } from './tls-connection.ts'
import { tlsInfoOf } from './tls-facts.ts'
import type { Reason } from '../exchange/reasons.ts'

/** What TLS needs of the broker. */
export interface SecureHost {
  /** Whether another client may come; so many are in the middle of a handshake. */
  mayAccept(pending: number): boolean
  /** The broker has ended something by itself. */
  count(reason: Reason): void
  /** A client has agreed to speak HTTP/2. */
  onHttp2(socket: TLSSocket, tls: TlsInfo): void
}

/** Settings of a {@link SecureEngine}. */
export interface SecureOptions {
  readonly certificates: Certificates
  /** 48 bytes that all who serve the port share. */
  readonly ticketKeys: () => Buffer
  /** What is offered by ALPN, the best first. */
  readonly protocols: string[]
  /** How long a handshake may take; milliseconds. @defaultValue 10000 */
  readonly handshakeTimeout?: number | undefined
}

/** As Kestrel; HTTP.SYS has no limit of its own for it. */
const HANDSHAKE_TIMEOUT_MS = 10_000
/** So that keys of session tickets get old. */
const MAX_SERVER_AGE_MS = 3600 * 1000

/** Node sets what is asked of a client before it knows the name that the client asks for. */
interface ServerSocket extends TLSSocket {
  _requestCert: boolean
  _rejectUnauthorized: boolean
  readonly _handle: { setVerifyMode(asks: boolean, requires: boolean): void } | null
}

/** The TLS of one port for clients that say no name; every connection that it began stays its own. */
interface Front {
  readonly server: Server
  readonly asksClients: boolean
  readonly since: number
}

/** Listens for TLS, always on sockets of Node's, whichever engine serves the other ports. */
export class SecureEngine implements Engine {
  readonly name = 'net'
  readonly #options: SecureOptions
  readonly #host: SecureHost
  #pending = 0

  constructor(options: SecureOptions, host: SecureHost) {
    this.#options = options
    this.#host = host
  }

  listen(endpoint: Endpoint, onConnection: (connection: EngineConnection) => void): Promise<EngineListener> {
    const fronts = new WeakMap<Certificate, Front>()
    const server = createNetServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
      const { localAddress = '', localPort = 0 } = socket
      const certificate = this.#options.certificates.find(undefined, localAddress, localPort)
      if (certificate === undefined || !this.#host.mayAccept(this.#pending)) {
        this.#host.count(certificate === undefined ? 'No_Certificate' : 'Connections_Refused')
        return socket.destroy()
      }
      const front = this.#frontOf(fronts, certificate, localPort, onConnection)
      this.#pending++
      front.server.emit('connection', socket)
    })
    return listen(server, endpoint)
  }

  #frontOf(
    fronts: WeakMap<Certificate, Front>,
    certificate: Certificate,
    port: number,
    onConnection: (connection: EngineConnection) => void,
  ): Front {
    const asksClients = this.#options.certificates.asksClients(port)
    const known = fronts.get(certificate)
    const isUsable = known?.asksClients === asksClients && Date.now() - known.since < MAX_SERVER_AGE_MS
    if (isUsable) return known
    const front = { server: this.#makeServer(certificate, port, asksClients), asksClients, since: Date.now() }
    front.server.on('secureConnection', (socket: TLSSocket) => this.#onSecure(socket, onConnection))
    front.server.on('tlsClientError', (_error, socket) => {
      this.#pending--
      this.#host.count('TLS_Handshake')
      // node:tls only tells that a handshake takes too long.
      socket.destroy()
    })
    fronts.set(certificate, front)
    return front
  }

  #makeServer(certificate: Certificate, port: number, asksClients: boolean): Server {
    const { certificates, ticketKeys, protocols } = this.#options
    const { options, negotiation } = certificate
    // A session that is resumed has the certificate, or none, of the host that it began with: it must not be taken to another.
    const noTickets = asksClients ? constants.SSL_OP_NO_TICKET : 0
    return createServer({
      ...options,
      secureOptions: (options.secureOptions ?? 0) | noTickets,
      ticketKeys: ticketKeys(),
      ALPNProtocols: protocols,
      handshakeTimeout: this.#options.handshakeTimeout ?? HANDSHAKE_TIMEOUT_MS,
      requestCert: negotiation !== 'none',
      rejectUnauthorized: negotiation === 'require',
      SNICallback(this: ServerSocket, servername: string, done: (error: null, context?: SecureContext) => void) {
        const named = certificates.find(servername, this.localAddress ?? '', port)
        if (named === undefined || named === certificate) return done(null)
        this._requestCert = named.negotiation !== 'none'
        this._rejectUnauthorized = named.negotiation === 'require'
        this._handle?.setVerifyMode(this._requestCert, this._rejectUnauthorized)
        done(null, named.context)
      },
    })
  }

  #onSecure(socket: TLSSocket, onConnection: (connection: EngineConnection) => void): void {
    this.#pending--
    const tls = tlsInfoOf(socket)
    if (tls.alpnProtocol === 'h2') return this.#host.onHttp2(socket, tls)
    const connection = new TlsConnection(socket, tls)
    onConnection(connection)
    connection.start()
  }
}
