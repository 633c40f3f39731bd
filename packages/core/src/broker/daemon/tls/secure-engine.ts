import { constants } from 'node:crypto'
import { Socket, createServer as createNetServer } from 'node:net'
import { createServer } from 'node:tls'
import type { SecureContext, Server, TLSSocket } from 'node:tls'
import type { TlsInfo } from '../../../base/tls-info.ts'
import type { Divert, Endpoint, EngineConnection, EngineListener, Transport } from '../../engine/engine.ts'
import { listen } from '../../engine/net/net-engine.ts'
import { ticketKeys } from '../../rendezvous/ticket-keys.ts'
import type { Http2Choice } from '../http2/http2-choice.ts'
import type { Certificate, Certificates } from './certificates.ts'
import { peekServerName } from './client-hello.ts'
import { TlsConnection } from './tls-connection.ts'
import { tlsInfoOf } from './tls-facts.ts'
import type { Reason } from '../exchange/reasons.ts'

/** What TLS needs of the broker, or of one of its threads. */
export interface SecureHost {
  /** Lets one more client in, or not. Those that an {@link Accepting} engine has accepted have been let in before. */
  letIn(): boolean
  /** The broker has ended something by itself. */
  count(reason: Reason): void
  /** A client has agreed to speak HTTP/2. */
  onHttp2(socket: TLSSocket, tls: TlsInfo): void
  /** A handshake is over; of one that has come to something the connection is known by now. */
  onHandshakeEnd(isSecure: boolean): void
}

/** Settings of a {@link SecureEngine}; the same in all threads. */
export interface SecureSettings {
  /** Where the keys of session tickets are, which all who serve the port share. */
  readonly runtimeDirectory: string
  /** Where HTTP/2 is spoken. @defaultValue `tls` */
  readonly http2?: Http2Choice | undefined
  /** How long a handshake may take; milliseconds. @defaultValue 10000 */
  readonly handshakeTimeout?: number | undefined
}

/** Who accepts clients for TLS. */
export interface Accepting {
  readonly engine: Transport
  /** Lets a client in, or not, or gives it to another thread. */
  readonly divert: Divert
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

/** The TLS of one port for clients that say no name, or of one certificate; every connection that it began stays its own. */
interface Front {
  readonly server: Server
  readonly asksClients: boolean
  readonly since: number
}

/** Speaks TLS, always on sockets of Node's, whichever engine serves the other ports. */
export class SecureEngine implements Transport {
  readonly name = 'net'
  /** Clients in the middle of a handshake. */
  readonly pending = { size: 0 }
  readonly #certificates: Certificates
  readonly #settings: SecureSettings
  readonly #host: SecureHost
  readonly #accepting: Accepting | undefined
  readonly #fronts = new Map<number, WeakMap<Certificate, Front>>()

  /** @param accepting - undefined: node:net accepts */
  constructor(certificates: Certificates, settings: SecureSettings, host: SecureHost, accepting?: Accepting) {
    this.#certificates = certificates
    this.#settings = settings
    this.#host = host
    this.#accepting = accepting
  }

  listen(endpoint: Endpoint, onConnection: (connection: EngineConnection) => void): Promise<EngineListener> {
    const accepting = this.#accepting
    if (accepting === undefined) {
      const options = { allowHalfOpen: true, noDelay: true, pauseOnConnect: true }
      return listen(
        createNetServer(options, (socket) => {
          if (this.#host.letIn()) return this.#accept(socket, onConnection)
          socket.destroy()
          this.#host.count('Connections_Refused')
        }),
        endpoint,
      )
    }
    // A socket of Node's can't change threads: which one it is for is known before it is one.
    return accepting.engine.listen(endpoint, onConnection, (descriptor, port) => {
      if (!accepting.divert(descriptor, port)) this.adopt(descriptor, false, onConnection)
      return true
    })
  }

  adopt(descriptor: number, _isLocal: boolean, onConnection: (connection: EngineConnection) => void): void {
    // @types/node does not know `pauseOnCreate`, by which node:net's own servers make the sockets that they accept.
    const options = { fd: descriptor, allowHalfOpen: true, pauseOnCreate: true, readable: true, writable: true }
    this.#accept(new Socket(options).setNoDelay(true), onConnection)
  }

  #accept(socket: Socket, onConnection: (connection: EngineConnection) => void): void {
    const { localAddress = '', localPort = 0 } = socket
    const certificate = this.#certificates.find(undefined, localAddress, localPort)
    if (certificate === undefined) {
      socket.destroy()
      this.#host.count('No_Certificate')
      return this.#host.onHandshakeEnd(false)
    }
    this.pending.size++
    const begin = (chosen: Certificate): void => {
      this.#frontOf(chosen, localPort, onConnection).server.emit('connection', socket)
    }
    if (!this.#certificates.hasSeveralKeyTypes(localPort)) return begin(certificate)
    // To a server's own certificate node:tls only adds that of the name; of two whose keys differ in type the client takes which it likes.
    peekServerName(socket, this.#handshakeTimeout, (name) => {
      if (name === null) this.#onFailure(socket)
      else begin(this.#certificates.find(name === '' ? undefined : name, localAddress, localPort) ?? certificate)
    })
  }

  get #handshakeTimeout(): number {
    return this.#settings.handshakeTimeout ?? HANDSHAKE_TIMEOUT_MS
  }

  #onFailure(socket: Socket): void {
    // node:tls only tells that a handshake takes too long.
    socket.destroy()
    this.pending.size--
    this.#host.count('TLS_Handshake')
    this.#host.onHandshakeEnd(false)
  }

  #frontOf(certificate: Certificate, port: number, onConnection: (connection: EngineConnection) => void): Front {
    const fronts = this.#fronts.get(port) ?? new WeakMap<Certificate, Front>()
    this.#fronts.set(port, fronts)
    const asksClients = this.#certificates.asksClients(port)
    const known = fronts.get(certificate)
    const isUsable = known?.asksClients === asksClients && Date.now() - known.since < MAX_SERVER_AGE_MS
    if (isUsable) return known
    const front = { server: this.#makeServer(certificate, port, asksClients), asksClients, since: Date.now() }
    front.server.on('secureConnection', (socket: TLSSocket) => this.#onSecure(socket, onConnection))
    front.server.on('tlsClientError', (_error, socket) => this.#onFailure(socket))
    fronts.set(certificate, front)
    return front
  }

  #makeServer(certificate: Certificate, port: number, asksClients: boolean): Server {
    const certificates = this.#certificates
    const { runtimeDirectory, http2 } = this.#settings
    const { options, negotiation } = certificate
    // A session that is resumed has the certificate, or none, of the host that it began with: it must not be taken to another.
    const noTickets = asksClients ? constants.SSL_OP_NO_TICKET : 0
    return createServer({
      ...options,
      secureOptions: (options.secureOptions ?? 0) | noTickets,
      ticketKeys: ticketKeys(runtimeDirectory),
      ALPNProtocols: http2 === 'off' ? ['http/1.1'] : ['h2', 'http/1.1'],
      handshakeTimeout: this.#handshakeTimeout,
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
    const tls = tlsInfoOf(socket)
    if (tls.alpnProtocol === 'h2') this.#host.onHttp2(socket, tls)
    else {
      const connection = new TlsConnection(socket, tls)
      onConnection(connection)
      connection.start()
    }
    this.pending.size--
    this.#host.onHandshakeEnd(true)
  }
}
