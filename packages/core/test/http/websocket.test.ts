import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { RawData } from 'ws'
import httpsys from '../../src/index.ts'
import { startBroker } from '../support/broker-fixture.ts'
import type { BrokerFixture } from '../support/broker-fixture.ts'
import { RawClient } from '../support/raw-client.ts'

let fixture: BrokerFixture
let server: Server
let sockets: WebSocketServer
let port: number
let url: string

beforeAll(async () => {
  fixture = await startBroker()
  server = createServer((_req, res) => res.end('plain'))
  sockets = new WebSocketServer({ server, path: '/ws/echo', perMessageDeflate: { threshold: 1024 } })
  server.listen(httpsys.prefix('http://localhost:0/ws/'))
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
  url = `ws://localhost:${port}/ws/echo`
})
afterAll(async () => {
  for (const client of sockets.clients) client.terminate()
  sockets.close()
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
  expect(fixture.violations).toEqual([])
  await fixture.close()
})

/** A client and the server's end of its connection. */
async function open(
  options: { perMessageDeflate?: boolean; protocols?: string[] } = {},
): Promise<[WebSocket, WebSocket]> {
  const accepted = once(sockets, 'connection') as Promise<[WebSocket]>
  const client = new WebSocket(url, options.protocols ?? [], { perMessageDeflate: options.perMessageDeflate ?? false })
  const [[peer]] = await Promise.all([accepted, once(client, 'open')])
  return [client, peer]
}

async function message(socket: WebSocket): Promise<[Buffer, boolean]> {
  const [data, isBinary] = (await once(socket, 'message')) as [RawData, boolean]
  return [data as Buffer, isBinary]
}

function echo(peer: WebSocket): void {
  peer.on('message', (data, isBinary) => peer.send(data as Buffer, { binary: isBinary }))
}

describe('the ws package, unmodified', () => {
  test.each([
    ['a text', Buffer.from('grüße'), false, false],
    ['bytes', Buffer.from([0, 1, 254, 255]), true, false],
    ['an empty message', Buffer.alloc(0), true, false],
    ['a mebibyte', Buffer.alloc(1024 * 1024, 'mebibyte'), true, false],
    ['16 MiB', Buffer.alloc(16 * 1024 * 1024, 'large'), true, false],
    ['a mebibyte, compressed', Buffer.alloc(1024 * 1024, 'compress'), false, true],
  ])('echoes %s', async (_what, sent, binary, perMessageDeflate) => {
    const [client, peer] = await open({ perMessageDeflate })
    echo(peer)
    const answer = message(client)
    client.send(sent, { binary })
    const [data, isBinary] = await answer
    expect(isBinary).toBe(binary)
    expect(data.equals(sent)).toBe(true)
    client.close()
    await once(client, 'close')
  })

  test('fragments, pings and a subprotocol pass', async () => {
    const [client, peer] = await open({ protocols: ['chat'] })
    expect(client.protocol).toBe('chat')
    const received = message(peer)
    client.send('frag', { fin: false })
    client.send('mented', { fin: true })
    expect(String((await received)[0])).toBe('fragmented')
    const pong = once(peer, 'pong')
    peer.ping('are you there')
    expect(String((await pong)[0])).toBe('are you there')
    client.close()
    await once(client, 'close')
  })

  test('close codes and reasons pass both ways', async () => {
    const [client, peer] = await open()
    const seen = once(peer, 'close')
    client.close(4001, 'client is done')
    expect((await seen).map(String)).toEqual(['4001', 'client is done'])
    const [second, secondPeer] = await open()
    const told = once(second, 'close')
    secondPeer.close(4002, 'server is done')
    expect((await told).map(String)).toEqual(['4002', 'server is done'])
  })

  test('a client that vanishes and a server that terminates show as 1006', async () => {
    const [client, peer] = await open()
    const seen = once(peer, 'close')
    client.terminate()
    expect((await seen)[0]).toBe(1006)
    const [second, secondPeer] = await open()
    second.on('error', () => {})
    const told = once(second, 'close')
    secondPeer.terminate()
    expect((await told)[0]).toBe(1006)
  })

  test('a refused upgrade reaches the client as the response that it is', async () => {
    const refused = new WebSocket(`ws://localhost:${port}/ws/elsewhere`)
    const [error] = (await once(refused, 'error')) as [Error]
    expect(error.message).toContain('400')
  })

  test('many messages each way arrive in order', async () => {
    const [client, peer] = await open()
    echo(peer)
    const received: number[] = []
    const all = new Promise<void>((resolve) => {
      client.on('message', (data) => {
        if (received.push(Number(String(data as Buffer))) === 5000) resolve()
      })
    })
    for (let count = 0; count < 5000; count++) client.send(String(count))
    await all
    expect(received).toEqual(Array.from({ length: 5000 }, (_, index) => index))
    client.close()
    await once(client, 'close')
  })
})

