import { expect, test } from 'vitest'
import { koffiMemory } from '../../src/native/load-win32.ts'
import { MemoryBlock } from '../../src/native/memory-block.ts'
import { OverlappedPool } from '../../src/native/overlapped.ts'

/** STATUS_PENDING, which Windows writes into `OVERLAPPED.Internal` when it begins. */
const PENDING = 0x103
const nobody = { onCompletion() {} }

function internalOf(address: number): Uint32Array {
  return new Uint32Array(koffiMemory.view(address, 8))
}

test('an OVERLAPPED is not taken again while it is in flight, and is the last of the idle ones afterwards', () => {
  const pool = new OverlappedPool(koffiMemory)
  const first = pool.take(nobody)
  const others = Array.from({ length: 200 }, () => pool.take(nobody))
  expect(new Set([first, ...others].map(({ address }) => address)).size).toBe(201)
  expect(pool.inFlight).toBe(201)
  expect(pool.complete(first.address)).toBe(nobody)
  expect(pool.take(nobody)).not.toBe(first)
})

test('a completion of an earlier operation does not end the one that is under way', () => {
  const pool = new OverlappedPool(koffiMemory)
  const taken = pool.take(nobody)
  internalOf(taken.address)[0] = PENDING
  expect(pool.complete(taken.address)).toBeNull()
  expect(taken.isInFlight).toBe(true)
  internalOf(taken.address)[0] = 0
  expect(pool.complete(taken.address)).toBe(nobody)
  expect(pool.complete(taken.address)).toBeNull()
  expect(pool.complete(0)).toBeNull()
})

test('an OVERLAPPED can not be given back twice', () => {
  const pool = new OverlappedPool(koffiMemory)
  const taken = pool.take(nobody)
  pool.end(taken)
  expect(() => pool.end(taken)).toThrow('not in flight')
})

test('a block of memory can not be freed twice', () => {
  const block = new MemoryBlock(koffiMemory, 16)
  block.free()
  expect(() => block.free()).toThrow('freed twice')
})
