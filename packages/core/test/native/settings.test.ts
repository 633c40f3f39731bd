import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { expect, test, vi } from 'vitest'
import type { HttpSysError } from '../../src/base/errors.ts'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import type { UrlPrefixOptions } from '../../src/base/url-prefix.ts'
import { NativeBackend } from '../../src/native/native-backend.ts'
import { QueueController } from '../../src/native/queue-controller.ts'
import type { ExchangeListener } from '../../src/queue/exchange.ts'
import { freePort } from '../support/free-port.ts'
import { RawClient } from '../support/raw-client.ts'
import { Machine } from './double/machine.ts'

const TIMEOUTS = 3
const QOS = 2

/** What Windows was told when a prefix with these settings was claimed. */
async function toldWith(options: UrlPrefixOptions): Promise<{
  length: number
  verbosity: number
  timeouts: { entityBody: number; drain: number; requestQueue: number; idle: number; head: number; minSendRate: number }
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
      idle: timeouts.readUInt16LE(10),
      head: timeouts.readUInt16LE(12),
      minSendRate: timeouts.readUInt32LE(16),
    },
    connections: groupProperties.get(QOS)?.readUInt32LE(20),
  }
}

test('Windows is told the defaults', async () => {
  expect(await toldWith({})).toEqual({
    length: 1000,
    verbosity: 2,
    // 0: those of the machine.
    timeouts: { entityBody: 120, drain: 120, requestQueue: 120, idle: 0, head: 0, minSendRate: 150 },
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
    idleConnectionTimeout: 7000,
    headerWaitTimeout: 8000,
    minSendRate: 300,
    maxConnections: 12,
  })
  expect(told).toEqual({
    length: 7,
    verbosity: 1,
    // Whole seconds, and at least one: 0 is Windows' word for its default.
    timeouts: { entityBody: 5, drain: 7, requestQueue: 1, idle: 7, head: 8, minSendRate: 300 },
    connections: 12,
  })
})

test('no limit is the longest that Windows knows', async () => {
  const told = await toldWith({ entityBodyTimeout: 0, minSendRate: 0, verbosity503: 'basic' })
  expect(told.timeouts).toMatchObject({ entityBody: 65_535, minSendRate: 0xffff_ffff })
  expect(told.verbosity).toBe(0)
})

/** What a client gets that is one too many for a queue that nobody receives from. */
async function oneTooMany(options: UrlPrefixOptions, others: number): Promise<string> {
  await using machine = new Machine()
  const port = await freePort()
  new QueueController(machine.start().api).hold(UrlPrefix.parse(`http://localhost:${port}/`, options))
  const clients: RawClient[] = []
  const request = async (): Promise<RawClient> => {
    const client = await RawClient.open(port)
    clients.push(client)
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    return client
  }
  for (let count = 0; count < others; count++) await request()
  await vi.waitFor(() => expect(machine.requestCount).toBe(others), { interval: 5, timeout: 60_000 })
  const answer = await (await request()).untilEnd()
  for (const client of clients) client[Symbol.dispose]()
  return answer.split('\r\n')[0]!
}

test.each([
  ['basic', ''],
  ['limited', 'HTTP/1.1 503 Service Unavailable'],
  ['full', 'HTTP/1.1 503 Service Unavailable - QueueFull'],
] as const)('with verbosity %s, a request that finds the queue full is answered %j', async (verbosity503, line) => {
  expect(await oneTooMany({ queueLength: 2, verbosity503 }, 2)).toBe(line)
})

test('a connection more than the limit is turned away', async () => {
  expect(await oneTooMany({ maxConnections: 3 }, 3)).toBe('HTTP/1.1 503 Service Unavailable')
})

test('a prefix that is not reserved for this user is refused with the command that reserves it', async () => {
  await using machine = new Machine()
  const port = await freePort()
  const url = `http://localhost:${port}/app/`
  machine.reserved.add(url)
  const backend = new NativeBackend({ load: () => machine.start().api })
  const refusal = await backend.open(UrlPrefix.parse(url), {} as ExchangeListener).catch((error: unknown) => error)
  expect(refusal).toMatchObject({ code: 'EACCES', subject: url })
  expect((refusal as HttpSysError).remedy).toContain(`netsh http add urlacl url=${url} user=`)
})

test('a port of a program that does not use HTTP.SYS is refused, with who that may be', async () => {
  await using machine = new Machine()
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const backend = new NativeBackend({ load: () => machine.start().api })
  const prefix = UrlPrefix.parse(`http://localhost:${port}/`)
  const refusal = await backend.open(prefix, {} as ExchangeListener).catch((error: unknown) => error)
  other.close()
  expect(refusal).toMatchObject({ code: 'EADDRINUSE', reason: expect.stringContaining('does not use HTTP.SYS') })
  expect((refusal as HttpSysError).remedy).toMatch(/netstat -abno.*nginx, Apache/)
})
