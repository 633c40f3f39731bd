import { FrameReader } from '../../src/broker/protocol/frame-reader.ts'
import { FrameWriter } from '../../src/broker/protocol/frame-writer.ts'

/** One frame with a copy of its payload. */
export interface Frame {
  readonly type: number
  readonly flags: number
  readonly aux: number
  readonly id: number
  readonly payload: Buffer
}

/** A reader that keeps what it reads. */
export function frameRecorder(): { readonly reader: FrameReader; readonly frames: Frame[] } {
  const frames: Frame[] = []
  const reader = new FrameReader((type, flags, aux, id, bytes, view, start, end) => {
    if (view.byteLength !== bytes.length || view.byteOffset !== bytes.byteOffset) throw new Error('the view is another')
    frames.push({ type, flags, aux, id, payload: Buffer.from(bytes.subarray(start + 12, end)) })
  })
  return { reader, frames }
}

/** A frame as the protocol's documentation describes it, byte for byte. */
export function encodeFrame({ type, flags, aux, id, payload }: Frame): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt32LE(12 + payload.length, 0)
  header.writeUInt8(type, 4)
  header.writeUInt8(flags, 5)
  header.writeUInt16LE(aux, 6)
  header.writeUInt32LE(id, 8)
  return Buffer.concat([header, payload])
}

/** Writes on their way: taken, and not finished until {@link SlowTransmit.finish} says so. */
export class SlowTransmit {
  /** Everything taken so far, as it was when it was taken. */
  readonly taken: Buffer[] = []
  /** How many chunks came with each call. */
  readonly calls: Buffer[][] = []
  readonly #pending: { chunks: Buffer[]; asTaken: Buffer; done: (isSent: boolean) => void }[] = []
  /** Takes nothing more, and says so at once, while what it has is still being sent. */
  isEnding = false
  readonly writer = new FrameWriter((chunks, done) => {
    if (this.isEnding) return done(false)
    const asTaken = Buffer.concat(chunks)
    this.calls.push(chunks)
    this.taken.push(asTaken)
    this.#pending.push({ chunks, asTaken, done })
  })

  get pendingCount(): number {
    return this.#pending.length
  }

  get bytes(): Buffer {
    return Buffer.concat(this.taken)
  }

  /** The oldest write is done; throws when its bytes have changed meanwhile. */
  finish(): void {
    const write = this.#pending.shift()
    if (write === undefined) return
    if (!Buffer.concat(write.chunks).equals(write.asTaken)) throw new Error('bytes changed before they were sent')
    write.done(true)
  }
}

/** The frames that a writer sends at once, as hexadecimal text. */
export function hexOf(write: (writer: FrameWriter) => void): string {
  const sent: Buffer[] = []
  const writer = new FrameWriter((chunks, done) => {
    sent.push(...chunks.map((chunk) => Buffer.from(chunk)))
    done(true)
  })
  write(writer)
  writer.flush()
  return Buffer.concat(sent).toString('hex')
}

/** Hexadecimal text without the spaces that make it readable; text in quotes stands for its bytes. */
export function hex(text: string): string {
  return text
    .replace(/'([^']*)'/g, (_, bytes: string) => Buffer.from(bytes, 'latin1').toString('hex'))
    .replace(/\s/g, '')
}
