import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { findBroker } from '../../../src/broker/client/find-broker.ts'
import { connectToBroker } from '../../../src/broker/rendezvous/generations.ts'

vi.mock(import('../../../src/broker/rendezvous/generations.ts'), async (importOriginal) => ({
  ...(await importOriginal()),
  connectToBroker: vi.fn<typeof connectToBroker>(),
}))

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'httpsys-find-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('no second broker is started when one can be found since the last look', async () => {
  const socket = new Socket()
  vi.mocked(connectToBroker).mockResolvedValueOnce(undefined).mockResolvedValueOnce(socket)
  expect(await findBroker(directory, {})).toBe(socket)
  // Whoever starts one opens its log; the mark would keep the next from starting one.
  expect(existsSync(join(directory, 'broker.log'))).toBe(false)
  expect(existsSync(join(directory, 'starting'))).toBe(false)
})
