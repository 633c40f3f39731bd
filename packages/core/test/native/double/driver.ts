import { offsetOf, sizeOf } from './golden.ts'
import type { DoubleProcess } from './process.ts'
import { IO_PENDING, SUCCESS } from './status.ts'

/** A completion as the driver takes it from the port. */
export interface Taken {
  readonly overlapped: number
  readonly internal: number
  readonly bytes: number
}

/** Drives a process's function table by hand, to show what the double does and what it notices. */
export class Driver {
  readonly process: DoubleProcess
  readonly session: bigint
  readonly group: bigint
  readonly queue: number
  readonly port: number
  readonly #out: number
  readonly #taken: Taken[] = []
  #isWaiting = false
  #wake: () => void = () => {}

  constructor(process: DoubleProcess, url: string, name: string | null = null) {
    this.process = process
    const { http, kernel, memory } = process.api
    this.#out = memory.alloc(16)
    this.check(http.HttpInitialize(2, 1, 0))
    this.check(http.HttpCreateServerSession(2, this.#out, 0))
    this.session = this.#u64()
    this.check(http.HttpCreateUrlGroup(this.session, this.#out, 0))
    this.group = this.#u64()
    this.check(http.HttpCreateRequestQueue(2, name, 0, 0, this.#out))
    this.queue = Number(this.#u64())
    this.port = kernel.CreateIoCompletionPort(-1, 0, 0, 0)
    kernel.CreateIoCompletionPort(this.queue, this.port, 7, 0)
    kernel.SetFileCompletionNotificationModes(this.queue, 1)
    const binding = this.bytes(16)
    binding.view.writeUInt32LE(1)
    binding.view.writeBigUInt64LE(BigInt(this.queue), 8)
    this.check(http.HttpSetUrlGroupProperty(this.group, 7, binding.address, 16))
    this.check(http.HttpAddUrlToUrlGroup(this.group, url, 0n, 0))
  }

  /** Gives everything back in the order that the documentation asks for. */
  close(url: string): void {
    const { http } = this.process.api
    this.check(http.HttpRemoveUrlFromUrlGroup(this.group, url, 0))
    this.check(http.HttpCloseRequestQueue(this.queue))
    this.check(http.HttpCloseUrlGroup(this.group))
    this.check(http.HttpCloseServerSession(this.session))
    this.check(http.HttpTerminate(1, 0))
  }

  bytes(length: number): { address: number; view: Buffer } {
    const address = this.process.memory.alloc(length)
    return { address, view: Buffer.from(this.process.memory.view(address, length)) }
  }

  /** Receives and waits for what becomes of it. */
  async receive(buffer: number, length: number, id = 0n, flags = 1): Promise<{ status: number; bytes: number }> {
    const overlapped = this.bytes(sizeOf('OVERLAPPED'))
    const { http } = this.process.api
    const status = http.HttpReceiveHttpRequest(this.queue, id, flags, buffer, length, 0, overlapped.address)
    return await this.outcome(status, overlapped)
  }

  async outcome(
    status: number,
    overlapped: { address: number; view: Buffer },
  ): Promise<{ status: number; bytes: number }> {
    if (status !== IO_PENDING) return { status, bytes: overlapped.view.readUInt32LE(8) }
    const { internal, bytes } = await this.completion(overlapped.address)
    return { status: internal, bytes }
  }

  /** The completion of one operation; others are kept. */
  async completion(overlapped: number): Promise<Taken> {
    for (;;) {
      const index = this.#taken.findIndex((taken) => taken.overlapped === overlapped)
      if (index !== -1) return this.#taken.splice(index, 1)[0]!
      this.#wait()
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  /** A response of plain text; the addresses of what a send needs. */
  response(text: string, status = 200): { response: number; chunks: number; body: Buffer } {
    const body = this.bytes(Math.max(1, text.length))
    body.view.write(text, 'latin1')
    const chunk = this.bytes(sizeOf('HTTP_DATA_CHUNK'))
    chunk.view.writeBigUInt64LE(BigInt(body.address), offsetOf('HTTP_DATA_CHUNK', 'FromMemory.pBuffer'))
    chunk.view.writeUInt32LE(text.length, offsetOf('HTTP_DATA_CHUNK', 'FromMemory.BufferLength'))
    const response = this.bytes(sizeOf('HTTP_RESPONSE_V2'))
    response.view.writeUInt16LE(status, offsetOf('HTTP_RESPONSE_V1', 'StatusCode'))
    response.view.writeUInt16LE(1, offsetOf('HTTP_RESPONSE_V1', 'EntityChunkCount'))
    response.view.writeBigUInt64LE(BigInt(chunk.address), offsetOf('HTTP_RESPONSE_V1', 'pEntityChunks'))
    return { response: response.address, chunks: chunk.address, body: body.view }
  }

  send(id: bigint, response: number, flags = 0, overlapped = this.bytes(32).address): number {
    return this.process.api.http.HttpSendHttpResponse(this.queue, id, flags, response, 0, 0, 0, 0, overlapped, 0)
  }

  sendBody(id: bigint, chunks: number, flags = 0, overlapped = this.bytes(32).address): number {
    const { http } = this.process.api
    return http.HttpSendResponseEntityBody(this.queue, id, flags, 1, chunks, 0, 0, 0, overlapped, 0)
  }

  check(status: number): void {
    if (status !== SUCCESS) throw new Error(`status ${status}`)
  }

  #wait(): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    const size = sizeOf('OVERLAPPED_ENTRY')
    const entries = this.bytes(size * 16)
    const removed = this.bytes(4)
    this.process.api.kernel.waitForCompletions(this.port, entries.address, 16, removed.address, () => {
      this.#isWaiting = false
      for (let index = 0; index < removed.view.readUInt32LE(); index++) {
        const entry = entries.view.subarray(index * size)
        this.#taken.push({
          overlapped: Number(entry.readBigUInt64LE(offsetOf('OVERLAPPED_ENTRY', 'lpOverlapped'))),
          internal: entry.readUInt32LE(offsetOf('OVERLAPPED_ENTRY', 'Internal')),
          bytes: entry.readUInt32LE(offsetOf('OVERLAPPED_ENTRY', 'dwNumberOfBytesTransferred')),
        })
      }
      this.#wake()
    })
  }

  #u64(): bigint {
    return Buffer.from(this.process.memory.view(this.#out, 8)).readBigUInt64LE()
  }
}
