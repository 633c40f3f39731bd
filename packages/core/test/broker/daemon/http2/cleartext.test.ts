import { once } from 'node:events'
import { createServer } from 'node:http'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { UrlPrefix } from '../../../../src/base/url-prefix.ts'
import { openBrokerQueue } from '../../../../src/broker/client/open-broker-queue.ts'
import { openEngine } from '../../../../src/broker/engine/open-engine.ts'
import { queueContract } from '../../../../src/queue/contract.ts'
import type { ExchangeListener } from '../../../../src/queue/exchange.ts'
import { Http2Client, StreamClient } from '../../../support/http2-client.ts'
import {
  END_HEADERS,
  END_STREAM,
  FrameClient,
  HEADERS,
  PREFACE,
  SETTINGS,
  block,
  frame,
  get,
} from '../../../support/http2-frames.ts'
import { Http2Site } from '../../../support/http2-site.ts'
import { RawClient } from '../../../support/raw-client.ts'

/** A claim that nobody asks anything; it finds a free port and keeps it. */
const anchor = new Proxy({} as ExchangeListener, { get: () => () => {} })

const engines = openEngine(undefined).engine.name === 'uring' ? ['net', 'uring'] : ['net']

describe.each(engines)('HTTP/2 without TLS on the %s engine', (engine) => {
  beforeEach(() => vi.stubEnv('HTTPSYS_ENGINE', engine))

  for (const { name, run } of queueContract) {
    test(name, async () => {
      await using site = await Http2Site.openPlain()
      const held = await openBrokerQueue(UrlPrefix.parse('http://localhost:0/anchor/'), anchor)
      const { port } = held.address
      await using client = await Http2Client.open(port, undefined)
      await run({
        open: openBrokerQueue,
        base: `http://localhost:${port}`,
        send: (request) => Promise.resolve(new StreamClient(client, request)),
      })
      await held.shutdown()
      expect(site.fixture.violations).toEqual([])
    })
  }

  test('clients of both versions share the port', async () => {
    await using site = await Http2Site.openPlain()
    await site.serve(
      '/2/',
      (request, response) => void request.pipe(response.setHeader('X-Version', request.httpVersion)),
    )
    const client = await site.client()
    const body = Buffer.alloc(2_000_000, 'x')
    const response = await client.fetch({ ':method': 'POST', ':path': '/2/' }, body)
    expect(response.headers['x-version']).toBe('2.0')
    expect(response.body.equals(body)).toBe(true)
    const posted = await fetch(`${site.base}/2/`, { method: 'POST', body })
    expect(posted.headers.get('x-version')).toBe('1.1')
    expect(Buffer.from(await posted.arrayBuffer()).equals(body)).toBe(true)
    expect(site.fixture.broker.status().connections).toBeLessThanOrEqual(2)
  })

  test('a client that does not read makes nothing grow', async () => {
    await using site = await Http2Site.openPlain()
    let written = 0
    await site.serve('/2/', (_request, response) => {
      const fill = (): void => {
        do written += 16_384
        while (!response.destroyed && response.write(Buffer.alloc(16_384)))
      }
      response.on('drain', fill)
      fill()
    })
    await site.serve('/3/', (_request, response) => response.end('ok'))
    const client = await site.client()
    const lazy = client.begin({ ':path': '/2/' })
    lazy.stream.pause()
    await expect.poll(() => written).toBeGreaterThan(0)
    for (let round = 0; round < 20; round++) expect((await client.fetch({ ':path': '/3/' })).text).toBe('ok')
    expect(written).toBeLessThan(512 * 1024)
  })
})

const WHOLE = END_HEADERS | END_STREAM

test('the preface may come byte by byte', async () => {
  await using site = await Http2Site.openPlain()
  await site.serve('/2/', (_request, response) => response.end('ok'))
  using client = await FrameClient.connect(site.port, undefined)
  client.socket.setNoDelay(true)
  const bytes = Buffer.concat([
    Buffer.from(PREFACE),
    frame(SETTINGS, 0, 0),
    frame(HEADERS, WHOLE, 1, block(...get('/2/'))),
  ])
  for (const byte of bytes) {
    client.send(Buffer.from([byte]))
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(await client.outcome(1)).toBe('status 200')
})

test('what only begins like the preface is HTTP/1.1, and refused as such', async () => {
  await using site = await Http2Site.openPlain()
  await site.serve('/2/', (request, response) => response.end(request.method))
  using client = await RawClient.open(site.port)
  client.write('PRI * HTTP/2.0\r\n\r\nGET')
  expect(await client.untilEnd()).toMatch(/^HTTP\/1.1 400 |^HTTP\/1.1 505 /)
  using other = await RawClient.open(site.port)
  other.write('P')
  other.write('ROPFIND /2/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
  expect(await other.until('PROPFIND')).toMatch(/^HTTP\/1.1 200 /)
})

test('a preface that does not come to its end is waited for no longer than a head', async () => {
  await using site = await Http2Site.openPlain({ limits: { headerWaitTimeout: 1000, idleConnectionTimeout: 2000 } })
  await site.serve('/2/', (_request, response) => response.end('ok'))
  using client = await RawClient.open(site.port)
  client.write('PRI * HTTP/2.0\r\n')
  using silent = await RawClient.open(site.port)
  await client.untilEnd()
  await silent.untilEnd()
  expect([site.count('Timer_HeaderWait'), site.count('Timer_ConnectionIdle')]).toEqual([1, 1])
})

test('a connection is counted once, whatever it turns out to speak', async () => {
  await using site = await Http2Site.openPlain()
  await site.serve('/2/', (_request, response) => void response.end('ok'))
  const connections = (): number => site.fixture.broker.status().connections
  const client = await site.client()
  expect((await client.fetch({ ':path': '/2/' })).text).toBe('ok')
  expect(connections()).toBe(1)
  {
    using other = await RawClient.open(site.port)
    other.write('GET /2/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await other.until('ok')
    expect(connections()).toBe(2)
  }
  await expect.poll(connections).toBe(1)
})

test('a port that is given back closes connections that have said nothing, too', async () => {
  await using site = await Http2Site.openPlain()
  const server = createServer((_request, response) => response.end('ok'))
  await site.listen(server, '/2/')
  using silent = await RawClient.open(site.port)
  await expect.poll(() => site.fixture.broker.status().connections).toBe(1)
  server.close()
  await once(server, 'close')
  await silent.untilEnd()
  await expect.poll(() => site.fixture.broker.status().connections).toBe(0)
})

test('unless it is switched on a client that begins with HTTP/2 is refused', async () => {
  await using site = await Http2Site.openPlain({ http2: 'tls' })
  await site.serve('/2/', (_request, response) => response.end('ok'))
  using client = await RawClient.open(site.port)
  client.write(PREFACE)
  expect(await client.untilEnd()).toMatch(/^HTTP\/1.1 (?:400|505) /)
})

test('switched off it is not offered by ALPN either', async () => {
  await using site = await Http2Site.open({ http2: 'off' })
  await site.serve('/2/', (_request, response) => response.end('ok'))
  await expect(FrameClient.connect(site.port, site.ca)).rejects.toThrow()
})
