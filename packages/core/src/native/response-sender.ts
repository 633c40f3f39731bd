import {
  ERROR_SUCCESS,
  HTTP_SEND_RESPONSE_FLAG_BUFFER_DATA,
  HTTP_SEND_RESPONSE_FLAG_DISCONNECT,
  HTTP_SEND_RESPONSE_FLAG_MORE_DATA,
  HTTP_SEND_RESPONSE_FLAG_OPAQUE,
} from './constants.ts'
import { HTTP_DATA_CHUNK } from './layout.ts'
import type { IoContext } from './io-context.ts'
import type { MemoryBlock } from './memory-block.ts'
import type { CompletionTarget, Overlapped } from './overlapped.ts'
import type { RequestQueueHandle } from './request-queue.ts'
import { POLICY_START, putBody, putCachePolicy, putChunk } from './response-encoder.ts'
import type { Framing } from './response-encoder.ts'
import { LENGTH_UNKNOWN } from '../queue/exchange.ts'
import type { Chunk } from '../queue/exchange.ts'
import { putTrailers, trailersBytes } from './response-trailers.ts'
import type { Win32Status } from './win32-api.ts'

/** Bytes of a body in one call. */
const PIECE_BYTES = 64 * 1024
/** Accepted and not handed to Windows: more makes the app wait. */
const HIGH_WATER_BYTES = 64 * 1024
/** The longest size line and the two line ends of a piece in chunked framing. */
const CHUNK_OVERHEAD_BYTES = 16
const LAST_CHUNK = '0\r\n'
/** In a block for a body: the data chunk comes first. */
const BODY_START = HTTP_DATA_CHUNK.$size

/** How the end of the body is marked: by the head, by chunked framing (ours to write), or by HTTP.SYS, as HTTP/2 and closing do. */
export type BodyFraming = 'none' | 'length' | 'chunked' | 'kernel' | 'opaque'

/** Whose response is sent. */
export interface SendHost {
  readonly id: bigint
  /** Whether the last call may be made: it ends the request, and with it the entity body. */
  readonly canFinish: boolean
  /** Everything that had to wait has been handed to Windows. */
  onSendRoom(): void
  /** The head of an opaque response has been sent: raw bytes follow. */
  onOpaque(): void
  onSendBroken(status: Win32Status): void
  /** The app has sent more or less than it had announced, or a field that is too long for HTTP.SYS. */
  onUnsendable(): void
  /** The last call is done, with whatever outcome. */
  onSendFinished(): void
}

/**
 * Sends one response: never two calls under way, small pieces in one call, everything copied into memory that does not move.
 *
 * head ──sendHead──▶ body ──last piece──▶ ending ──request read──▶ last call ──completion──▶ finished
 * any ──a call fails, abort──▶ finished
 */
export class ResponseSender implements CompletionTarget {
  /** Bytes accepted and not handed to Windows. */
  queuedBytes = 0
  #state: 'head' | 'body' | 'ending' | 'last call' | 'finished' = 'head'
  readonly #io: IoContext
  readonly #queue: RequestQueueHandle
  readonly #host: SendHost
  #framing: BodyFraming = 'none'
  /** Of the announced length. */
  #remaining = 0
  #closes = false
  /** The kernel's buffer is used for all calls of a response, or for none. */
  #bufferFlag = 0
  #pending: Uint8Array[] = []
  #trailers = ''
  #hasTerminated = false
  /** Bytes go both ways. */
  #isOpen = false
  #isBroken = false
  #hadToWait = false
  /** Set while a call is under way. */
  #block: MemoryBlock | null = null
  #isSending = false
  /** {@link pumpGathered} is due. */
  #isGathering = false

  constructor(io: IoContext, queue: RequestQueueHandle, host: SendHost) {
    this.#io = io
    this.#queue = queue
    this.#host = host
  }

  get hasHead(): boolean {
    return this.#state !== 'head'
  }

  /** Nothing more can be sent. */
  get isFinished(): boolean {
    return this.#state === 'finished'
  }

