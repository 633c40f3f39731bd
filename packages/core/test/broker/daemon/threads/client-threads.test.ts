import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { OwnerPeer } from '../../../../src/broker/daemon/owner-peer.ts'
import { DEFAULT_SERVER_LIMITS } from '../../../../src/broker/daemon/server-limits.ts'
import { ClientThreads } from '../../../../src/broker/daemon/threads/client-threads.ts'

const TIMEOUT_MS = 1000

let threads: ClientThreads
let isLinked: boolean

beforeEach(() => {
  vi.useFakeTimers()
  const secure = { runtimeDirectory: '', http2: undefined, handshakeTimeout: undefined }
  // They are not started: what they are told is kept.
  threads = new ClientThreads(3, { limits: DEFAULT_SERVER_LIMITS, delivery: undefined, configDirectory: '', secure })
  isLinked = false
})
afterEach(() => {
  vi.useRealTimers()
})

async function wait(): Promise<void> {
  void threads.whenLinked(TIMEOUT_MS).then(() => (isLinked = true))
  await settled()
}

async function settled(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0)
}

function peer(pid: number): OwnerPeer {
  return { pid } as OwnerPeer
}

test('nobody is waited for when no owner is on its way to another thread', async () => {
  await wait()
  expect(isLinked).toBe(true)
})

test('owners are waited for until each has connected to each thread, or has gone', async () => {
  const [first, second] = [peer(1), peer(2)]
  const { key } = threads.onOwner(first)
  threads.onOwner(second)
  await wait()
  threads.onLink({ key, thread: 1 }, 0, -1)
  threads.onLink({ key, thread: 2 }, 0, -1)
  await settled()
  expect(isLinked).toBe(false)
  threads.onOwnerGone(second, false)
  await settled()
  expect(isLinked).toBe(true)
})

test('an owner that does not come is waited for no longer than was said', async () => {
  threads.onOwner(peer(1))
  await wait()
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS - 1)
  expect(isLinked).toBe(false)
  await vi.advanceTimersByTimeAsync(1)
  expect(isLinked).toBe(true)
})
