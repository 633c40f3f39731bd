import { expect, test } from 'vitest'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import type { UrlPrefixOptions } from '../../src/base/url-prefix.ts'
import { NativeBackend } from '../../src/native/native-backend.ts'
import type { ExchangeListener } from '../../src/queue/exchange.ts'
import { freePort } from '../support/free-port.ts'
import { Machine } from './double/machine.ts'

const TIMEOUTS = 3
const QOS = 2

/** What Windows was told when a prefix with these settings was claimed. */
async function toldWith(options: UrlPrefixOptions): Promise<{
  length: number
  verbosity: number
  timeouts: { entityBody: number; drain: number; requestQueue: number; minSendRate: number }
  connections: number | undefined
}> {
  await using machine = new Machine()
  const groupProperties = new Map<number, Buffer>()
  const load = () => {
    const { api } = machine.start()
    const { http, memory } = api
    return {
      ...api,
      http: {
        ...http,
        HttpSetUrlGroupProperty(group: bigint, property: number, address: number, length: number) {
          // What the connection limit points at stands behind it.
          const bytes = Buffer.from(memory.view(address, property === QOS ? length + 8 : length))
          groupProperties.set(property, Buffer.from(bytes))
          return http.HttpSetUrlGroupProperty(group, property, address, length)
        },
      },
    }
  }
  const prefix = UrlPrefix.parse(`http://localhost:${await freePort()}/`, options)
  const queue = await new NativeBackend({ load }).open(prefix, {} as ExchangeListener)
  const { length, verbosity } = [...machine.queues.values()][0]!
  await queue.shutdown()
  const timeouts = groupProperties.get(TIMEOUTS)!
  return {
    length,
    verbosity,
    timeouts: {
      entityBody: timeouts.readUInt16LE(4),
      drain: timeouts.readUInt16LE(6),
      requestQueue: timeouts.readUInt16LE(8),
      minSendRate: timeouts.readUInt32LE(16),
    },
    connections: groupProperties.get(QOS)?.readUInt32LE(20),
  }
}

test('Windows is told the defaults', async () => {
  expect(await toldWith({})).toEqual({
    length: 1000,
    verbosity: 2,
    timeouts: { entityBody: 120, drain: 120, requestQueue: 120, minSendRate: 150 },
    connections: undefined,
  })
})

test('Windows is told what a prefix sets', async () => {
  const told = await toldWith({
    queueLength: 7,
    verbosity503: 'limited',
    entityBodyTimeout: 5000,
    drainEntityBodyTimeout: 6001,
    requestQueueTimeout: 1,
    minSendRate: 300,
    maxConnections: 12,
  })
  expect(told).toEqual({
    length: 7,
    verbosity: 1,
    // Whole seconds, and at least one: 0 is Windows' word for its default.
    timeouts: { entityBody: 5, drain: 7, requestQueue: 1, minSendRate: 300 },
    connections: 12,
  })
})

test('no limit is the longest that Windows knows', async () => {
  const told = await toldWith({ entityBodyTimeout: 0, minSendRate: 0, verbosity503: 'basic' })
  expect(told.timeouts).toMatchObject({ entityBody: 65_535, minSendRate: 0xffff_ffff })
  expect(told.verbosity).toBe(0)
})
