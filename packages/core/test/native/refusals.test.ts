import { expect, test, vi } from 'vitest'
import type { Exchange } from '../../src/queue/exchange.ts'
import { LENGTH_UNKNOWN } from '../../src/queue/exchange.ts'
import { RawClient } from '../support/raw-client.ts'
import { PATIENCE, listenerOf, scene } from './scene.ts'

process.setMaxListeners(0)

const GET = 'GET /x/ HTTP/1.1\r\nHost: localhost\r\n\r\n'
const LARGE = GET.replace('Host', `X-Large: ${'l'.repeat(30_000)}\r\nHost`)
const ERROR_INVALID_HANDLE = 6
const ERROR_HANDLE_EOF = 38
const ERROR_INVALID_PARAMETER = 87
const ERROR_NO_SYSTEM_RESOURCES = 1450

const nothing = (): void => {}

function answer(exchange: Exchange): void {
  exchange.sendResponse(200, '', '', 2, 0, 'ok', 'latin1', true)
}

test.each([
  ['sent', { atOnce: 1 }],
  ['under way', { atOnce: 0 }],
])(
  'a client that leaves is told of once, when a response is %s, also where only sending shows it',
  async (_, whims) => {
    const exchanges: Exchange[] = []
    let left = 0
    // As under Wine.
    const change = () => ({ HttpWaitForDisconnectEx: undefined })
    await using here = await scene(
      listenerOf(
        (exchange) => void exchanges.push(exchange),
        () => left++,
      ),
      whims,
      change,
    )
    const queue = await here.open('/x/')
    const client = await RawClient.open(here.port)
    client.write(GET)
    await vi.waitFor(() => expect(exchanges).toHaveLength(1), PATIENCE)
    exchanges[0]!.sendResponse(200, '', '', LENGTH_UNKNOWN, 0, 'one', 'latin1', false)
    await client.until('one')
    client.socket.resetAndDestroy()
    await vi.waitFor(() => expect(here.machine.requestCount).toBe(0), PATIENCE)
    exchanges[0]!.sendBody('two', 'latin1', false, '')
    await vi.waitFor(() => expect(left).toBe(1), PATIENCE)
    exchanges[0]!.sendBody('three', 'latin1', true, '')
    await queue.shutdown()
    await here.quiet()
    expect(left).toBe(1)
  },
)

test.each([64, 1229, 1236] as const)(
  'a send that completes with %i is of a client that has left, and of nothing that has failed',
  async (goneStatus) => {
    const exchanges: Exchange[] = []
    const told: string[] = []
    const listener = {
      ...listenerOf(
        (exchange) => void exchanges.push(exchange),
        () => told.push('left'),
      ),
      onLost: () => told.push('lost'),
    }
    await using here = await scene(listener, { atOnce: 0, goneStatus }, () => ({ HttpWaitForDisconnectEx: undefined }))
    const queue = await here.open('/x/')
    const client = await RawClient.open(here.port)
    client.write(GET)
    await vi.waitFor(() => expect(exchanges).toHaveLength(1), PATIENCE)
    const [exchange] = exchanges
    exchange!.sendResponse(200, '', '', LENGTH_UNKNOWN, 0, 'one', 'latin1', false)
    await client.until('one')
    // More than fits on the way, so that a send is under way when the client goes.
    const piece = Buffer.alloc(60_000)
    while (exchange!.sendBody(piece, null, false, ''));
    client.socket.resetAndDestroy()
    await vi.waitFor(() => expect(told).toEqual(['left']), PATIENCE)
    await queue.shutdown()
    await here.quiet()
  },
)

test('a response that can not be sent tells its listener that the client has been cut off', async () => {
  let left = 0
  const onRequest = (exchange: Exchange): void => {
    exchange.sendResponse(200, '', `X-Long: ${'l'.repeat(70_000)}\r\n`, 2, 0, 'ok', 'latin1', true)
  }
  await using here = await scene(listenerOf(onRequest, () => left++))
  const queue = await here.open('/x/')
  using client = await RawClient.open(here.port)
  client.write(GET)
  expect(await client.untilEnd()).toBe('')
  await queue.shutdown()
  await here.quiet()
  expect(left).toBe(1)
})

