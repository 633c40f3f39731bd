import type { Socket } from 'node:net'
import type { Machine } from './machine.ts'
import type { Operation } from './operation.ts'
import type { DoubleProcess } from './process.ts'
import type { PretendedTls } from './request-struct.ts'
import { ServerRequest } from './server-request.ts'
import { CONNECTION_INVALID, OPERATION_ABORTED, SUCCESS } from './status.ts'
import { BodyDecoder, readHead, valueOf } from './wire-request.ts'
import type { WireHead } from './wire-request.ts'

/** What is read ahead of whoever takes the body. */
const READ_AHEAD_BYTES = 64 * 1024

/** A client's TCP connection, as http.sys drives it: one request at a time, in order. */
export class ClientConnection {
  readonly id: bigint
  readonly socket: Socket
  readonly port: number
  request: ServerRequest | null = null
  /** The bytes of the client after an opaque response. */
  readonly opaque = new BodyDecoder(Infinity)
  isGone = false
  readonly #machine: Machine
  #unread = Buffer.alloc(0)
  #hasFin = false
  /** One for each process that has a request of the connection, or had. */
  readonly #disconnectWaits = new Map<DoubleProcess, Operation>()

  constructor(machine: Machine, id: bigint, socket: Socket, port: number) {
    this.#machine = machine
    this.id = id
    this.socket = socket
    this.port = port
    socket.on('data', (bytes: Buffer) => {
      this.#unread = Buffer.concat([this.#unread, bytes])
      this.advance()
    })
    socket.on('end', () => {
      this.#hasFin = true
      this.advance()
    })
    socket.on('error', () => {})
    socket.on('close', () => this.#onGone())
  }

  /** Set where TLS is pretended. */
  get tls(): PretendedTls | undefined {
    return this.#machine.tls.get(this.port)
  }

  /** HttpWaitForDisconnectEx: completes when the connection is broken; a FIN is not enough. */
  waitForDisconnect(process: DoubleProcess, operation: Operation): void {
    if (this.isGone) return operation.complete(CONNECTION_INVALID)
    if (this.#disconnectWaits.has(process)) process.report('two HttpWaitForDisconnectEx on one connection')
    this.#disconnectWaits.set(process, operation)
    operation.onCancel = () => {
      if (this.#disconnectWaits.get(process) !== operation) return
      this.#disconnectWaits.delete(process)
      operation.complete(OPERATION_ABORTED)
    }
  }

  /** Writes something of the kernel's own. */
  writeNow(text: string): void {
    if (!this.isGone) this.socket.write(text, 'latin1')
  }

  /** Writes part of a response; `onDone` tells whether the transport has taken it. Returns whether there is room for more. */
  write(bytes: Buffer, onDone: (isOk: boolean) => void): boolean {
    // The bytes are the process's own memory until the send is over, and the socket may need them longer.
    return this.socket.write(Buffer.from(bytes), (error) => onDone(error === undefined || error === null))
  }

  /** Breaks the connection. */
  reset(): void {
    this.socket.resetAndDestroy()
    this.#onGone()
  }

  /** Looks at what has come: a head, more of a body, or a client that has nothing more to say. */
  advance(): void {
    if (this.isGone) return
    const { request } = this
    if (request === null) this.#begin()
    else if (request.isOpaque) {
      this.#unread = this.opaque.push(this.#unread) as Buffer<ArrayBuffer>
      if (this.#hasFin) this.opaque.isEnded = true
      request.serveReads()
    } else if (request.body !== null && !request.body.isEnded) {
      const { body } = request
      if (body.decodedBytes < READ_AHEAD_BYTES) this.#unread = body.push(this.#unread) as Buffer<ArrayBuffer>
      if (request.response === 'complete') body.pieces.length = 0
      if (body.isBroken || (this.#hasFin && !body.isEnded && this.#unread.length === 0)) return this.reset()
      request.serveReads()
      if (request.response === 'complete' && body.isEnded) this.finish(request)
    }
    this.#holdBack()
  }

  /** The response is complete: the rest of the body is read and dropped, then comes the next request. */
  finish(request: ServerRequest): void {
    if (this.request !== request) return
    const { body } = request
    if (body !== null) body.pieces.length = 0
    const isWithheld = valueOf(request.head, 'expect') !== undefined && body !== null && !body.isEnded
    if (request.closesAfterwards || isWithheld || this.#hasFin) return this.#close(request)
    if (body !== null && !body.isEnded) return this.advance()
    this.request = null
    // Not within the call of whoever sent the response.
    setImmediate(() => this.advance())
  }

  #close(request: ServerRequest): void {
    this.request = null
    request.abort(this.#machine.whims.goneStatus)
    this.socket.end()
    this.#machine.closing(this)
    this.socket.resume()
    this.socket.on('end', () => this.socket.destroy())
    if (this.#hasFin) this.socket.destroySoon()
  }

  #begin(): void {
    if (this.#machine.isClosing(this)) return
    const head = readHead(this.#unread)
    if (head === undefined) {
      if (this.#hasFin) this.socket.end()
      return
    }
    if ('status' in head) return this.answer(head.status, head.reason)
    this.#unread = this.#unread.subarray(head.byteLength)
    const length = bodyLength(head)
    if (length === undefined) return this.answer(400, 'Bad Request')
    const body = length === 0 ? null : new BodyDecoder(length)
    // What has come with the head goes along with it (COPY_BODY).
    if (body !== null) this.#unread = body.push(this.#unread) as Buffer<ArrayBuffer>
    this.#machine.route(this, head, body)
    this.advance()
  }

  /** HTTP.SYS's own answer, after which it closes. */
  answer(status: number, reason: string): void {
    const page = `<h2>${reason}</h2>`
    const fields = ['Content-Type: text/html; charset=us-ascii', 'Server: Microsoft-HTTPAPI/2.0', 'Connection: close']
    this.writeNow(
      `HTTP/1.1 ${status} ${reason}\r\n${fields.join('\r\n')}\r\nContent-Length: ${page.length}\r\n\r\n${page}`,
    )
    this.request = null
    this.#machine.closing(this)
    this.socket.end()
    this.socket.on('end', () => this.socket.destroy())
    this.socket.resume()
  }

  #holdBack(): void {
    const isFull = this.#unread.length > READ_AHEAD_BYTES || this.opaque.decodedBytes > READ_AHEAD_BYTES
    if (isFull && this.request !== null) this.socket.pause()
    else this.socket.resume()
  }

  #onGone(): void {
    if (this.isGone) return
    this.isGone = true
    const { request } = this
    this.request = null
    if (request !== null) this.#machine.abandon(request)
    const waits = [...this.#disconnectWaits.values()]
    this.#disconnectWaits.clear()
    for (const wait of waits) wait.complete(SUCCESS)
    this.#machine.gone(this)
  }
}

function bodyLength(head: WireHead): number | 'chunked' | undefined {
  const coding = valueOf(head, 'transfer-encoding')
  if (coding !== undefined) return coding.toLowerCase() === 'chunked' ? 'chunked' : undefined
  const length = valueOf(head, 'content-length')
  if (length === undefined) return 0
  return /^\d+$/.test(length) ? Number(length) : undefined
}
