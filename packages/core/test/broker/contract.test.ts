import { describe, expect, test } from 'vitest'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import { openBrokerQueue } from '../../src/broker/client/open-broker-queue.ts'
import { queueContract } from '../../src/queue/contract.ts'
import type { ExchangeListener } from '../../src/queue/exchange.ts'
import { startBroker } from '../support/broker-fixture.ts'
import { WireClient } from '../support/wire-client.ts'

/** A claim that nobody asks anything; it finds a free port and keeps it. */
const anchor = new Proxy({} as ExchangeListener, { get: () => () => {} })

describe('the broker on the net engine', () => {
  for (const { name, run } of queueContract) {
    test(name, async () => {
      await using fixture = await startBroker()
      const held = await openBrokerQueue(UrlPrefix.parse('http://localhost:0/anchor/'), anchor)
      const { port } = held.address
      await run({
        open: openBrokerQueue,
        base: `http://localhost:${port}`,
        send: (request) => WireClient.send(port, request),
      })
      await held.shutdown()
      expect(fixture.violations).toEqual([])
    })
  }
})
