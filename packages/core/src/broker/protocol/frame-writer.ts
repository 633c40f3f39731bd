import { BODY_BLOCK_BYTES, CREDIT_BYTES, FRAME_BODY, FRAME_BODY_BLOCK, FRAME_CREDIT, HEADER_BYTES } from './frames.ts'
import { MAX_BODY_FRAME_BYTES } from './limits.ts'

/** Room for a frame with a whole read of 64 KiB in it, and for some small ones. */
const SLAB_BYTES = 72 * 1024
/** Slabs kept for reuse; more are left to the garbage collector. */
const MAX_SPARE_SLABS = 16
/** Payloads from this size on are sent from where they lie instead of being copied. */
const BY_REFERENCE_BYTES = 16 * 1024

class Slab {
  readonly bytes: Buffer
  readonly view: DataView

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size)
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, size)
  }
}

const spareSlabs: Slab[] = []

/**
 * Sends the chunks in order and calls `done` when none of them is needed any more, with whether they were sent. Only of those that were
 * all is known to be done that came before; others may be given up while earlier ones are still being sent.
 */
export type Transmit = (chunks: Buffer[], done: (isSent: boolean) => void) => void

/**
 * Collects the frames of one event-loop turn and sends them together.
 *
 * `reserve` gives room for one frame in {@link FrameWriter.bytes}; the frame must be filled in before the turn ends.
 */
export class FrameWriter {
  /** Where the frame reserved last lies. */
  bytes: Buffer
  view: DataView
  /** Counts what makes places of frames invalid: sends, and changes of the slab. */
  flushes = 0
  /** Bytes handed to `transmit` and not yet reported done. */
  inFlightBytes = 0
  /** Bytes reported done so far. */
  #doneBytes = 0
  /** Who waits until so many bytes are done, in that order. */
  #awaited: { readonly bytes: number; readonly callback: () => void }[] = []

  #slab: Slab
  #start = 0
  #end = 0
  /** Finished frames of earlier slabs and payloads by reference, not yet handed to `transmit`. */
  #chunks: Buffer[] = []
  #chunkBytes = 0
  #usedSlabs: Slab[] = []
  /** Where the frame lies that was written last, if it is a piece of a body that may go on; else -1. */
  #open = -1
  #openId = 0
  #isScheduled = false
  #isHeld = false
  #isClosed = false
  readonly #transmit: Transmit
  readonly #defer: (flush: () => void) => void
  readonly #flush = (): void => this.flush()

  /** @param defer - calls back at the end of the turn */
  constructor(transmit: Transmit, defer: (flush: () => void) => void = setImmediate) {
    this.#transmit = transmit
    this.#defer = defer
    this.#slab = spareSlabs.pop() ?? new Slab(SLAB_BYTES)
    this.bytes = this.#slab.bytes
    this.view = this.#slab.view
  }

  /** Bytes of frames that the other side's kernel buffer has not taken yet. */
  get queuedBytes(): number {
    return this.inFlightBytes + this.#chunkBytes + (this.#end - this.#start)
  }

