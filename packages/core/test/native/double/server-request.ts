import type { ClientConnection } from './client-connection.ts'
import type { QueueHandle, UrlGroup } from './http-objects.ts'
import type { Operation } from './operation.ts'
import { performanceCounter } from './performance-counter.ts'
import { CONNECTION_INVALID, HANDLE_EOF, OPERATION_ABORTED, SUCCESS } from './status.ts'
import { BodyDecoder, valueOf } from './wire-request.ts'
import type { WireHead } from './wire-request.ts'

interface BodyRead {
  readonly operation: Operation
  readonly buffer: Buffer
}

/** One request on its way through HTTP.SYS. */
export class ServerRequest {
  readonly id: bigint
  readonly connection: ClientConnection
  readonly head: WireHead
  /** Null after an opaque response too: then the bytes of the connection are the body. */
  body: BodyDecoder | null
  readonly group: UrlGroup
  /** Through which it was received, with 234 or in full. */
  handle: QueueHandle | null = null
  isDelivered = false
  readonly parseStart = performanceCounter()
  /** none ──sendResponse──▶ open ──the last send──▶ complete */
  response: 'none' | 'open' | 'complete' = 'none'
  isOpaque = false
  /** What the response has said of its length: bytes that are missing, chunked by the process or by the kernel, or until the end. */
  framing: number | 'chunked' | 'kernel' | 'close' = 'close'
  closesAfterwards = false
  /** The first of its calls had BUFFER_DATA; null before it. */
  isBuffered: boolean | null = null
  send: Operation | null = null
  readonly #reads: BodyRead[] = []
  #hasContinued = false
  #sentChunks: BodyDecoder | null = null
  #sentRest = Buffer.alloc(0)

  constructor(id: bigint, connection: ClientConnection, head: WireHead, body: BodyDecoder | null, group: UrlGroup) {
    this.id = id
    this.connection = connection
    this.head = head
    this.body = body
    this.group = group
  }

  get isHead(): boolean {
    return this.head.method === 'HEAD'
  }

  get hasMoreBody(): boolean {
    return this.body !== null && !(this.body.isEnded && this.body.pieces.length === 0)
  }

  /** The process writes chunked framing itself; it is read along. */
  beginChunks(): void {
    this.#sentChunks = new BodyDecoder('chunked')
  }

  checkChunks(bytes: Buffer, isLast: boolean, report: (violation: string) => void): void {
    const decoder = this.#sentChunks
    if (decoder === null) return
    this.#sentRest = Buffer.from(decoder.push(Buffer.concat([this.#sentRest, bytes])))
    decoder.pieces.length = 0
    if (decoder.isBroken) report('broken chunked framing')
    if (decoder.isEnded && this.#sentRest.length > 0) report('bytes after the last chunk')
    if (isLast && !decoder.isEnded) report('a chunked response without its last chunk')
  }

  /** The process has ended its side of an opaque connection. */
  endOpaque(): void {
    this.connection.socket.end()
    this.connection.advance()
  }

  /** HttpReceiveRequestEntityBody */
  read(operation: Operation, buffer: Buffer): void {
    this.#reads.push({ operation, buffer })
    operation.onCancel = () => {
      const index = this.#reads.findIndex((read) => read.operation === operation)
      if (index === -1) return
      this.#reads.splice(index, 1)
      operation.complete(OPERATION_ABORTED)
    }
    const expectsContinue = valueOf(this.head, 'expect')?.toLowerCase() === '100-continue'
    if (expectsContinue && !this.#hasContinued && this.hasMoreBody && this.response === 'none') {
      this.#hasContinued = true
      if (this.body!.pieces.length === 0) this.connection.writeNow('HTTP/1.1 100 Continue\r\n\r\n')
    }
    this.connection.advance()
    this.serveReads()
  }

  /** Gives what has come to the reads that wait. */
  serveReads(): void {
    while (this.#reads.length > 0) {
      const source = this.isOpaque ? this.connection.opaque : this.body
      if (source !== null && source.pieces.length > 0) {
        const { operation, buffer } = this.#reads.shift()!
        const bytes = source.take(buffer.length)
        operation.complete(SUCCESS, bytes.length, () => bytes.copy(buffer))
      } else if (source === null || source.isEnded) {
        const { endsWithNothing } = this.group.process.machine.whims
        this.#reads.shift()!.operation.complete(endsWithNothing ? SUCCESS : HANDLE_EOF)
      } else if (source.isBroken || this.connection.isGone) {
        this.#reads.shift()!.operation.complete(CONNECTION_INVALID)
      } else return
    }
  }

  /** Ends what is under way: the client is gone, or the process cancels. */
  abort(status: number): void {
    for (const { operation } of this.#reads.splice(0)) operation.complete(status)
    const { send } = this
    this.send = null
    send?.complete(status)
    this.handle?.requests.delete(this)
  }
}
