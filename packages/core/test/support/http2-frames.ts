import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** RFC 9113 section 6. */
export const DATA = 0
export const HEADERS = 1
export const PRIORITY = 2
export const RST_STREAM = 3
export const SETTINGS = 4
export const PUSH_PROMISE = 5
export const PING = 6
export const GOAWAY = 7
export const WINDOW_UPDATE = 8
export const CONTINUATION = 9

export const END_STREAM = 1
export const ACK = 1
export const END_HEADERS = 4
export const PADDED = 8

/** Section 7. */
export const NO_ERROR = 0
export const PROTOCOL_ERROR = 1
export const FLOW_CONTROL_ERROR = 3
export const STREAM_CLOSED = 5
export const FRAME_SIZE_ERROR = 6
export const REFUSED_STREAM = 7
export const COMPRESSION_ERROR = 9
export const ENHANCE_YOUR_CALM = 11

export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

/** One frame as it is on the wire. */
export interface Http2Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export function frame(type: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const body = Buffer.from(payload)
  const head = Buffer.alloc(9)
  head.writeUIntBE(body.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, body])
}

/** SETTINGS of identifiers and values. */
export function settings(...pairs: [number, number][]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6)
  for (const [index, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, index * 6)
    payload.writeUInt32BE(value, index * 6 + 2)
  }
  return frame(SETTINGS, 0, 0, payload)
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

/** Fields as HPACK literals that are not indexed (RFC 7541 section 6.2.2), whatever they are. */
export function block(...fields: [string, string][]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]))
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  return Buffer.concat([integer(bytes.length), bytes])
}

/** With a prefix of seven bits (RFC 7541 section 5.1). */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.from([value])
  const bytes = [127]
  let rest = value - 127
  for (; rest >= 128; rest >>>= 7) bytes.push((rest & 127) | 128)
  return Buffer.from([...bytes, rest])
}

/** The fields of a GET. */
export function get(path: string, ...more: [string, string][]): [string, string][] {
  return [[':method', 'GET'], [':scheme', 'https'], [':path', path], [':authority', 'localhost'], ...more]
}

/** A client that says what it likes, and shows every frame. */
export class FrameClient implements Disposable {
  readonly socket: Socket
  readonly frames: Http2Frame[] = []
  isClosed = false
  #bytes = Buffer.alloc(0)
  #wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', () => {})
    const onClosed = (): void => {
      this.isClosed = true
      this.#wake()
    }
    socket.on('end', onClosed)
    socket.on('close', onClosed)
  }

  /** @param ca - undefined for a connection without TLS; it says nothing yet */
  static async connect(port: number, ca: string | undefined): Promise<FrameClient> {
    const target = { port, host: '127.0.0.1' }
    const socket =
      ca === undefined
        ? connectTcp(target)
        : connectTls({ ...target, servername: 'localhost', ca, ALPNProtocols: ['h2'] })
    await once(socket, ca === undefined ? 'connect' : 'secureConnect')
    return new FrameClient(socket)
  }

  /** One that has said the preface and has seen the server's. */
  static async open(port: number, ca: string | undefined): Promise<FrameClient> {
    const client = await FrameClient.connect(port, ca)
    client.send(Buffer.from(PREFACE), frame(SETTINGS, 0, 0))
    await client.next(({ type, flags }) => type === SETTINGS && flags === 0)
    client.send(frame(SETTINGS, ACK, 0))
    return client
  }

  send(...bytes: Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(bytes))
  }

  /** The first frame that is meant, taken out; undefined when the connection ends without one. */
  async next(isMeant: (frame: Http2Frame) => boolean): Promise<Http2Frame | undefined> {
    for (;;) {
      const index = this.frames.findIndex(isMeant)
      if (index !== -1) return this.frames.splice(index, 1)[0]
      if (this.isClosed) return undefined
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  /** How a stream comes out: `status NNN`, `reset CODE`, `goaway CODE`, or `closed`. */
  async outcome(stream: number): Promise<string> {
    const found = await this.next(
      ({ type, stream: id }) => type === GOAWAY || (id === stream && (type === RST_STREAM || type === HEADERS)),
    )
    if (found === undefined) return 'closed'
    if (found.type === GOAWAY) return `goaway ${found.payload.readUInt32BE(4)}`
    if (found.type === RST_STREAM) return `reset ${found.payload.readUInt32BE(0)}`
    return `status ${statusOf(found.payload)}`
  }

  /** Waits until the connection has ended. */
  async end(): Promise<void> {
    while (!this.isClosed) await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    while (this.#bytes.length >= 9) {
      const length = this.#bytes.readUIntBE(0, 3)
      if (this.#bytes.length < 9 + length) break
      this.frames.push({
        type: this.#bytes.readUInt8(3),
        flags: this.#bytes.readUInt8(4),
        stream: this.#bytes.readUInt32BE(5) & 0x7fff_ffff,
        payload: Buffer.from(this.#bytes.subarray(9, 9 + length)),
      })
      this.#bytes = this.#bytes.subarray(9 + length)
    }
    this.#wake()
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

/** Of a response whose `:status` is the first field, as nghttp2 writes it: from the static table, or a literal with its name there. */
function statusOf(payload: Buffer): number {
  const indexed = [200, 204, 206, 304, 400, 404, 500][payload[0]! - 0x88]
  if (indexed !== undefined) return indexed
  // `:status` without an index of its own, three digits in Huffman's code or as they are.
  return payload[1] === 3
    ? Number(payload.toString('latin1', 2, 5))
    : Number(digitsOf(payload.subarray(2, 2 + (payload[1]! & 127))))
}

/** Digits in the code of RFC 7541 appendix B: 0 to 2 in five bits, 3 to 9 in six. */
function digitsOf(bytes: Buffer): string {
  let bits = ''
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0')
  let digits = ''
  while (digits.length < 3) {
    const short = parseInt(bits.slice(0, 5), 2)
    const isShort = short < 3
    digits += isShort ? short : parseInt(bits.slice(0, 6), 2) - 0x19 + 3
    bits = bits.slice(isShort ? 5 : 6)
  }
  return digits
}
