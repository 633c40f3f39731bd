import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { UrlPrefix } from '../../../../src/base/url-prefix.ts'
import { openBrokerQueue } from '../../../../src/broker/client/open-broker-queue.ts'
import type { Delivery } from '../../../../src/broker/rings/delivery.ts'
import { queueContract } from '../../../../src/queue/contract.ts'
import type { ExchangeListener } from '../../../../src/queue/exchange.ts'
import { hasSharedMemory } from '../../../../src/sockets/shared-memory.ts'
import { startBroker } from '../../../support/broker-fixture.ts'
import { Http2Client, StreamClient } from '../../../support/http2-client.ts'
import { certifyEverywhere } from '../../../support/pki.ts'

/** A claim that nobody asks anything; it finds a free port and keeps it. */
const anchor = new Proxy({} as ExchangeListener, { get: () => () => {} })

const deliveries: Delivery[] = hasSharedMemory() ? ['sockets', 'rings'] : ['sockets']

describe.each(deliveries)('streams of one HTTP/2 connection, over %s', (delivery) => {
  beforeEach(() => {
    vi.stubEnv('HTTPSYS_DELIVERY', delivery)
  })
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  for (const { name, run } of queueContract) {
    test(name, async () => {
      await using fixture = await startBroker()
      const { cert } = certifyEverywhere(fixture.directory)
      const held = await openBrokerQueue(UrlPrefix.parse('https://localhost:0/anchor/'), anchor)
      const { port } = held.address
      await using client = await Http2Client.open(port, cert)
      await run({
        open: openBrokerQueue,
        base: `https://localhost:${port}`,
        send: (request) => Promise.resolve(new StreamClient(client, request)),
      })
      await held.shutdown()
      expect(fixture.violations).toEqual([])
    })
  }
})