test('receives that Windows refuses for a while, all of them, are made again', async () => {
  let refusals = 100
  let lost = 0
  const listener = listenerOf(answer, nothing, () => lost++)
  await using here = await scene(listener, {}, (http) => ({
    HttpReceiveHttpRequest: (...args) =>
      refusals-- > 0 ? ERROR_NO_SYSTEM_RESOURCES : http.HttpReceiveHttpRequest(...args),
  }))
  const queue = await here.open('/x/')
  using client = await RawClient.open(here.port)
  client.write(GET)
  await client.until('ok')
  expect(lost).toBe(0)
  await queue.shutdown()
  await here.quiet()
})

test('a queue that refuses every receive is lost after seconds, and can be shut down before', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    let error: Error | undefined
    const listener = listenerOf(answer, nothing, (_queue, reason) => (error = reason))
    await using here = await scene(listener, {}, () => ({ HttpReceiveHttpRequest: () => ERROR_NO_SYSTEM_RESOURCES }))
    await (await here.open('/x/')).shutdown()
    expect(vi.getTimerCount()).toBe(0)
    await here.open('/x/')
    await vi.advanceTimersByTimeAsync(1000)
    expect(error).toBeUndefined()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(error).toMatchObject({ syscall: 'HttpReceiveHttpRequest', code: 'EIO' })
    vi.useRealTimers()
    await here.quiet()
  } finally {
    vi.useRealTimers()
  }
})

test('a client whose request can not be received a second time is cut off, and the others are served', async () => {
  let lost = 0
  const listener = listenerOf(answer, nothing, () => lost++)
  await using here = await scene(listener, {}, (http) => ({
    HttpReceiveHttpRequest: (...args) => (args[1] === 0n ? http.HttpReceiveHttpRequest(...args) : ERROR_HANDLE_EOF),
  }))
  const queue = await here.open('/x/')
  for (let count = 0; count < 20; count++) {
    using client = await RawClient.open(here.port)
    client.write(LARGE)
    expect(await client.untilEnd()).toBe('')
  }
  using client = await RawClient.open(here.port)
  client.write(GET)
  await client.until('ok')
  expect(lost).toBe(0)
  await queue.shutdown()
  await here.quiet()
})

test('a queue that HTTP.SYS has taken away with all that belongs to it is lost, and that is told once', async () => {
  const lost: Error[] = []
  let isGone = false
  const gone =
    <Args extends unknown[]>(func: (...args: Args) => number, status: number) =>
    (...args: Args): number =>
      isGone ? status : func(...args)
  const listener = listenerOf(answer, nothing, (_queue, error) => lost.push(error))
  await using here = await scene(listener, { atOnce: 0 }, (http) => ({
    HttpReceiveHttpRequest: gone((...args) => http.HttpReceiveHttpRequest(...args), ERROR_INVALID_HANDLE),
    HttpRemoveUrlFromUrlGroup: gone((...args) => http.HttpRemoveUrlFromUrlGroup(...args), ERROR_INVALID_PARAMETER),
    HttpCloseUrlGroup: gone((...args) => http.HttpCloseUrlGroup(...args), ERROR_INVALID_PARAMETER),
    HttpCloseRequestQueue: gone((...args) => http.HttpCloseRequestQueue(...args), ERROR_INVALID_HANDLE),
  }))
  const queue = await here.open('/x/')
  using client = await RawClient.open(here.port)
  isGone = true
  client.write(GET)
  await client.until('ok')
  await vi.waitFor(() => expect(lost).toHaveLength(1), PATIENCE)
  await queue.shutdown()
  expect(lost).toMatchObject([{ syscall: 'HttpReceiveHttpRequest', code: 'EIO' }])
})
