import { expect, test, vi } from 'vitest'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import { NativeBackend } from '../../src/native/native-backend.ts'
import type { Exchange } from '../../src/queue/exchange.ts'
import { LENGTH_UNKNOWN } from '../../src/queue/exchange.ts'
import { RawClient } from '../support/raw-client.ts'
import { PATIENCE, listenerOf, scene } from './scene.ts'

process.setMaxListeners(0)

const nothing = (): void => {}

/** By their ports. */
const clients = new Map<number, RawClient>()

/** Answers, streams, cancels, or has the client give up, as the path says. */
function answerAsAsked(exchange: Exchange): void {
  switch (exchange.target) {
    case '/x/0':
      return void exchange.sendResponse(200, '', '', 2, 0, 'ok', 'latin1', true)
    case '/x/1':
      exchange.sendResponse(200, '', '', LENGTH_UNKNOWN, 0, Buffer.alloc(70_000), null, false)
      return void exchange.sendBody('end', 'latin1', true, '')
    case '/x/2':
      return exchange.cancel()
    default:
      // Nothing is under way on its side by now, so Node sends a reset and no FIN before it.
      setImmediate(() => clients.get(exchange.connection.remotePort)!.socket.resetAndDestroy())
  }
}

async function request(port: number, index: number): Promise<void> {
  using client = await RawClient.open(port)
  clients.set(client.socket.localPort!, client)
  const body = 'b'.repeat(index % 3 === 0 ? 30_000 : 10)
  const head = `POST /x/${index % 4} HTTP/1.1\r\nHost: localhost\r\nX-Fill: ${'f'.repeat(index % 5 === 0 ? 30_000 : 1)}\r\n`
  const sent = `${head}Content-Length: ${body.length}\r\n\r\n${index % 7 === 0 ? '' : body}`
  client.write(sent)
  await client.until(/ok$|end\r\n0\r\n\r\n$/).catch(() => '')
}

test('memory that is taken for requests, aborted ones too, comes back', async () => {
  await using here = await scene(listenerOf(answerAsAsked))
  const queue = await here.open('/x/')
  const run = async (count: number): Promise<number> => {
    for (let index = 0; index < count; index += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, offset) => request(here.port, index + offset)))
    }
    await vi.waitFor(() => expect(here.machine.requestCount).toBe(0), PATIENCE)
    return here.windows.memory.liveBlocks
  }
  const base = await run(400)
  // The pools keep what they have once had, at most 64 blocks of a size; a block lost for each request would be thousands.
  expect(await run(2000)).toBeLessThanOrEqual(base + 2 * 64)
  await queue.shutdown()
  await here.quiet()
  expect(here.backend.inFlight).toBe(0)
})

test('opening and closing queues gives everything back', async () => {
  await using here = await scene(listenerOf((exchange) => exchange.sendResponse(204, '', '', -1, 0, null, null, true)))
  const cycle = async (): Promise<void> => {
    const queue = await here.open('/x/')
    using client = await RawClient.open(here.port)
    client.write('GET /x/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await client.until('204')
    await queue.shutdown()
    await here.quiet()
  }
  for (let count = 0; count < 5; count++) await cycle()
  const base = here.windows.memory.liveBlocks
  for (let count = 0; count < 30; count++) await cycle()
  expect(here.windows.memory.liveBlocks).toBeLessThanOrEqual(base)
})

test('refused claims give everything back', async () => {
  await using here = await scene(listenerOf(nothing))
  const other = new NativeBackend({ load: () => here.machine.start().api })
  const queue = await other.open(UrlPrefix.parse(`http://localhost:${here.port}/x/`), listenerOf(nothing))
  await expect(here.open('/x/')).rejects.toMatchObject({ code: 'EADDRINUSE' })
  const base = here.windows.memory.liveBlocks
  for (let count = 0; count < 50; count++) await expect(here.open('/x/')).rejects.toMatchObject({ code: 'EADDRINUSE' })
  expect(here.windows.memory.liveBlocks).toBe(base)
  await queue.shutdown()
  await here.quiet()
})

test('a queue that fails tells its listener, and its buffers are freed when Windows has given them all back', async () => {
  let lost = 0
  await using here = await scene(listenerOf(nothing, nothing, () => lost++))
  const base = await (async () => {
    const queue = await here.open('/x/')
    await queue.shutdown()
    await here.quiet()
    return here.windows.memory.liveBlocks
  })()
  await here.open('/x/')
  expect(here.windows.memory.liveBlocks).toBeGreaterThanOrEqual(base + 16)
  // Windows takes the queue away, as it does when its service is stopped.
  const [handle] = here.windows.queueHandles.values()
  const receive = handle!.queue.receives.shift()!
  receive.operation.complete(995)
  await vi.waitFor(() => expect(lost).toBe(1), PATIENCE)
  await here.quiet()
  expect(here.windows.memory.liveBlocks).toBe(base)
  expect(here.backend.inFlight).toBe(0)
})

test('a request that comes while a failed queue is being given back is answered by nobody, and breaks nothing', async () => {
  const seen: string[] = []
  let lost = 0
  const listener = listenerOf(
    (exchange) => {
      seen.push(exchange.target)
      exchange.cancel()
    },
    nothing,
    () => lost++,
  )
  await using here = await scene(listener)
  await here.open('/x/')
  const [handle] = here.windows.queueHandles.values()
  using client = await RawClient.open(here.port)
  handle!.queue.receives.shift()!.operation.complete(995)
  client.write('GET /x/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await client.untilEnd()
  await vi.waitFor(() => expect(lost).toBe(1), PATIENCE)
  await here.quiet()
})

test('a client that leaves is noticed through the queue that still has its request', async () => {
  const exchanges: Exchange[] = []
  let left = 0
  await using here = await scene(
    listenerOf(
      (exchange) => exchanges.push(exchange),
      () => left++,
    ),
  )
  const first = await here.open('/a/')
  const second = await here.open('/b/')
  using client = await RawClient.open(here.port)
  const arrival = (count: number) => vi.waitFor(() => expect(exchanges).toHaveLength(count), PATIENCE)
  // Two requests, so that the connection is watched, through the queue of the first.
  for (const count of [1, 2]) {
    client.write('GET /a/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await arrival(count)
    exchanges[count - 1]!.sendResponse(200, '', '', 2, 0, 'ok', 'latin1', true)
    await client.until('ok', count)
  }
  client.write('GET /b/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await arrival(3)
  await first.shutdown()
  await vi.waitFor(() => expect(here.windows.queueHandles.size).toBe(1), PATIENCE)
  client.socket.resetAndDestroy()
  await vi.waitFor(() => expect(left).toBe(1), PATIENCE)
  await second.shutdown()
  await here.quiet()
})

test('a field that is longer than HTTP.SYS can be told is not sent cut short', async () => {
  await using here = await scene(
    listenerOf((exchange) =>
      exchange.sendResponse(200, '', `X-Long: ${'l'.repeat(70_000)}\r\n`, 2, 0, 'ok', 'latin1', true),
    ),
  )
  const queue = await here.open('/x/')
  using client = await RawClient.open(here.port)
  client.write('GET /x/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
  expect(await client.untilEnd()).toBe('')
  await queue.shutdown()
  await here.quiet()
})
