import { AsyncResource } from 'node:async_hooks'
import type { Server, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Member } from '../base/member-list.ts'
import type { UrlPrefix } from '../base/url-prefix.ts'
import type { Exchange, QueueConnection } from '../queue/exchange.ts'
import { emitClientError } from './client-error.ts'
import type { QueueResponse } from './queue-response.ts'
import { RawResponse } from './raw-response.ts'
import { describeTls } from './tls-members.ts'

/** Told when the app, or the stream machinery, closes a socket. */
export type OnSocketClosed = (socket: QueueSocket) => void

let lastId = 0
const NO_BYTES = Buffer.alloc(0)

/**
 * What an app sees as `req.socket`: one for each client connection and server.
 *
 * http ──'upgrade'──▶ raw (the app writes a response head) ──101──▶ opaque (bytes both ways)
 * any ──destroy──▶ closed
 */
export class QueueSocket extends Duplex implements Member {
  place = -1
  readonly id = ++lastId
  /** Of its server, with the real port. */
  readonly prefix: UrlPrefix
  readonly server: Server
  readonly connection: QueueConnection
  readonly remoteAddress: string
  readonly remotePort: number
  readonly remoteFamily: 'IPv4' | 'IPv6'
  readonly localAddress: string
  readonly localPort: number
  readonly localFamily: 'IPv4' | 'IPv6'
  readonly connecting = false
  /** The backend's; null as on a socket that has left HTTP. */
  readonly parser = null
  readonly pending = false
  /** Bytes of entity bodies, and of a connection that has left HTTP; heads and framing are the backend's. */
  bytesRead = 0
  /** Bytes of header fields and bodies, without the framing that the backend adds. */
  bytesWritten = 0
  timeout: number | undefined
  /** The response under way, as on node:http's sockets. */
  _httpMessage: ServerResponse | null = null
  /** What the app does in its handlers stays within the connection: AsyncLocalStorage. */
  readonly scope = new AsyncResource('HTTPSYSCONNECTION')
  /** Requests of this connection that came here. */
  requestCount = 0
  /** As `destroyed`, which asks both sides of the stream. */
  isClosed = false
  /** The exchange under way. */
  exchange: Exchange | null = null
  /** Responses to requests behind it, which wait for their turn; null until the first one does. */
  outgoing: QueueResponse[] | null = null
  readonly #onClosed: OnSocketClosed
  #raw: RawResponse | null = null
  #isOpaque = false
  #isForgotten = false
  #isReset = false
  #received = 0
  #onWritable: (() => void) | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(
    server: Server,
    prefix: UrlPrefix,
    connection: QueueConnection,
    onClosed: OnSocketClosed,
    highWaterMark?: number,
  ) {
    super({ emitClose: true, allowHalfOpen: true, ...(highWaterMark === undefined ? {} : { highWaterMark }) })
    this.server = server
    this.prefix = prefix
    this.connection = connection
    this.#onClosed = onClosed
    this.remoteAddress = connection.remoteAddress
    this.remotePort = connection.remotePort
    this.remoteFamily = familyOf(connection.remoteAddress)
    this.localAddress = connection.localAddress
    this.localPort = connection.localPort
    this.localFamily = familyOf(connection.localAddress)
    if (connection.encrypted) describeTls(this, connection)
    this.on('error', onHttpError)
  }

  get readyState(): 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.destroyed) return 'closed'
    if (this.readable && this.writable) return 'open'
    return this.readable ? 'readOnly' : this.writable ? 'writeOnly' : 'closed'
  }

  /** Whether the connection has left HTTP for good. */
  get isUpgraded(): boolean {
    return this.#raw !== null || this.#isOpaque
  }

  address(): { address: string; family: string; port: number } {
    return { address: this.localAddress, family: this.localFamily, port: this.localPort }
  }

  setTimeout(milliseconds: number, callback?: () => void): this {
    this.timeout = milliseconds
    if (callback !== undefined && milliseconds > 0) this.once('timeout', callback)
    else if (callback !== undefined) this.removeListener('timeout', callback)
    this.#restartTimer()
    return this
  }

  /** Small writes leave at the end of every event-loop turn, so there is nothing to switch. */
  setNoDelay(_isOn?: boolean): this {
    return this
  }

  /** The broker holds the TCP connection and keeps it alive. */
  setKeepAlive(_isOn?: boolean, _initialDelay?: number): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  /** Closes the connection unless the next request is on its way already, as the backend knows. */
  closeIfIdle(): void {
    if (this.connection.closeIfIdle === undefined) this.destroy()
    else this.connection.closeIfIdle()
  }

  /** Closes this side only: an idle connection stays, for other servers. */
  forget(): void {
    this.#isForgotten = true
    this.destroy()
  }

  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  resetAndDestroy(): this {
    this.#isReset = true
    return this.destroy()
  }

  /** node:http forbids it, since it would break what reads the heads. */
  override setEncoding(encoding: BufferEncoding): this {
    if (this.isUpgraded) return super.setEncoding(encoding)
    const error = new Error('Changing the socket encoding is not allowed per RFC7230 Section 3.')
    throw Object.assign(error, { code: 'ERR_HTTP_SOCKET_ENCODING' })
  }

  /** From now on the app writes the response itself: `'upgrade'`. Returns whether what came with the head follows. */
  beginRaw(exchange: Exchange): boolean {
    this.removeListener('error', onHttpError)
    // A net.Socket has one of its own, and there are those who count.
    this.on('end', ignore)
    this.exchange = exchange
    this.#becomeRaw(exchange)
    return this.#isOpaque
  }

  /** A request could not be read: what the app writes now is the answer to it, unless one has begun. */
  beginErrorAnswer(exchange: Exchange | null, hasAnswered: boolean): void {
    this.removeListener('error', onHttpError)
    this.on('error', ignore)
    if (hasAnswered || exchange === null) return
    this.exchange = exchange
    this.#becomeRaw(exchange)
  }

  /** What has come behind the head of a request that leaves HTTP. */
  takeHead(): Buffer {
    return (this.readableLength > 0 ? (this.read() as Buffer | null) : null) ?? NO_BYTES
  }

  #becomeRaw(exchange: Exchange): void {
    if (exchange.beginRaw()) this.#isOpaque = true
    else this.#raw = new RawResponse(exchange)
  }

  /** Bytes of an opaque connection. */
  onBytes(chunk: Buffer): void {
    this.bytesRead += chunk.length
    this.#received += chunk.length
    this.touch()
    this.push(chunk)
  }

  /** The client has ended its side of an opaque connection. */
  onClientEnd(): void {
    this.push(null)
    // As a net.Socket: an end behind which nothing is left is told even when nobody reads.
    this.read(0)
  }

  /** The queue has room again. */
  onWritable(): void {
    const callback = this.#onWritable
    this.#onWritable = null
    callback?.()
  }

  override _read(): void {
    const received = this.#received
    if (received === 0) return
    // Before the call, within which more may come.
    this.#received = 0
    this.exchange?.grantBody(received)
  }

  override _writev(chunks: { chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'utf8', callback)
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    const { exchange } = this
    if (exchange === null) return callback()
    this.bytesWritten += chunk.length
    this.touch()
    if (!this.isUpgraded) this.#becomeRaw(exchange)
    if (this.#isOpaque) this.#afterSend(exchange.sendBody(chunk, null, false, ''), callback)
    else this.#writeRaw(this.#raw!, chunk, callback)
  }

  #writeRaw(raw: RawResponse, chunk: Buffer, callback: (error?: Error | null) => void): void {
    try {
      const hasRoom = raw.write(chunk)
      this.#isOpaque = raw.isOpaque
      this.#afterSend(hasRoom, callback)
    } catch (error) {
      callback(error as Error)
    }
  }

  override _final(callback: (error?: Error | null) => void): void {
    if (this.#isOpaque) this.exchange?.sendBody(null, null, true, '')
    else if (this.#raw !== null) this.#raw.end()
    else if (this.exchange === null) this.connection.closeIfIdle?.()
    callback()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.exchange !== null) this.exchange.cancel(this.#isReset)
    else if (!this.#isForgotten) this.connection.closeIfIdle?.(true)
    callback(error)
    // After `'close'`, which the stream emits in the next tick.
    process.nextTick(this.#onClosed, this)
  }

  #afterSend(hasRoom: boolean, callback: (error?: Error | null) => void): void {
    if (hasRoom) callback()
    else this.#onWritable = callback
  }

  /** Something happened: the time until `'timeout'` begins anew. */
  touch(): void {
    this.#timer?.refresh()
  }

  #restartTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (!this.timeout) return
    this.#timer = setTimeout(() => this.scope.runInAsyncScope(() => this.#onTimeout()), this.timeout)
    this.#timer.unref()
  }

  /** As node:http: request, response and server are asked in turn, and the connection is closed when nobody cares. */
  #onTimeout(): void {
    if (!this.isUpgraded) {
      const response = this._httpMessage
      const request = response?.req
      const isHandled = [
        request !== undefined && !request.complete && request.emit('timeout', this),
        response !== null && response.emit('timeout', this),
        this.server.emit('timeout', this as never),
      ]
      if (!isHandled.includes(true)) this.destroy()
    }
    this.emit('timeout')
  }
}

// Apps and libraries ask `socket instanceof net.Socket`. Every method of it that touches a handle is replaced above.
Object.setPrototypeOf(QueueSocket.prototype, Socket.prototype)

/** As node:http: while the connection speaks HTTP, its errors are the server's `'clientError'`, and nobody else must listen. */
function onHttpError(this: QueueSocket, error: Error): void {
  const hasAnswered = this.destroyed || this.exchange === null || this._httpMessage?.headersSent === true
  this.beginErrorAnswer(this.exchange, hasAnswered)
  emitClientError(this.server, this, error, hasAnswered)
}

function ignore(): void {}

function familyOf(address: string): 'IPv4' | 'IPv6' {
  return address.includes(':') ? 'IPv6' : 'IPv4'
}
