import { HttpSysError } from '../../base/errors.ts'
import { HEADER_BYTES } from './frames.ts'
import { MAX_FRAME_BYTES } from './limits.ts'

/** Receives one whole frame; the bytes are valid during the call only. */
export type OnFrame = (
  type: number,
  flags: number,
  aux: number,
  id: number,
  bytes: Buffer,
  view: DataView,
  /** Offset of the frame's header. */
  start: number,
  /** Offset just past the frame. */
  end: number,
) => void

/** A buffer for frames in pieces is kept for the next one up to this size; larger frames are rare. */
const MAX_KEPT_BYTES = 80 * 1024

/** Cuts a byte stream into frames; a frame that spans several reads is put together in a buffer of its own. */
export class FrameReader {
  /** The frame that is being put together, and how much of it is there. */
  #rest: Buffer = Buffer.alloc(0)
  #restView: DataView = new DataView(new ArrayBuffer(0))
  #restLength = 0
  #source: Buffer | null = null
  #sourceView: DataView | null = null
  readonly #onFrame: OnFrame

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame
  }

  /**
   * Takes `bytes[start, end)`; what is not a whole frame is copied and kept.
   *
   * @throws HttpSysError `EPROTO` when a frame's length can't be true.
   */
  push(bytes: Buffer, start: number, end: number): void {
    let position = start
    while (this.#restLength > 0 && position < end) {
      position = this.#fillRest(bytes, position, end)
    }
    if (position === end) return
    const view = this.#viewOf(bytes)
    while (end - position >= HEADER_BYTES) {
      const length = checkLength(view.getUint32(position, true))
      const next = position + length
      if (next > end) break
      this.#emit(bytes, view, position, next)
      position = next
    }
    if (position < end) this.#keep(bytes, position, end)
  }

  /** Completes the frame in the rest buffer as far as the new bytes reach; returns the new position in them. */
  #fillRest(bytes: Buffer, start: number, end: number): number {
    let position = start
    if (this.#restLength < HEADER_BYTES) {
      const taken = Math.min(HEADER_BYTES - this.#restLength, end - position)
      this.#append(bytes, position, position + taken)
      position += taken
      if (this.#restLength < HEADER_BYTES) return position
    }
    const length = checkLength(this.#rest.readUInt32LE(0))
    const taken = Math.min(length - this.#restLength, end - position)
    this.#append(bytes, position, position + taken)
    position += taken
    if (this.#restLength === length) {
      this.#restLength = 0
      this.#emit(this.#rest, this.#restView, 0, length)
      if (this.#rest.length > MAX_KEPT_BYTES) this.#setRest(Buffer.alloc(0))
    }
    return position
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    if (end - start >= HEADER_BYTES) this.#ensure(checkLength(bytes.readUInt32LE(start)))
    this.#append(bytes, start, end)
  }

  #append(bytes: Buffer, start: number, end: number): void {
    const needed = this.#restLength + (end - start)
    this.#ensure(needed < HEADER_BYTES ? HEADER_BYTES : needed)
    bytes.copy(this.#rest, this.#restLength, start, end)
    this.#restLength = needed
    // Now the length is known: room for all of the frame at once.
    if (needed === HEADER_BYTES) this.#ensure(checkLength(this.#rest.readUInt32LE(0)))
  }

  /** Makes room; what is there already is kept. */
  #ensure(length: number): void {
    if (this.#rest.length >= length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(length, 4096))
    this.#rest.copy(larger, 0, 0, this.#restLength)
    this.#setRest(larger)
  }

  #setRest(buffer: Buffer): void {
    this.#rest = buffer
    this.#restView = new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
  }

  #emit(bytes: Buffer, view: DataView, start: number, end: number): void {
    this.#onFrame(
      view.getUint8(start + 4),
      view.getUint8(start + 5),
      view.getUint16(start + 6, true),
      view.getUint32(start + 8, true),
      bytes,
      view,
      start,
      end,
    )
  }

  /** Reads come in the same buffer again and again, so its view is kept. */
  #viewOf(bytes: Buffer): DataView {
    if (this.#source !== bytes || this.#sourceView === null) {
      this.#source = bytes
      this.#sourceView = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    return this.#sourceView
  }
}

function checkLength(length: number): number {
  if (length >= HEADER_BYTES && length <= MAX_FRAME_BYTES) return length
  throw new HttpSysError({
    code: 'EPROTO',
    syscall: 'read',
    subject: 'broker frame',
    reason: `a frame of ${length} bytes is outside ${HEADER_BYTES} to ${MAX_FRAME_BYTES}`,
    remedy: 'Use the same version of httpsys in all processes that share a port.',
  })
}
