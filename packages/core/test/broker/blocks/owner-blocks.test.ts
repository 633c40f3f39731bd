import { closeSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { BLOCK_BYTES, BLOCK_COUNT, BLOCKS_BYTES, BROKER_BLOCKS_START } from '../../../src/broker/blocks/block-memory.ts'
import { OwnerBlocks } from '../../../src/broker/blocks/owner-blocks.ts'
import { createSharedMemory, hasSharedMemory, mapSharedMemory } from '../../../src/sockets/shared-memory.ts'

/** Both sides of new memory. */
function open(): { blocks: OwnerBlocks; seen: Buffer } {
  const { memory, descriptor } = createSharedMemory(BLOCKS_BYTES)
  const seen = Buffer.from(mapSharedMemory(descriptor, BLOCKS_BYTES).bytes)
  closeSync(descriptor)
  return { blocks: new OwnerBlocks(memory), seen }
}

describe.skipIf(!hasSharedMemory())('the blocks of an owner', () => {
  test('hold what is put into them, for the other side to see', () => {
    const { blocks, seen } = open()
    const source = Buffer.from(Array.from({ length: BLOCK_BYTES }, (_, index) => index % 251))
    const first = blocks.put(source, 20_000)
    const second = blocks.put(source, BLOCK_BYTES)
    expect(first).not.toBe(second)
    expect(seen.subarray(first * BLOCK_BYTES, first * BLOCK_BYTES + 20_000)).toEqual(source.subarray(0, 20_000))
    expect(seen.subarray(second * BLOCK_BYTES, (second + 1) * BLOCK_BYTES)).toEqual(source)
    blocks.close()
  })

  test('are each given out once, until they come back', () => {
    const { blocks } = open()
    const piece = Buffer.alloc(BLOCK_BYTES)
    const taken = Array.from({ length: BLOCK_COUNT }, () => blocks.put(piece, piece.length))
    expect(new Set(taken)).toEqual(new Set(Array.from({ length: BLOCK_COUNT }, (_, block) => block)))
    expect(blocks.put(piece, piece.length)).toBe(-1)
    blocks.giveBack(7)
    expect(blocks.put(piece, piece.length)).toBe(7)
    blocks.close()
  })

  test('are not for what is small, nor for more than one holds', () => {
    const { blocks } = open()
    expect(blocks.put(Buffer.alloc(1000), 1000)).toBe(-1)
    expect(blocks.put(Buffer.alloc(BLOCK_BYTES + 1), BLOCK_BYTES + 1)).toBe(-1)
    blocks.close()
  })

  test('are no more when their connection has ended', () => {
    const { blocks } = open()
    const piece = Buffer.alloc(BLOCK_BYTES)
    blocks.close()
    blocks.giveBack(0)
    expect(blocks.put(piece, piece.length)).toBe(-1)
    expect(blocks.take(0, 20_000)).toHaveLength(0)
  })

  test('show what the broker has put into its own, as a copy', () => {
    const { blocks, seen } = open()
    const piece = Buffer.alloc(BLOCK_BYTES, 'piece')
    const at = BROKER_BLOCKS_START + 15 * BLOCK_BYTES
    piece.copy(seen, at)
    const taken = blocks.take(15, 20_000)
    seen.fill(0, at)
    expect(taken).toEqual(piece.subarray(0, 20_000))
    blocks.close()
  })
})
