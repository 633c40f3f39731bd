import { expect, test } from 'vitest'
import { threadReactor } from '../../../src/broker/engine/uring/reactor.ts'

const reactor = process.platform === 'linux' ? threadReactor() : 'io_uring is a part of Linux'

test.skipIf(typeof reactor === 'string')(
  'what the last look of a turn leaves to be sent is sent before the thread sleeps',
  async () => {
    if (typeof reactor === 'string') return
    let looks = 0
    let sends = 0
    const begin = reactor.watch({
      wake() {},
      poll() {
        if (++looks === 1) reactor.willSend({ submitSend: () => sends++ })
        return false
      },
      sleep: () => false,
    })
    begin()
    await expect.poll(() => sends).toBe(1)
  },
)
