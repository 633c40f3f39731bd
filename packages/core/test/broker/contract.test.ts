import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import { openBrokerQueue } from '../../src/broker/client/open-broker-queue.ts'
import { queueContract } from '../../src/queue/contract.ts'
import type { ExchangeListener } from '../../src/queue/exchange.ts'
import type { Delivery } from '../../src/broker/rings/delivery.ts'
import { hasSharedMemory } from '../../src/sockets/shared-memory.ts'
import { startBroker } from '../support/broker-fixture.ts'
import { WireClient } from '../support/wire-client.ts'

/** A claim that nobody asks anything; it finds a free port and keeps it. */
const anchor = new Proxy({} as ExchangeListener, { get: () => () => {} })

const deliveries: Delivery[] = hasSharedMemory() ? ['sockets', 'rings'] : ['sockets']

describe.each(deliveries)('the broker, over %s', (delivery) => {
  beforeEach(() => {
    vi.stubEnv('HTTPSYS_DELIVERY', delivery)
  })
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  for (const { name, run } of queueContract) {
    test(name, async () => {
      await using fixture = await startBroker()
      const held = await openBrokerQueue(UrlPrefix.parse('http://localhost:0/anchor/'), anchor)
      const { port } = held.address
      expect(fixture.broker.status().queues[0]!.owners[0]!.delivery).toBe(delivery)
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
