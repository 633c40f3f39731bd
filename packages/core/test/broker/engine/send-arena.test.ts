import { closeSync, openSync, readSync } from 'node:fs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LARGE_BYTES, SMALL_BYTES, SendArena } from '../../../src/broker/engine/uring/send-arena.ts'
import type { SendBlock } from '../../../src/broker/engine/uring/send-arena.ts'
import { systemCalls } from '../../../src/broker/engine/uring/system-calls.ts'

/** One for each page. @see https://www.kernel.org/doc/html/latest/admin-guide/mm/pagemap.html */
const PAGEMAP_ENTRY_BYTES = 8
/** Of an entry's last byte: the page has memory. */
const PRESENT_BIT = 0x80

/** What the system holds of the blocks. */
function residentBytes(blocks: readonly SendBlock[]): number {
  const { pageBytes } = systemCalls()
  const pagemap = openSync('/proc/self/pagemap', 'r')
  let pages = 0
  try {
    for (const { addressLow, addressHigh, size } of blocks) {
      const first = Math.floor((addressHigh * 2 ** 32 + (addressLow >>> 0)) / pageBytes)
      const entries = Buffer.alloc(Math.ceil(size / pageBytes) * PAGEMAP_ENTRY_BYTES)
      readSync(pagemap, entries, 0, entries.length, first * PAGEMAP_ENTRY_BYTES)
      for (let last = 7; last < entries.length; last += PAGEMAP_ENTRY_BYTES) {
        if ((entries[last]! & PRESENT_BIT) !== 0) pages++
      }
    }
  } finally {
    closeSync(pagemap)
  }
  return pages * pageBytes
}

function fill(block: SendBlock, value: number): void {
  block.bytes.fill(value, block.start, block.start + block.size)
}

function holds(block: SendBlock, value: number): boolean {
  return block.bytes.subarray(block.start, block.start + block.size).every((byte) => byte === value)
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const sizes = [
  ['large', LARGE_BYTES, (arena: SendArena) => arena.takeLarge()],
  ['small', SMALL_BYTES, (arena: SendArena) => arena.takeSmall()],
] as const

test.each(sizes)('%s blocks that clients have left unread are given back when they have gone', (_name, size, take) => {
  const arena = new SendArena(systemCalls())
  const count = Math.ceil((24 * 1024 * 1024) / size)
  const blocks = Array.from({ length: count }, () => take(arena))
  for (const block of blocks) fill(block, 1)
  expect(residentBytes(blocks)).toBeGreaterThanOrEqual(count * size)
  vi.advanceTimersByTime(60_000)
  // In flight, for as long as it takes.
  expect(blocks.every((block) => holds(block, 1))).toBe(true)
  for (const block of blocks) arena.release(block)
  vi.advanceTimersByTime(60_000)
  expect(residentBytes(blocks)).toBeLessThan(3 * 1024 * 1024)
  // Nothing is left to do.
  expect(vi.getTimerCount()).toBe(0)
})

test('blocks in use keep what is in them while others are given back, and those serve again', () => {
  const arena = new SendArena(systemCalls())
  const blocks = Array.from({ length: 300 }, () => arena.takeLarge())
  for (const [index, block] of blocks.entries()) fill(block, index % 251)
  const kept = blocks.filter((_, index) => index % 3 === 0)
  for (const [index, block] of blocks.entries()) if (index % 3 !== 0) arena.release(block)
  vi.advanceTimersByTime(60_000)
  for (const [index, block] of kept.entries()) expect(holds(block, (index * 3) % 251)).toBe(true)
  const again = Array.from({ length: 200 }, () => arena.takeLarge())
  for (const block of again) fill(block, 255)
  expect(new Set([...kept, ...again]).size).toBe(300)
  for (const [index, block] of kept.entries()) expect(holds(block, (index * 3) % 251)).toBe(true)
  expect(again.every((block) => holds(block, 255))).toBe(true)
})

test('what is used again and again stays', () => {
  const calls = systemCalls()
  const discarded = vi.fn()
  const arena = new SendArena({ ...calls, discard: discarded })
  for (let second = 0; second < 10; second++) {
    const blocks = Array.from({ length: 200 }, () => arena.takeLarge())
    for (const block of blocks) arena.release(block)
    vi.advanceTimersByTime(1000)
  }
  expect(discarded).not.toHaveBeenCalled()
})
