import { closeSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createSharedMemory, hasSharedMemory, mapSharedMemory } from '../../src/sockets/shared-memory.ts'

const LENGTH = 64 * 1024

/** memfd_create is Linux's. */
describe.skipIf(!hasSharedMemory())('sealed shared memory', () => {
  test('two mappings of one descriptor are the same memory', () => {
    const { memory, descriptor } = createSharedMemory(LENGTH)
    const other = mapSharedMemory(descriptor, LENGTH)
    closeSync(descriptor)
    Atomics.store(new Int32Array(memory.bytes), 5, 42)
    expect(Atomics.load(new Int32Array(other.bytes), 5)).toBe(42)
    memory.close()
    // The other side keeps it.
    expect(Atomics.load(new Int32Array(other.bytes), 5)).toBe(42)
    other.close()
    other.close()
  })

  test.each([0, LENGTH - 1, LENGTH + 1])('nobody can make it %s bytes long', (length) => {
    const { memory, descriptor } = createSharedMemory(LENGTH)
    try {
      expect(() => ftruncateSync(descriptor, length)).toThrow(/EPERM/)
      expect(new Uint8Array(memory.bytes)[LENGTH - 1]).toBe(0)
    } finally {
      closeSync(descriptor)
      memory.close()
    }
  })

  test('memory of another length is refused', () => {
    const path = join(tmpdir(), `httpsys-short-${process.pid}`)
    const descriptor = openSync(path, 'w+')
    try {
      writeSync(descriptor, 'short')
      expect(() => mapSharedMemory(descriptor, LENGTH)).toThrow(/EINVAL/)
    } finally {
      closeSync(descriptor)
      unlinkSync(path)
    }
  })
})
