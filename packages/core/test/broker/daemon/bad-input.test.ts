import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import httpsys from '../../../src/index.ts'
import { startBroker } from '../../support/broker-fixture.ts'
import type { BrokerFixture } from '../../support/broker-fixture.ts'
import { RawClient } from '../../support/raw-client.ts'

let fixture: BrokerFixture
let port: number
const seen: string[] = []
const server = createServer(((request, response) => {
  seen.push(`${request.method} ${request.url}`)
  request.resume()
  request.on('end', () => response.end('fine'))
}) satisfies RequestListener)

beforeAll(async () => {
  fixture = await startBroker()
  server.listen(httpsys.prefix('http://localhost:0/2/'))
  await once(server, 'listening')
  port = (server.address() as { port: number }).port
})
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve))
  await fixture.close()
})

/** How often the broker has given a reason. */
function count(reason: string): number {
  return fixture.broker.status().reasons[reason] ?? 0
}

const GOOD = 'GET /2/good HTTP/1.1\r\nHost: localhost\r\n\r\n'

describe('a request that can be told from the next one is answered and the connection goes on', () => {
  test.each([
    ['an unknown prefix', 'GET /nobody HTTP/1.1\r\nHost: localhost\r\n\r\n', 404, 'NotFound'],
    ['a prefix that only begins alike', 'GET /22/ HTTP/1.1\r\nHost: localhost\r\n\r\n', 404, 'NotFound'],
    ['an unknown host', 'GET /2/ HTTP/1.1\r\nHost: nowhere.example\r\n\r\n', 400, 'Hostname'],
    [
      'an unknown prefix with a body',
      'POST /no HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n12345',
      404,
      'NotFound',
    ],
    [
      'an unknown prefix with a chunked body',
      'POST /no HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
      404,
      'NotFound',
    ],
  ])('%s', async (_what, bytes, status, reason) => {
    const before = count(reason)
    using client = await RawClient.open(port)
    client.write(bytes + GOOD)
    const text = await client.until('fine')
    expect(count(reason)).toBe(before + 1)
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(text).toContain(`${reason}: `)
    expect(text.match(/^HTTP\/1\.1 \d/gm)).toHaveLength(2)
  })
})

describe('a request whose end is in doubt is refused, and nothing behind it is read', () => {
  test.each([
    ['garbage', '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', 400, 'Verb'],
    ['a line that ends in LF alone', 'GET /2/ HTTP/1.1\nHost: localhost\n\n', 400, 'Invalid_CR/LF'],
    ['a folded field', 'GET /2/ HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c\r\n\r\n', 400, 'Header'],
    [
      'white space before a colon',
      'GET /2/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\n\r\n',
      400,
      'Header',
    ],
    ['no Host', 'GET /2/ HTTP/1.1\r\n\r\n', 400, 'Hostname'],
    ['two Hosts', 'GET /2/ HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n', 400, 'Hostname'],
    [
      'two lengths',
      'POST /2/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na',
      400,
      'Number',
    ],
    [
      'length and chunked coding',
      'POST /2/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
      'BadRequest',
    ],
    ['a signed length', 'POST /2/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: +1\r\n\r\na', 400, 'Number'],
    [
      'an unknown coding',
      'POST /2/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
      501,
      'N/I',
    ],
    ['HTTP/2.0', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505, 'Version_N/S'],
    ['HTTP/1.2', 'GET /2/ HTTP/1.2\r\nHost: localhost\r\n\r\n', 505, 'Version_N/S'],
    ['HTTP/0.9', 'GET /2/\r\n\r\n', 400, 'URL'],
    ['CONNECT', 'CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n', 501, 'N/I'],
    [
      'a head over 16 KiB',
      `GET /2/ HTTP/1.1\r\nHost: localhost\r\nA: ${'a'.repeat(16_384)}\r\n\r\n`,
      431,
      'RequestLength',
    ],
    ['a URL over 16 KiB', `GET /2/${'a'.repeat(16_384)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 414, 'URL_Length'],
  ])('%s', async (_what, bytes, status, reason) => {
    seen.length = 0
    const before = count(reason)
    using client = await RawClient.open(port)
    client.write(bytes + GOOD)
    const text = await client.untilEnd()
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(text).toContain(`${reason}: `)
    expect(count(reason)).toBe(before + 1)
    expect(text).toMatch(/\r\nConnection: close\r\n/)
    expect(text.match(/^HTTP\/1\.1 \d/gm)).toHaveLength(1)
    expect(seen).toEqual([])
  })

  test('a chunk size that is no number breaks the exchange that it belongs to', async () => {
    using client = await RawClient.open(port)
    client.write('POST /2/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n' + GOOD)
    const text = await client.untilEnd()
    expect(text).toMatch(/^HTTP\/1\.1 400 .*BadRequest: /s)
    expect(text).not.toContain('fine')
  })
})

describe('heads arrive as the network likes', () => {
  test('byte by byte', async () => {
    using client = await RawClient.open(port)
    for (const byte of GOOD) {
      client.write(byte)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await client.until('fine')).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  })

  test('many requests in one packet are answered in order', async () => {
    seen.length = 0
    using client = await RawClient.open(port)
    const targets = Array.from({ length: 50 }, (_, index) => `/2/${index}`)
    client.write(targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`).join(''))
    await client.until('fine', 50)
    expect(seen).toEqual(targets.map((target) => `GET ${target}`))
  })

  test('requests that a client sends before it ends its side are all answered', async () => {
    using client = await RawClient.open(port)
    client.write(GOOD + GOOD + GOOD)
    client.socket.end()
    expect((await client.untilEnd()).match(/fine/g)).toHaveLength(3)
  })

  test('empty lines before a request are skipped', async () => {
    using client = await RawClient.open(port)
    client.write(`\r\n\r\n${GOOD}`)
    expect(await client.until('fine')).toMatch(/^HTTP\/1\.1 200 /)
  })

  test('an absolute target names the host, whatever the Host field says', async () => {
    using client = await RawClient.open(port)
    client.write('GET http://localhost/2/abs HTTP/1.1\r\nHost: nowhere.example\r\n\r\n')
    expect(await client.until('fine')).toMatch(/^HTTP\/1\.1 200 /)
  })
})

describe('HTTP/1.0', () => {
  test('needs no Host and closes after the response', async () => {
    using client = await RawClient.open(port)
    client.write('GET /2/ HTTP/1.0\r\n\r\n')
    const text = await client.untilEnd()
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(text).toMatch(/\r\nConnection: close\r\n/)
  })

  test('keeps the connection when the client asks for it', async () => {
    using client = await RawClient.open(port)
    client.write('GET /2/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    await client.until('fine')
    client.write('GET /2/ HTTP/1.0\r\n\r\n')
    expect((await client.untilEnd()).match(/fine/g)).toHaveLength(2)
  })
})
