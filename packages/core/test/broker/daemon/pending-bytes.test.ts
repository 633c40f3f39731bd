import { expect, test } from 'vitest'
import { PendingBytes } from '../../../src/broker/daemon/pending-bytes.ts'

test('keeps what is appended, in order, in a copy', () => {
  const pending = new PendingBytes()
  const source = Buffer.from('..one two..')
  pending.append(source, 2, 6)
  pending.append(source, 6, 6)
  pending.append(source, 6, 9)
  source.fill(0)
  expect(pending.length).toBe(7)
  expect(pending.bytes.toString('latin1', 0, pending.length)).toBe('one two')
})

test.each([
  [512, 512],
  [513, 1024],
  [5000, 5000],
])('a first piece of %i bytes takes %i', (length, capacity) => {
  const pending = new PendingBytes()
  pending.append(Buffer.alloc(length, 'x'), 0, length)
  expect([pending.length, pending.bytes.length]).toEqual([length, capacity])
  expect(pending.bytes.subarray(0, length).equals(Buffer.alloc(length, 'x'))).toBe(true)
})

test('byte by byte it is copied a few times only', () => {
  const pending = new PendingBytes()
  const buffers = new Set<Buffer>()
  const source = Buffer.from(Array.from({ length: 16_384 }, (_, index) => index & 255))
  for (let index = 0; index < source.length; index++) {
    pending.append(source, index, index + 1)
    buffers.add(pending.bytes)
  }
  expect(pending.bytes.subarray(0, pending.length).equals(source)).toBe(true)
  expect(buffers.size).toBe(6)
})
