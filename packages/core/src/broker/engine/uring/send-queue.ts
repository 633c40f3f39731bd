import koffi from 'koffi'
import { writeLatin1 } from '../../../base/latin1.ts'
import { LARGE_BYTES, SMALL_BYTES, splitAddress } from './send-arena.ts'
import type { SendArena, SendBlock } from './send-arena.ts'

/** Chunks from this size on are sent from where they lie. */
const BY_REFERENCE_BYTES = 16 * 1024

/** Bytes that leave in one send, or in several when the kernel takes only a part. */
interface Segment {
  /** Of the arena's, or the memory of the chunk that is kept alive until it is sent. */
  readonly block: SendBlock
  readonly isOwn: boolean
  length: number
}

interface Waiting {
  /** Count of bytes after which the chunks are sent. */
  readonly end: number
  readonly done: (isSent: boolean) => void
}

/** Addresses of memory that is sent from where it lies; the slabs of the frame writers come again and again. */
const addresses = new WeakMap<ArrayBufferLike, number>()

/**
 * What a connection has to send, in order: one piece in flight, whole pieces behind it, and one that is being filled.
 *
 * The kernel reads only the piece in flight, between {@link SendQueue.next} and {@link SendQueue.onSent}; what is written meanwhile
 * goes into other blocks.
 */
export class SendQueue {
  /** Bytes that the kernel has not taken. */
  length = 0
  /** Bytes that it has. */
  sent = 0
  /** The first byte that is to be sent next, and how many: of the piece in flight. */
  addressLow = 0
  addressHigh = 0
  remaining = 0
  #written = 0
  #block: SendBlock | null = null
  #filled = 0
  #current: SendBlock | null = null
  #isCurrentOwn = true
  #offset = 0
  #segments: Segment[] = []
  #waiting: Waiting[] = []
  readonly #arena: SendArena

  constructor(arena: SendArena) {
    this.#arena = arena
  }

  text(latin1: string): void {
    const count = latin1.length
    if (count > LARGE_BYTES) return this.copy(Buffer.from(latin1, 'latin1'), 0, count)
    const block = this.#room(count)
    writeLatin1(block.bytes, latin1, block.start + this.#filled)
    this.#add(count)
  }

  copy(bytes: Buffer, start: number, end: number): void {
    let position = start
    while (position < end) {
      const count = Math.min(end - position, LARGE_BYTES)
      const block = this.#room(count)
      bytes.copy(block.bytes, block.start + this.#filled, position, position + count)
      this.#add(count)
      position += count
    }
  }

  chunks(chunks: Buffer[], done: (isSent: boolean) => void): void {
    for (const chunk of chunks) {
      if (chunk.length < BY_REFERENCE_BYTES) this.copy(chunk, 0, chunk.length)
      else this.#refer(chunk)
    }
    this.#waiting.push({ end: this.#written, done })
  }

  /** Makes the next piece the one in flight, unless there is one; returns whether there is. */
  next(): boolean {
    if (this.#current !== null) return true
    const segment = this.#segments.length === 0 ? undefined : this.#segments.shift()
    if (segment !== undefined) {
      this.#current = segment.block
      this.#isCurrentOwn = segment.isOwn
      this.remaining = segment.length
    } else if (this.#block !== null) {
      this.#current = this.#block
      this.#isCurrentOwn = true
      this.remaining = this.#filled
      this.#block = null
    } else return false
    this.#offset = 0
    this.addressLow = this.#current.addressLow
    this.addressHigh = this.#current.addressHigh
    return true
  }

  /** The kernel has taken so much of the piece in flight, and looks at it no more. */
  onSent(count: number): void {
    this.length -= count
    this.sent += count
    this.remaining -= count
    if (this.remaining === 0) this.#releaseCurrent()
    else {
      this.#offset += count
      const current = this.#current!
      const low = (current.addressLow >>> 0) + this.#offset
      this.addressLow = low | 0
      this.addressHigh = current.addressHigh + (low > 0xffff_ffff ? 1 : 0)
    }
    while (this.#waiting.length > 0 && this.#waiting[0]!.end <= this.sent) this.#waiting.shift()!.done(true)
  }

  /** Nothing more is sent, and nothing is in flight: frees the memory. */
  close(): void {
    this.#releaseCurrent()
    if (this.#block !== null) this.#arena.release(this.#block)
    this.#block = null
    for (const { block, isOwn } of this.#segments) if (isOwn) this.#arena.release(block)
    this.#segments = []
    this.length = 0
    const waiting = this.#waiting
    this.#waiting = []
    for (const { done } of waiting) done(false)
  }

  #releaseCurrent(): void {
    if (this.#current !== null && this.#isCurrentOwn) this.#arena.release(this.#current)
    this.#current = null
    this.remaining = 0
  }

  /** The block that is being filled, with room for so much. */
  #room(count: number): SendBlock {
    const block = this.#block
    if (block === null) {
      this.#filled = 0
      return (this.#block = count <= SMALL_BYTES ? this.#arena.takeSmall() : this.#arena.takeLarge())
    }
    if (this.#filled + count <= block.size) return block
    if (block.size === SMALL_BYTES && this.#filled + count <= LARGE_BYTES) {
      const large = this.#arena.takeLarge()
      block.bytes.copy(large.bytes, large.start, block.start, block.start + this.#filled)
      this.#arena.release(block)
      return (this.#block = large)
    }
    this.#cut()
    return this.#room(count)
  }

  #add(count: number): void {
    this.#filled += count
    this.length += count
    this.#written += count
  }

  /** Ends the block that is being filled. */
  #cut(): void {
    if (this.#block === null) return
    this.#segments.push({ block: this.#block, isOwn: true, length: this.#filled })
    this.#block = null
  }

  #refer(chunk: Buffer): void {
    this.#cut()
    const { buffer, byteOffset: start, length } = chunk
    this.length += length
    this.#written += length
    const last = this.#segments.at(-1)
    if (last?.isOwn === false && last.block.bytes.buffer === buffer && last.block.start + last.length === start) {
      // Neighbours in memory leave together.
      last.length += length
      return
    }
    let address = addresses.get(buffer)
    if (address === undefined) {
      address = Number(koffi.address(new Uint8Array(buffer)))
      addresses.set(buffer, address)
    }
    // SAFETY: V8 keeps arrays of more than 64 bytes outside its heap, where nothing moves them; the segment refers to the chunk, which
    // keeps the memory alive until its last send has completed, and the caller does not change it before `done`.
    const block = { bytes: chunk, start, size: length, ...splitAddress(address + start) }
    this.#segments.push({ block, isOwn: false, length })
  }
}
