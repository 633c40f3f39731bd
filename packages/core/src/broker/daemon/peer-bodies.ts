import { BLOCK_BYTES, BLOCK_COUNT } from '../blocks/block-memory.ts'
import type { BrokerBlocks } from '../blocks/broker-blocks.ts'
import { broken } from '../protocol/broken.ts'
import type { FrameWriter } from '../protocol/frame-writer.ts'
import { BODY_BLOCK_BYTES, FLAG_END, FRAME_BLOCK_FREE, HEADER_BYTES } from '../protocol/frames.ts'
import type { ExchangeSink } from './exchange/exchange-sink.ts'

/** So many blocks are given back by themselves; fewer wait for a frame that wakes the owner anyway. */
const MAX_FREED_BLOCKS = BLOCK_COUNT / 2

/** Who has the memory in common with an owner, once the two have agreed on it. */
interface BlocksHolder {
  /** null: bodies go in frames. */
  readonly blocks: BrokerBlocks | null
}

/** What is large of bodies on its way to one owner and from it: it goes through blocks as long as there are any. */
export class PeerBodies {
  readonly #holder: BlocksHolder
  readonly #writer: FrameWriter
  /** Of the owner: they have been sent, and it has not been told. */
  readonly #freed: number[] = []

  constructor(holder: BlocksHolder, writer: FrameWriter) {
    this.#holder = holder
    this.#writer = writer
  }

  /** Sends a piece of a request's body, `bytes[start, end)`, as BODY_BLOCK or BODY frames. */
  send(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const { blocks } = this.#holder
    let position = start
    while (blocks !== null && position < end) {
      const next = Math.min(position + BLOCK_BYTES, end)
      const block = blocks.put(bytes, position, next)
      if (block === -1) break
      this.#writer.block(next === end ? flags : 0, block, id, next - position)
      if (next === end) return
      position = next
    }
    this.#writer.body(flags, id, bytes, position, end)
  }

  /** The owner does not need a block of the broker any more. */
  onFree(block: number): void {
    if (this.#holder.blocks?.giveBack(block) !== true) throw broken('a block of memory that it was not given')
  }

  /**
   * A BODY_BLOCK frame has come, `[start, end)` in `view`.
   *
   * @param exchange - undefined when it has ended meanwhile
   */
  onBlock(
    exchange: ExchangeSink | undefined,
    flags: number,
    block: number,
    view: DataView,
    start: number,
    end: number,
  ): void {
    const { blocks } = this.#holder
    const length = end - start === BODY_BLOCK_BYTES ? view.getUint32(start + HEADER_BYTES, true) : Infinity
    if (blocks === null || !blocks.has(block, length)) throw broken('a block of memory that it does not have')
    const giveBack = blocks.lend(() => {
      if (this.#freed.push(block) >= MAX_FREED_BLOCKS) this.giveBack()
    })
    if (exchange === undefined) return giveBack()
    const at = block * BLOCK_BYTES
    try {
      exchange.onResponseBlock(blocks.bytes, at, at + length, (flags & FLAG_END) !== 0, giveBack)
    } catch (error) {
      giveBack()
      throw error
    }
  }

  /** Tells the owner which of its blocks it has back. */
  giveBack(): void {
    if (this.#freed.length === 0) return
    for (const block of this.#freed) this.#writer.signal(FRAME_BLOCK_FREE, 0, block, 0)
    this.#freed.length = 0
  }
}
