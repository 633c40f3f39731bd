import type { EngineConnection, EngineConnectionHandler } from '../../engine/engine.ts'
import type { ConnectionFacts } from '../../protocol/connection-facts.ts'
import { clock } from '../coarse-clock.ts'
import type { ClientConnection } from '../exchange/client-host.ts'
import type { Reason } from '../exchange/reasons.ts'
import { hasPassed } from '../exchange/timers.ts'
import type { ServerLimits } from '../server-limits.ts'
import { EngineDuplex } from './engine-duplex.ts'
import type { SessionSocket } from './http2-connection.ts'

/** RFC 9113 section 3.4: no request of HTTP/1.1 begins like this. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** Who takes a connection once it is known what it speaks. */
export interface PrefaceHost {
  onHttp1(connection: EngineConnection, port: number): EngineConnectionHandler
  onHttp2Socket(socket: SessionSocket, facts: ConnectionFacts): void
  onConnectionClosed(connection: ClientConnection): void
  /** The connection goes on as one of another kind. */
  onRecognized(reader: ClientConnection): void
  count(reason: Reason): void
}

/** Reads the first bytes of a connection without TLS, to tell HTTP/2 with prior knowledge from HTTP/1.1. */
export class PrefaceReader implements EngineConnectionHandler, ClientConnection {
  place = -1
  readonly localPort: number
  readonly isOwners = false
  readonly #connection: EngineConnection
  readonly #limits: ServerLimits
  readonly #host: PrefaceHost
  readonly #since = clock.seconds
  /** Bytes of the preface that have come. */
  #length = 0

  constructor(connection: EngineConnection, port: number, limits: ServerLimits, host: PrefaceHost) {
    this.localPort = port
    this.#connection = connection
    this.#limits = limits
    this.#host = host
    connection.handler = this
  }

  onData(bytes: Buffer, start: number, end: number): void {
    const needed = Math.min(PREFACE.length - this.#length, end - start)
    if (PREFACE.compare(bytes, start, start + needed, this.#length, this.#length + needed) !== 0) {
      return this.#beginHttp1(bytes, start, end)
    }
    this.#length += needed
    if (this.#length === PREFACE.length) this.#beginHttp2(bytes, start + needed, end)
  }

  onEnd(): void {
    this.#connection.end()
  }

  onDrain(): void {}

  onClose(): void {
    this.#host.onConnectionClosed(this)
  }

  checkTimeouts(): void {
    const { headerWaitTimeout, idleConnectionTimeout } = this.#limits
    const limit = this.#length === 0 ? idleConnectionTimeout : headerWaitTimeout
    if (!hasPassed(limit, this.#since)) return
    this.#host.count(this.#length === 0 ? 'Timer_ConnectionIdle' : 'Timer_HeaderWait')
    this.#connection.destroy()
  }

  shutdown(): void {
    this.#connection.destroy()
  }

  leave(): void {
    if (this.#length === 0) this.#connection.end()
  }

  #beginHttp1(bytes: Buffer, start: number, end: number): void {
    const handler = this.#host.onHttp1(this.#connection, this.localPort)
    this.#host.onRecognized(this)
    if (this.#length > 0) handler.onData(PREFACE, 0, this.#length)
    handler.onData(bytes, start, end)
  }

  #beginHttp2(bytes: Buffer, start: number, end: number): void {
    const { remoteAddress, remotePort, localAddress } = this.#connection
    const socket = new EngineDuplex(this.#connection)
    this.#host.onHttp2Socket(socket, { remoteAddress, remotePort, localAddress, localPort: this.localPort })
    this.#host.onRecognized(this)
    socket.onData(PREFACE, 0, PREFACE.length)
    if (end > start) socket.onData(bytes, start, end)
  }
}
