import { describe, expect, test } from 'vitest'
import {
  EAGAIN,
  IORING_CQE_F_MORE,
  IORING_OP_ACCEPT,
  IORING_OP_POLL_ADD,
} from '../../../src/broker/engine/uring/kernel.ts'
import { ACCEPT, POLL, threadReactor } from '../../../src/broker/engine/uring/reactor.ts'
import type { Reactor } from '../../../src/broker/engine/uring/reactor.ts'
import { UringListener } from '../../../src/broker/engine/uring/uring-listener.ts'
import { libc } from '../../../src/sockets/libc.ts'
import { openListeningSocket } from '../../../src/sockets/listening-socket.ts'

const reactor = process.platform === 'linux' ? threadReactor() : 'io_uring is a part of Linux'

// Newer kernels wait for such a socket, too: what older ones say is played here.
describe.skipIf(typeof reactor === 'string')('a listener whose socket another process has set not to block', () => {
  test('is polled when nobody is there, and accepted from by the ring when somebody has come', () => {
    const { descriptor } = openListeningSocket(libc()!, { host: '127.0.0.1', port: 0, ipv6Only: true }, 8)
    const prepared: number[] = []
    const played = {
      calls: (reactor as Reactor).calls,
      ring: { entries: new Int32Array(16) },
      enter: () => 0,
      prepare(head: number): number {
        prepared.push(head & 0xff)
        return 0
      },
    }
    const given: number[] = []
    const divert = (accepted: number): boolean => given.push(accepted) > 0
    const listener = new UringListener(played as unknown as Reactor, descriptor, undefined, () => {}, divert)
    expect(prepared.splice(0)).toEqual([IORING_OP_ACCEPT])
    listener.onResult(ACCEPT, -EAGAIN, 0)
    expect(prepared.splice(0)).toEqual([IORING_OP_POLL_ADD])
    listener.onResult(POLL, 1, 0)
    expect(prepared.splice(0)).toEqual([IORING_OP_ACCEPT])
    listener.onResult(ACCEPT, 1000, IORING_CQE_F_MORE)
    expect(prepared).toEqual([])
    listener.onResult(ACCEPT, -EAGAIN, 0)
    expect(prepared).toEqual([IORING_OP_POLL_ADD])
    expect(given).toEqual([1000])
    libc()!.close(descriptor)
  })
})