  /** The last call has been made, or nothing can be sent any more. */
  get isOver(): boolean {
    return this.#state === 'last call' || this.#state === 'finished'
  }

  /** Whether Windows still reads what was sent. */
  get isSending(): boolean {
    return this.#isSending
  }

  /**
   * Sends the head and as much of the first piece as fits.
   *
   * @param secondsToLive - how long HTTP.SYS may answer with it, if all of it leaves in this call; 0 for not at all
   * @returns false when the app has to wait
   */
  sendHead(
    status: number,
    reason: string,
    fields: string,
    head: Framing,
    framing: BodyFraming,
    chunk: Chunk | null,
    encoding: BufferEncoding | null,
    isLast: boolean,
    secondsToLive: number,
  ): boolean {
    if (this.#state !== 'head') return false
    this.#state = isLast ? 'ending' : 'body'
    this.#framing = framing
    this.#closes = head.connection === 'close'
    this.#remaining = head.contentLength
    let length = chunk === null ? 0 : byteLength(chunk, encoding)
    if (framing === 'none') length = 0
    if (!this.#fits(length, isLast)) return false
    const isInline = length <= PIECE_BYTES
    const room = isInline ? length + CHUNK_OVERHEAD_BYTES + LAST_CHUNK.length + 2 : 0
    const { encoder } = this.#io
    const isCached = secondsToLive > 0 && isLast && isInline && this.#host.canFinish
    // HTTP.SYS tells the length by itself; of a range that it serves from its cache the client would be told both.
    const said = isCached && framing === 'length' ? { ...head, contentLength: LENGTH_UNKNOWN } : head
    const block = encoder.encode(status, reason, fields, said, room)
    if (block === null) {
      this.#host.onUnsendable()
      return false
    }
    let end = encoder.bodyStart
    if (isInline && length > 0) end = this.#putPiece(block, end, chunk!, encoding, length)
    if (!isInline) this.#enqueue(chunk!, encoding, length)
    const isWhole = isLast && this.queuedBytes === 0
    if (isWhole) end = this.#putEnd(block, end)
    putBody(block, encoder.bodyStart, end - encoder.bodyStart)
    const flags = (framing === 'opaque' ? HTTP_SEND_RESPONSE_FLAG_OPAQUE : 0) | this.#flagsOf(isWhole)
    if (isCached) putCachePolicy(block, secondsToLive)
    const overlapped = this.#begin(block)
    // SAFETY: block and OVERLAPPED stay until the completion, and all pointers in the block lead into it.
    const result = this.#io.api.http.HttpSendHttpResponse(
      this.#queue.handle,
      this.#host.id,
      flags,
      block.address,
      isCached ? block.address + POLICY_START : 0,
      overlapped.pBytes,
      0,
      0,
      overlapped.address,
      0,
    )
    this.#afterCall(overlapped, result)
    this.#pump()
    return this.#hasRoom()
  }

  /** Sends a piece of the body; `trailers` are field lines and go with the last one. */
  sendBody(chunk: Chunk | null, encoding: BufferEncoding | null, isLast: boolean, trailers: string): boolean {
    if (this.#state !== 'body') return false
    const length = chunk === null || this.#framing === 'none' ? 0 : byteLength(chunk, encoding)
    if (!this.#fits(length, isLast)) return false
    if (length > 0) this.#enqueue(chunk!, encoding, length)
    if (isLast) {
      this.#state = 'ending'
      this.#trailers = trailers
    }
    // Small pieces of one turn leave together.
    if (isLast || this.queuedBytes >= PIECE_BYTES) this.#pump()
    else this.#pumpLater()
    return this.#hasRoom()
  }

  /** The request has been read, or its rest is not wanted: the last call may be made. */
  finish(): void {
    this.#pump()
  }

  /** Ends without sending more; what is under way comes back to `onSendFinished`. */
  abort(): void {
    if (this.#state === 'finished') return
    this.#state = 'finished'
    this.#pending = []
    this.queuedBytes = 0
    if (!this.#isSending) this.#host.onSendFinished()
  }

  onCompletion(status: Win32Status): void {
    this.#isSending = false
    this.#endCall(status)
    this.#pump()
    this.#tellRoom()
  }

  /** What has gathered at the end of the turn. */
  pumpGathered(): void {
    this.#isGathering = false
    this.#pump()
    this.#tellRoom()
  }

  #pumpLater(): void {
    if (this.#isGathering || this.#isSending) return
    this.#isGathering = true
    process.nextTick(pumpGathered, this)
  }

  #tellRoom(): void {
    if (!this.#hadToWait || this.queuedBytes > 0 || this.#isBroken) return
    this.#hadToWait = false
    this.#host.onSendRoom()
  }

  /** Makes the calls that can be made now. */
  #pump(): void {
    while (!this.#isSending && (this.#state === 'body' || this.#state === 'ending')) {
      if (this.#pending.length > 0) this.#sendPieces()
      else if (this.#state === 'ending' && (this.#host.canFinish || this.#needsTerminator)) this.#sendEnd()
      else return
    }
  }

  get #needsTerminator(): boolean {
    return this.#framing === 'chunked' && !this.#hasTerminated
  }

  /** As many of the pieces that wait as one call takes. */
  #sendPieces(): void {
    let length = 0
    let count = 0
    while (count < this.#pending.length && length + this.#pending[count]!.length <= PIECE_BYTES) {
      length += this.#pending[count]!.length
      count++
    }
    // The first alone is too long: a part of it.
    const part = count === 0 ? this.#pending[0]!.subarray(0, PIECE_BYTES) : null
    if (part !== null) length = part.length
    const block = this.#io.blocks.take(
      BODY_START + length + CHUNK_OVERHEAD_BYTES + LAST_CHUNK.length + 2 + this.#trailers.length,
    )
    let end = this.#putSize(block, BODY_START, length)
    // SAFETY: idle, and long enough.
    if (part !== null) {
      block.bytes.set(part, end)
      this.#pending[0] = this.#pending[0]!.subarray(part.length)
      end += part.length
    } else {
      for (let index = 0; index < count; index++) {
        block.bytes.set(this.#pending[index]!, end)
        end += this.#pending[index]!.length
      }
      this.#pending.splice(0, count)
    }
    this.queuedBytes -= length
    if (this.#framing === 'chunked') end += block.bytes.write('\r\n', end, 'latin1')
    const isWhole = this.#state === 'ending' && this.#pending.length === 0 && !this.#hasKernelTrailers
    if (isWhole) end = this.#putEnd(block, end)
    putChunk(block, 0, BODY_START, end - BODY_START)
    this.#callBody(block, 1, isWhole)
  }

  /** What ends the body behind the last piece, if anything does. */
  #sendEnd(): void {
    const block = this.#io.blocks.take(BODY_START + LAST_CHUNK.length + 2 + trailersBytes(this.#trailers))
    if (this.#hasKernelTrailers) {
      putTrailers(block, BODY_START, this.#trailers)
      return this.#callBody(block, 1, true)
    }
    const end = this.#putEnd(block, BODY_START)
    if (end > BODY_START) putChunk(block, 0, BODY_START, end - BODY_START)
    this.#callBody(block, end > BODY_START ? 1 : 0, true)
  }

  get #hasKernelTrailers(): boolean {
    return this.#trailers !== '' && this.#framing === 'kernel' && this.#io.hasTrailers
  }

  #callBody(block: MemoryBlock, count: number, isWhole: boolean): void {
    const flags = this.#flagsOf(isWhole)
    const overlapped = this.#begin(block)
    // SAFETY: block and OVERLAPPED stay until the completion, and all pointers in the block lead into it.
    const status = this.#io.api.http.HttpSendResponseEntityBody(
      this.#queue.handle,
      this.#host.id,
      flags,
      count,
      count === 0 ? 0 : block.address,
      overlapped.pBytes,
      0,
      0,
      overlapped.address,
      0,
    )
    this.#afterCall(overlapped, status)
  }

  /** Of a call that sends everything that there is (`isWhole`) or not; without the kernel's buffer each would wait for the client. */
  #flagsOf(isWhole: boolean): number {
    if (!isWhole || !this.#host.canFinish) {
      this.#bufferFlag = HTTP_SEND_RESPONSE_FLAG_BUFFER_DATA
      return HTTP_SEND_RESPONSE_FLAG_MORE_DATA | HTTP_SEND_RESPONSE_FLAG_BUFFER_DATA
    }
    this.#state = 'last call'
    const disconnectFlag = this.#closes || this.#framing === 'opaque' ? HTTP_SEND_RESPONSE_FLAG_DISCONNECT : 0
    return disconnectFlag | this.#bufferFlag
  }

  #begin(block: MemoryBlock): Overlapped {
    this.#block = block
    return this.#io.port.begin(this)
  }