  /**
   * Reserves one frame and writes its header; returns the offset of the frame in {@link FrameWriter.bytes}.
   *
   * @param length - bytes of the whole frame
   */
  reserve(length: number, type: number, flags: number, aux: number, id: number): number {
    if (this.#end + length > this.bytes.length) this.#changeSlab(length)
    const offset = this.#end
    this.#end = offset + length
    this.#open = -1
    const view = this.view
    view.setUint32(offset, length, true)
    view.setUint8(offset + 4, type)
    view.setUint8(offset + 5, flags)
    view.setUint16(offset + 6, aux, true)
    view.setUint32(offset + 8, id, true)
    if (!this.#isScheduled && !this.#isHeld) this.#schedule()
    return offset
  }

  /**
   * Makes another frame of one that {@link FrameWriter.reserve} gave room for, if it still waits to be sent: `type` must be one whose
   * payload is ignored.
   *
   * @param mark - {@link FrameWriter.flushes} of then
   */
  replace(offset: number, mark: number, type: number, flags: number): void {
    if (mark !== this.flushes) return
    this.view.setUint8(offset + 4, type)
    this.view.setUint8(offset + 5, flags)
  }

  /** Writes a frame without a payload. */
  signal(type: number, flags: number, aux: number, id: number): void {
    this.reserve(HEADER_BYTES, type, flags, aux, id)
  }

  /** Writes a CREDIT frame of so many bytes. */
  credit(id: number, bytes: number): void {
    const offset = this.reserve(CREDIT_BYTES, FRAME_CREDIT, 0, 0, id)
    this.view.setUint32(offset + HEADER_BYTES, bytes, true)
  }

  /** Writes a BODY_BLOCK frame: a piece of so many bytes lies in a block. */
  block(flags: number, block: number, id: number, length: number): void {
    const offset = this.reserve(BODY_BLOCK_BYTES, FRAME_BODY_BLOCK, flags, block, id)
    this.view.setUint32(offset + HEADER_BYTES, length, true)
  }

  /** Writes a frame whose payload is a short text. */
  text(type: number, flags: number, aux: number, id: number, payload: string, encoding: 'latin1' | 'utf8'): void {
    const length = Buffer.byteLength(payload, encoding)
    const offset = this.reserve(HEADER_BYTES + length, type, flags, aux, id)
    this.bytes.write(payload, offset + HEADER_BYTES, length, encoding)
  }

  /** Writes a frame whose payload is the given bytes; large ones are not copied and must not change until they are sent. */
  payload(type: number, flags: number, aux: number, id: number, source: Uint8Array): void {
    if (source.length < BY_REFERENCE_BYTES) {
      const offset = this.reserve(HEADER_BYTES + source.length, type, flags, aux, id)
      this.bytes.set(source, offset + HEADER_BYTES)
      return
    }
    const offset = this.reserve(HEADER_BYTES, type, flags, aux, id)
    this.view.setUint32(offset, HEADER_BYTES + source.length, true)
    this.#cut()
    this.#chunks.push(Buffer.from(source.buffer, source.byteOffset, source.length))
    this.#chunkBytes += source.length
  }

  /**
   * Writes a copy of a piece of a body, `source[start, end)`, in as many BODY frames as it takes; what goes on where the frame before
   * ended becomes a part of that, so that many small pieces are few large ones to who gets them.
   *
   * @param flags - of the last of the frames
   */
  body(flags: number, id: number, source: Buffer, start: number, end: number): void {
    const goesOn = this.#open !== -1 && this.#openId === id
    let position = goesOn ? this.#lengthen(source, start, end) : start
    if (goesOn && position === end) {
      this.view.setUint8(this.#open + 5, flags)
      if (flags !== 0) this.#open = -1
      return
    }
    for (; end - position > MAX_BODY_FRAME_BYTES; position += MAX_BODY_FRAME_BYTES) {
      this.#bodyFrame(0, id, source, position, position + MAX_BODY_FRAME_BYTES)
    }
    const offset = this.#bodyFrame(flags, id, source, position, end)
    if (flags === 0) this.#open = offset
    this.#openId = id
  }

  #bodyFrame(flags: number, id: number, source: Buffer, start: number, end: number): number {
    const offset = this.reserve(HEADER_BYTES + end - start, FRAME_BODY, flags, 0, id)
    source.copy(this.bytes, offset + HEADER_BYTES, start, end)
    return offset
  }

  /** Adds as much to the open frame as it may hold; returns the position behind that. */
  #lengthen(source: Buffer, start: number, end: number): number {
    const length = this.#end - this.#open
    const room = Math.min(HEADER_BYTES + MAX_BODY_FRAME_BYTES - length, this.bytes.length - this.#end)
    const next = Math.min(end, start + room)
    source.copy(this.bytes, this.#end, start, next)
    this.#end += next - start
    this.view.setUint32(this.#open, length + next - start, true)
    return next
  }

  /** Leaves the time to send to {@link FrameWriter.release}, which must follow in the same turn. */
  hold(): void {
    this.#isHeld = true
  }

  /** Sends what has been collected, now or at the end of the turn. */
  release(isNow: boolean): void {
    this.#isHeld = false
    if (isNow) this.flush()
    else if (!this.#isScheduled && (this.#chunks.length > 0 || this.#end > this.#start)) this.#schedule()
  }

  /** Calls back once all that has been written so far has been handed on, or dropped; at once when nothing waits. */
  whenDone(callback: () => void): void {
    const { queuedBytes } = this
    if (queuedBytes === 0 || this.#isClosed) callback()
    else this.#awaited.push({ bytes: this.#doneBytes + queuedBytes, callback })
  }

  #schedule(): void {
    this.#isScheduled = true
    this.#defer(this.#flush)
  }

  /** Sends what has been collected now instead of at the end of the turn. */
  flush(): void {
    this.#isScheduled = false
    this.flushes++
    if (this.#isClosed) return this.#drop()
    this.#cut()
    const chunks = this.#chunks
    if (chunks.length === 0) return
    const total = this.#chunkBytes
    this.#chunks = []
    this.#chunkBytes = 0
    this.inFlightBytes += total
    const usedSlabs = this.#usedSlabs
    this.#usedSlabs = []
    // The current slab travels along: what follows goes behind it while there is room, and into a fresh one afterwards.
    const slab = this.#slab
    let isDone = false
    this.#transmit(chunks, (isSent) => {
      isDone = true
      this.inFlightBytes -= total
      this.#doneBytes += total
      // Of what could not be sent the garbage collector knows when nobody needs it any more.
      if (isSent) for (const used of usedSlabs) recycle(used)
      // Only a slab that nothing else lies in, sent or collected, may start over from its beginning.
      if (slab === this.#slab && this.queuedBytes === 0) {
        this.#start = 0
        this.#end = 0
      }
      if (this.#awaited.length > 0) this.#callBack(this.#doneBytes)
    })
    if (!isDone && this.#end > SLAB_BYTES / 2) this.#changeSlab(0)
  }

  /** Forgets what has not been sent; later frames go nowhere. */
  close(): void {
    this.#isClosed = true
    this.#drop()
    this.#callBack(Infinity)
  }

  /** Tells those who wait for no more than so many bytes. */
  #callBack(bytes: number): void {
    while (this.#awaited.length > 0 && this.#awaited[0]!.bytes <= bytes) this.#awaited.shift()!.callback()
  }

  #drop(): void {
    this.#open = -1
    this.#chunks = []
    this.#chunkBytes = 0
    this.#usedSlabs = []
    this.#start = this.#end
    if (this.inFlightBytes === 0) this.#start = this.#end = 0
  }

  /** Moves the finished part of the slab to the list of chunks. */
  #cut(): void {
    this.#open = -1
    if (this.#end === this.#start) return
    this.#chunks.push(this.bytes.subarray(this.#start, this.#end))
    this.#chunkBytes += this.#end - this.#start
    this.#start = this.#end
  }

  #changeSlab(length: number): void {
    this.flushes++
    this.#cut()
    // It is recycled when the next flush has been sent: by then all earlier flushes are done too, since a socket sends in order.
    this.#usedSlabs.push(this.#slab)
    this.#slab = length > SLAB_BYTES ? new Slab(length) : (spareSlabs.pop() ?? new Slab(SLAB_BYTES))
    this.bytes = this.#slab.bytes
    this.view = this.#slab.view
    this.#start = 0
    this.#end = 0
  }
}

/** A frame with a short text, by itself: for those that can't go through a writer. */
export function encodeText(type: number, flags: number, payload: string): Buffer {
  const frame = Buffer.alloc(HEADER_BYTES + payload.length)
  frame.writeUInt32LE(frame.length, 0)
  frame[4] = type
  frame[5] = flags
  frame.write(payload, HEADER_BYTES, 'latin1')
  return frame
}

function recycle(slab: Slab): void {
  if (slab.bytes.length === SLAB_BYTES && spareSlabs.length < MAX_SPARE_SLABS) spareSlabs.push(slab)
}
