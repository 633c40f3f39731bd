import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { RECEIVE, threadReactor } from '../../../src/broker/engine/uring/reactor.ts'
import { UringConnection } from '../../../src/broker/engine/uring/uring-connection.ts'
import { UringEngine } from '../../../src/broker/engine/uring/uring-engine.ts'
import { Harness } from './engines.ts'

const reactor = process.platform === 'linux' ? threadReactor() : 'io_uring is a part of Linux'

describe.skipIf(typeof reactor === 'string')('a connection on the ring', () => {
  if (typeof reactor === 'string') return
  let harness: Harness
  let client: Socket
  let connection: UringConnection

  beforeEach(async () => {
    harness = await Harness.listen(UringEngine.open() as UringEngine)
    const { client: own, recorder } = await harness.connect()
    client = own
    connection = recorder.connection as UringConnection
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    await harness[Symbol.asyncDispose]()
  })

  // Linux 5.19 does this; a kernel that does not can't be asked to.
  test.each([
    { what: 'data', result: 5 },
    { what: 'an end', result: 0 },
    { what: 'an error', result: -104 },
  ])('gives a buffer back that $what has used up', ({ result }) => {
    const recycle = vi.spyOn(reactor.smallBuffers, 'recycle').mockReturnValue()
    connection.onResult(RECEIVE, result, (7 << 16) | 3)
    expect(recycle.mock.calls).toEqual([[7]])
  })

  test('has no buffer to give back for an end that has used none up', () => {
    const recycle = vi.spyOn(reactor.smallBuffers, 'recycle').mockReturnValue()
    connection.onResult(RECEIVE, 0, 2)
    expect(recycle).not.toHaveBeenCalled()
  })

  test('that there is no descriptor for to give it away ends', async () => {
    vi.spyOn(reactor.calls, 'duplicate').mockReturnValue(-1)
    let given: number | undefined
    connection.detach((descriptor) => (given = descriptor))
    await once(client.resume(), 'end')
    expect(given).toBeUndefined()
  })
})