  #afterCall(overlapped: Overlapped, status: Win32Status): void {
    if (this.#queue.isPending(status)) {
      this.#isSending = true
      return
    }
    this.#io.port.endAtOnce(overlapped)
    this.#endCall(status)
  }

  #endCall(status: Win32Status): void {
    this.#io.blocks.give(this.#block!)
    this.#block = null
    if (this.#state === 'finished') return this.#host.onSendFinished()
    const isLast = this.#state === 'last call'
    if (status !== ERROR_SUCCESS) {
      this.#isBroken = true
      this.#state = 'finished'
      this.#pending = []
      this.queuedBytes = 0
      if (!isLast) this.#host.onSendBroken(status)
      return this.#host.onSendFinished()
    }
    if (isLast) {
      this.#state = 'finished'
      return this.#host.onSendFinished()
    }
    if (this.#framing !== 'opaque' || this.#isOpen) return
    this.#isOpen = true
    this.#host.onOpaque()
  }

  /** Counts a piece against the announced length: other owners' responses follow on the connection, so nothing else may go out. */
  #fits(length: number, isLast: boolean): boolean {
    if (this.#framing !== 'length') return true
    this.#remaining -= length
    if (this.#remaining > 0 ? !isLast : this.#remaining === 0) return true
    this.#host.onUnsendable()
    return false
  }

  #enqueue(chunk: Chunk, encoding: BufferEncoding | null, length: number): void {
    this.#pending.push(typeof chunk === 'string' ? Buffer.from(chunk, encoding ?? 'utf8') : chunk)
    this.queuedBytes += length
  }

  #hasRoom(): boolean {
    if (this.queuedBytes < HIGH_WATER_BYTES) return true
    this.#hadToWait = true
    return false
  }

  /** Writes a piece with its framing; returns where it ends. */
  #putPiece(block: MemoryBlock, at: number, chunk: Chunk, encoding: BufferEncoding | null, length: number): number {
    let end = this.#putSize(block, at, length)
    // SAFETY: idle, and long enough.
    if (typeof chunk === 'string') block.bytes.write(chunk, end, length, encoding ?? 'utf8')
    else block.bytes.set(chunk, end)
    end += length
    return this.#framing === 'chunked' ? end + block.bytes.write('\r\n', end, 'latin1') : end
  }

  #putSize(block: MemoryBlock, at: number, length: number): number {
    return this.#framing === 'chunked' ? at + block.bytes.write(`${length.toString(16)}\r\n`, at, 'latin1') : at
  }

  #putEnd(block: MemoryBlock, at: number): number {
    if (!this.#needsTerminator) return at
    this.#hasTerminated = true
    return at + block.bytes.write(`${LAST_CHUNK}${this.#trailers}\r\n`, at, 'latin1')
  }
}

function pumpGathered(sender: ResponseSender): void {
  sender.pumpGathered()
}

function byteLength(chunk: Chunk, encoding: BufferEncoding | null): number {
  return typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding ?? 'utf8') : chunk.length
}
