import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import { listenOnPrefix } from '../../src/http/listen-hook.ts'
import httpsys from '../../src/index.ts'
import type { PrefixOptions, RequestContext } from '../../src/index.ts'
import { MemoryBackend } from '../../src/queue/memory-queue.ts'
import { startBroker } from '../support/broker-fixture.ts'
import { closeServer, listenOn } from '../support/listening.ts'
import { RawClient } from '../support/raw-client.ts'

const GET = 'GET /app/ HTTP/1.1\r\nHost: localhost\r\n\r\n'
const use = httpsys.middleware()

describe('at a broker', () => {
  /** A server on `/app/` of a broker of its own, and a client of it. */
  async function serving(handler?: RequestListener, options: PrefixOptions = {}): Promise<Site> {
    const fixture = await startBroker()
    const server = createServer(handler ?? (() => {}))
    const port = await listenOn(server, '/app/', 0, options)
    const client = await RawClient.open(port)
    const close = async (): Promise<void> => {
      client.socket.destroy()
      await closeServer(server)
      expect(fixture.violations).toEqual([])
      await fixture.close()
    }
    return { server, client, port, [Symbol.asyncDispose]: close }
  }

  interface Site extends AsyncDisposable {
    readonly server: Server
    readonly client: RawClient
    readonly port: number
  }

  /** Sends a request, on which the middleware has put its context then. */
  async function arrival({ server, client }: Site): Promise<[RequestContext, ServerResponse]> {
    client.write(GET)
    const [request, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse]
    use(request, response, () => {})
    return [request.httpsys!, response]
  }

  test('says how a request came, on any Connect-style stack', async () => {
    const seen: IncomingMessage['httpsys'][] = []
    const app = express()
    app.use(httpsys.middleware())
    app.use((request, response) => {
      seen.push(request.httpsys)
      response.end()
    })
    await using site = await serving(app)
    for (const count of [1, 2]) {
      site.client.write(GET)
      await site.client.until('\r\n\r\n', count)
    }
    const [first, second] = seen
    expect(first?.prefix.href).toBe(`http://localhost:${site.port}/app/`)
    expect(second!.requestId).toBeGreaterThan(first!.requestId)
    expect(second!.connectionId).toBe(first!.connectionId)
    expect([first!.tls, first!.clientCertificate]).toEqual([null, null])
  })

  test.each(['create', 'attach', 'takeover'] as const)(
    'says that the queue is the broker’s, and its %s',
    async (mode) => {
      await using site = await serving(undefined, { mode })
      const [{ queue }] = await arrival(site)
      expect(queue).toEqual({ backend: 'broker', name: null, mode })
    },
  )

  test('knows when a request came, however late it is asked', async () => {
    const moments: number[] = []
    const app = express()
    app.use((_request, _response, next) => {
      moments.push(performance.now())
      setImmediate(next)
    })
    app.use(httpsys.middleware(), (request, response) => {
      const { receivedAt, timings } = request.httpsys!
      moments.unshift(receivedAt, timings.received, timings.delivered)
      response.end()
    })
    await using site = await serving(app)
    moments.push(performance.now())
    site.client.write(GET)
    await site.client.until('\r\n\r\n')
    const [receivedAt, received, delivered, sent, handled] = moments as [number, number, number, number, number]
    expect(receivedAt).toBe(received)
    expect([sent, received, delivered, handled]).toEqual(
      [sent, received, delivered, handled].toSorted((one, other) => one - other),
    )
  })

  test('follows the response: when its head left, and when the queue had all of it', async () => {
    await using site = await serving()
    site.client.socket.pause()
    const [{ timings }, response] = await arrival(site)
    const steps = [{ ...timings }]
    response.writeProcessing()
    steps.push({ ...timings })
    response.flushHeaders()
    steps.push({ ...timings })
    // More than the sockets' buffers take.
    response.end(Buffer.alloc(64 * 1024 * 1024))
    steps.push({ ...timings })
    const resumed = performance.now()
    site.client.socket.resume()
    await once(response, 'finish')
    steps.push({ ...timings })
    expect(steps.map(({ responseStart }) => responseStart !== null)).toEqual([false, false, true, true, true])
    expect(steps.map(({ responseEnd }) => responseEnd !== null)).toEqual([false, false, false, false, true])
    expect(timings.responseStart).toBeGreaterThanOrEqual(timings.delivered)
    expect(timings.responseStart).toBeLessThanOrEqual(resumed)
    expect(timings.responseEnd).toBeGreaterThanOrEqual(resumed)
  })

  test('a response that is broken off has no end', async () => {
    await using site = await serving()
    const [{ timings }, response] = await arrival(site)
    response.write('a piece')
    await site.client.until('a piece')
    site.client.socket.destroy()
    await once(response, 'close')
    expect(timings.responseStart).toBeGreaterThanOrEqual(timings.delivered)
    expect(timings.responseEnd).toBeNull()
  })

  test('is of the same request for an app within the app', async () => {
    const seen: RequestContext[] = []
    const inner = express().use(httpsys.middleware(), (request, response) => {
      seen.push(request.httpsys!)
      response.end()
    })
    const outer = express().use(httpsys.middleware(), (request, _response, next) => {
      seen.push(request.httpsys!)
      next()
    })
    await using site = await serving(outer.use(inner))
    site.client.write(GET)
    await site.client.until('\r\n\r\n')
    const [first, second] = seen
    expect(second!.requestId).toBe(first!.requestId)
    expect(second!.timings).toBe(first!.timings)
    expect(first!.timings.responseEnd).toBeGreaterThanOrEqual(first!.timings.delivered)
  })
})

describe('on a queue in memory', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  test('has every time to the millisecond', async () => {
    const memory = new MemoryBackend()
    const server = createServer()
    const backend = { open: memory.open, reserve: () => undefined }
    listenOnPrefix(server, UrlPrefix.parse('http://localhost:8080/app/'), backend, {})
    await once(server, 'listening')
    vi.useFakeTimers({ toFake: ['performance'] })
    let context: RequestContext | undefined
    let response: ServerResponse | undefined
    server.on('request', (request: IncomingMessage, answer: ServerResponse) => {
      vi.advanceTimersByTime(1)
      use(request, answer, () => {
        context = request.httpsys!
        response = answer
      })
    })
    const sent = performance.now()
    const client = memory.request({
      method: 'GET',
      target: '/app/',
      rawHeaders: ['Host', 'localhost'],
      hasBody: false,
    })!
    expect(context!.queue).toEqual({ backend: 'memory', name: null, mode: 'create' })
    expect(context!.timings).toEqual({ received: sent, delivered: sent, responseStart: null, responseEnd: null })
    client.setReading(false)
    vi.advanceTimersByTime(2)
    response!.flushHeaders()
    vi.advanceTimersByTime(4)
    response!.end(Buffer.alloc(1024 * 1024))
    expect(context!.timings).toMatchObject({ responseStart: sent + 3, responseEnd: null })
    vi.advanceTimersByTime(8)
    client.setReading(true)
    expect(context!.timings).toMatchObject({ responseStart: sent + 3, responseEnd: sent + 15 })
    await closeServer(server)
  })
})

test('says null on plain TCP', async () => {
  let seen: unknown
  const server = createServer((request, response) => {
    use(request, response, () => {
      seen = request.httpsys
      response.end()
    })
  }).listen(0)
  await once(server, 'listening')
  await (await fetch(`http://localhost:${(server.address() as AddressInfo).port}`)).text()
  expect(seen).toBeNull()
  await closeServer(server)
})