describe('backpressure', () => {
  test('a client that does not read stops the server, and reading starts it again', async () => {
    const [client, peer] = await open()
    client.pause()
    const piece = Buffer.alloc(256 * 1024)
    let sent = 0
    while (peer.bufferedAmount === 0 && sent < 256) {
      peer.send(piece)
      sent++
      await new Promise((resolve) => setImmediate(resolve))
    }
    // Buffers on the way take some megabytes; 64 MiB would mean that somebody keeps everything.
    expect(sent).toBeLessThan(256)
    let received = 0
    const all = new Promise<void>((resolve) => {
      client.on('message', () => {
        if (++received === sent) resolve()
      })
    })
    client.resume()
    await all
    client.close()
    await once(client, 'close')
  })

  test('a server that does not read stops the client', async () => {
    const [client, peer] = await open()
    peer.pause()
    const piece = Buffer.alloc(256 * 1024)
    let sent = 0
    let stalledRounds = 0
    while (stalledRounds < 50 && sent < 256) {
      if (client.bufferedAmount === 0) {
        client.send(piece)
        sent++
        stalledRounds = 0
      } else stalledRounds++
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    expect(sent).toBeLessThan(256)
    let received = 0
    const all = new Promise<void>((resolve) => {
      peer.on('message', () => {
        if (++received === sent) resolve()
      })
    })
    peer.resume()
    await all
    client.close()
    await once(client, 'close')
  })
})

describe('upgrades by hand', () => {
  const HEAD = 'GET /ws/raw HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n'

  test('a connection that made requests before can leave HTTP, and bytes sent ahead are not lost', async () => {
    const raw = createServer((_req, res) => res.end('plain'))
    raw.on('upgrade', (_req, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: Upgrade\r\n\r\nwelcome')
      socket.pipe(socket)
    })
    raw.listen(httpsys.prefix(`http://localhost:${port}/ws/raw/`))
    await once(raw, 'listening')
    using client = await RawClient.open(port)
    client.write('GET /ws/raw HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await client.until('plain')
    client.write(HEAD)
    client.write('ahead\0\xff')
    expect(await client.until('ahead\0\xff')).toMatch(
      /101 Switching Protocols\r\nUpgrade: raw\r\nConnection: Upgrade\r\n\r\nwelcomeahead/,
    )
    client.socket.end('last')
    expect(await client.untilEnd()).toMatch(/last$/)
    raw.close()
    await once(raw, 'close')
  })

  test('without a listener the request is an ordinary one', async () => {
    const plain = createServer((req, res) => res.end(`plain ${req.headers.upgrade}`))
    plain.listen(httpsys.prefix(`http://localhost:${port}/ws/raw/`))
    await once(plain, 'listening')
    using client = await RawClient.open(port)
    client.write(HEAD)
    await client.until('plain raw')
    plain.close()
    await once(plain, 'close')
  })

  test('text that is no response head ends that connection with an error on its socket', async () => {
    const wrong = createServer()
    const failed = new Promise<Error>((resolve) => {
      wrong.on('upgrade', (_req, socket) => {
        socket.on('error', resolve)
        socket.write('hello\r\n\r\n')
      })
    })
    wrong.listen(httpsys.prefix(`http://localhost:${port}/ws/raw/`))
    await once(wrong, 'listening')
    using client = await RawClient.open(port)
    client.write(HEAD)
    expect((await failed).message).toContain('no HTTP/1.1 response head')
    expect(await client.untilEnd()).toBe('')
    wrong.close()
    await once(wrong, 'close')
  })
})
