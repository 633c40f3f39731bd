import { closeSync } from 'node:fs'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { descriptorOf } from '../../src/broker/client/descriptor-of.ts'
import { receiveAnswer } from '../../src/broker/client/receive-answer.ts'
import { FRAME_HELLO, HELLO_RINGS } from '../../src/broker/protocol/frames.ts'
import { encodeText } from '../../src/broker/protocol/frame-writer.ts'
import { encodeHello } from '../../src/broker/protocol/hello.ts'
import { RingLink } from '../../src/broker/rings/ring-link.ts'
import { MEMORY_BYTES, ringOf } from '../../src/broker/rings/ring-memory.ts'
import type { RingMemory } from '../../src/broker/rings/ring-memory.ts'
import { ringDoorbell } from '../../src/sockets/doorbell.ts'
import { mapSharedMemory } from '../../src/sockets/shared-memory.ts'

/** An owner's side of its rings, for tests: it can do everything that a process with the memory can. */
export class RawRings {
  onBytes: (bytes: Buffer) => void = () => {}
  /** The ring that the owner writes to, and the one that the broker does. */
  readonly toBroker: RingMemory
  readonly toOwner: RingMemory
  readonly #link: RingLink
  readonly #socket: Socket

  private constructor(socket: Socket, descriptor: number) {
    this.#socket = socket
    const memory = mapSharedMemory(descriptor, MEMORY_BYTES)
    this.toBroker = ringOf(memory.bytes, 'owner')
    this.toOwner = ringOf(memory.bytes, 'broker')
    // The mapping stays: tests may write to it after the connection has ended.
    const shared = { bytes: memory.bytes, close() {} }
    this.#link = new RingLink(shared, 'owner', {
      onBytes: (bytes, start, end) => this.onBytes(Buffer.from(bytes.subarray(start, end))),
      ringDoorbell: () => this.ring(),
      onBroken: (reason) => socket.destroy(new Error(reason)),
    })
    socket.on('data', () => this.#hear())
    socket.on('close', () => this.#link.drain())
  }

  /** Says HELLO on a new socket, and takes the memory that comes with the answer. */
  static async open(socket: Socket): Promise<RawRings> {
    socket.pause()
    await once(socket, 'connect')
    socket.write(encodeText(FRAME_HELLO, HELLO_RINGS, encodeHello(process.pid)))
    const answer = await receiveAnswer(socket, 4096)
    const [descriptor] = answer?.descriptors ?? []
    if (descriptor === undefined) throw new Error('the broker gives no rings')
    const rings = new RawRings(socket, descriptor)
    closeSync(descriptor)
    socket.resume()
    rings.#hear()
    return rings
  }

  send(bytes: Buffer): void {
    this.#link.send([bytes], () => {})
  }

  /** Rings whether or not the broker sleeps. */
  ring(): void {
    ringDoorbell(descriptorOf(this.#socket))
  }

  #hear(): void {
    do while (this.#link.poll());
    while (this.#link.sleep())
  }
}
