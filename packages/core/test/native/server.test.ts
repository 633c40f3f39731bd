import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { Agent, createServer, get, request } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import { flushResponseCache } from '../../src/http/flush-response-cache.ts'
import { installListenHook } from '../../src/http/listen-hook.ts'
import { middleware } from '../../src/http/request-context.ts'
import { NativeBackend } from '../../src/native/native-backend.ts'
import type { HttpApi } from '../../src/native/win32-api.ts'
import { selfSigned } from '../../src/x509/self-signed.ts'
import { freePort } from '../support/free-port.ts'
import { RawClient } from '../support/raw-client.ts'
import { Machine } from './double/machine.ts'
import { PretendedTls } from './double/request-struct.ts'

process.setMaxListeners(0)

let machine: Machine
let backend: NativeBackend
let server: Server
let port: number
const agent = new Agent({ keepAlive: true })
const calls = new Map<string, number>()

// The hook is installed once in a process; each test has a machine of its own.
installListenHook({ open: (prefix, listener) => backend.open(prefix, listener), reserve: () => undefined })

beforeEach(async () => {
  calls.clear()
  machine = new Machine({ seed: 11 })
  backend = new NativeBackend({
    load: () => {
      const { api } = machine.start()
      return { ...api, http: counted(api.http) }
    },
  })
  port = await freePort()
  server = createServer()
})
afterEach(async () => {
  server.close()
  server.closeAllConnections()
  agent.destroy()
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), { interval: 5, timeout: 60_000 })
  await machine[Symbol.asyncDispose]()
})

test.each([
  ['announces', { 'Content-Length': '9' }, 0],
  ['sends', { 'Transfer-Encoding': 'chunked' }, 1],
])('a client that %s more of a body than its prefix allows gets 413', async (_how, headers, heard) => {
  const requests: IncomingMessage[] = []
  const closed: boolean[] = []
  server.on('request', (message: IncomingMessage, response: ServerResponse) => {
    requests.push(message)
    message.on('error', () => {}).on('close', () => closed.push(message.complete))
    message.resume().on('end', () => response.end('taken'))
  })
  server.listen(UrlPrefix.parse(`http://+:${port}/up/`, { maxBodySize: 8 }) as never)
  await once(server, 'listening')
  const send = async (body: string, fields: Record<string, string>): Promise<string> => {
    const asked = request({ port, path: '/up/x', method: 'POST', headers: fields, agent }).on('error', () => {})
    asked.end(body)
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    return `${answer.statusCode} ${await text(answer)}`
  }
  expect(await send('123456789', headers)).toMatch(/^413 EntityTooLarge: /)
  expect(requests).toHaveLength(heard)
  await vi.waitFor(() => expect(closed).toEqual(Array(heard).fill(false)))
  expect(await send('12345678', { 'Content-Length': '8' })).toBe('200 taken')
})

function counted(http: HttpApi): HttpApi {
  const entries = Object.entries(http).map(([name, func]: [string, ((...args: unknown[]) => number) | undefined]) => [
    name,
    func === undefined
      ? undefined
      : (...args: unknown[]) => {
          calls.set(name, (calls.get(name) ?? 0) + 1)
          return func(...args)
        },
  ])
  return Object.fromEntries(entries) as HttpApi
}

async function listen(): Promise<void> {
  server.listen(UrlPrefix.parse(`http://localhost:${port}/`))
  await once(server, 'listening')
  expect((server.address() as AddressInfo).port).toBe(port)
}

async function ask(headers: IncomingHttpHeaders = {}): Promise<string> {
  const asking = get({ host: '127.0.0.1', port, path: '/', headers: { host: 'localhost', ...headers }, agent })
  const [response] = (await once(asking, 'response')) as [NodeJS.ReadableStream]
  return await text(response)
}

test.each([
  ['a text', Buffer.from('grüße'), false],
  ['bytes', Buffer.from([0, 1, 254, 255]), true],
  ['200 KiB', Buffer.alloc(200 * 1024, 'much'), true],
  ['1 MiB', Buffer.alloc(1024 * 1024, 'more'), true],
])('ws, unmodified, echoes %s over an opaque connection', async (_what, sent, binary) => {
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (peer) => peer.on('message', (data, isBinary) => peer.send(data, { binary: isBinary })))
  await listen()
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host: 'localhost' } })
  await once(client, 'open')
  client.send(sent, { binary })
  const [data, isBinary] = (await once(client, 'message')) as [Buffer, boolean]
  expect(isBinary).toBe(binary)
  expect(data.equals(sent)).toBe(true)
  client.close(1000)
  expect((await once(client, 'close'))[0]).toBe(1000)
})

test('a reason phrase may be the usual one, one of the app, or none', async () => {
  server.on('request', (req, res) => {
    if (req.url === '/own') res.writeHead(200, 'Very Well')
    if (req.url === '/none') res.writeHead(200, '')
    res.end()
  })
  await listen()
  const seen: (string | undefined)[] = []
  for (const path of ['/usual', '/own', '/none']) {
    const asking = get({ host: '127.0.0.1', port, path, headers: { host: 'localhost' }, agent })
    const [response] = (await once(asking, 'response')) as [IncomingMessage]
    response.resume()
    seen.push(response.statusMessage)
  }
  expect(seen).toEqual(['OK', 'Very Well', ''])
})

test('an entity body of 4 MiB arrives whole, however much of it is at hand when a piece is read', async () => {
  server.on('request', (req, res) => {
    const hash = createHash('sha256')
    req.on('data', (chunk: Buffer) => hash.update(chunk))
    req.on('end', () => res.end(hash.digest('hex')))
  })
  await listen()
  const body = randomBytes(4 * 1024 * 1024)
  const sending = request({ host: '127.0.0.1', port, method: 'POST', headers: { host: 'localhost' }, agent })
  sending.end(body)
  const [response] = (await once(sending, 'response')) as [NodeJS.ReadableStream]
  expect(await text(response)).toBe(createHash('sha256').update(body).digest('hex'))
})

test('a request whose head does not fit into the buffer is received again, whole', async () => {
  server.on('request', (req, res) => res.end(`${req.headers['x-large']!.length} ${String(req.headers['x-last'])}`))
  await listen()
  expect(await ask({ 'x-large': 'a'.repeat(30_000), 'x-last': 'end' })).toBe('30000 end')
})

test('many small writes of one turn leave in a few calls', async () => {
  // Else the first call is still under way, and the rest gathers behind it anyhow.
  machine.whims.atOnce = 1
  server.on('request', (_req, res) => {
    for (let count = 0; count < 100; count++) res.write('ab')
    res.end()
  })
  await listen()
  expect(await ask()).toBe('ab'.repeat(100))
  // The head with the first piece, the others, and at most one more for what was written while a call was under way.
  const sends = (calls.get('HttpSendHttpResponse') ?? 0) + (calls.get('HttpSendResponseEntityBody') ?? 0)
  expect(sends).toBeLessThanOrEqual(3)
})

test('a response with a cache policy is asked of the app once, until it is flushed', async () => {
  let asked = 0
  server.on('request', (_req, res) => {
    res.cachePolicy = { ttl: 60 }
    res.end(`answer ${++asked}`)
  })
  await listen()
  expect(await ask()).toBe('answer 1')
  expect(await ask()).toBe('answer 1')
  await flushResponseCache(`http://localhost:${port}/`)
  expect(await ask()).toBe('answer 2')
})

test('a request of a prefix on port 0 knows the port that was chosen', async () => {
  const use = middleware()
  server.on('request', (req, res) => use(req, res, () => res.end(req.httpsys!.prefix.href)))
  server.listen(UrlPrefix.parse('http://localhost:0/'))
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
  expect(await ask()).toBe(`http://localhost:${port}/`)
})

test('an app sees the certificate of its client on req.socket', async () => {
  const { cert } = selfSigned(['client.example'])
  machine.tls.set(port, new PretendedTls(new X509Certificate(cert).raw, 'shop.example'))
  server.on('request', (req, res) => {
    const socket = req.socket as TLSSocket & { servername: string }
    const { fingerprint256 } = socket.getPeerCertificate()
    res.end(JSON.stringify([socket.encrypted, socket.authorized, socket.servername, fingerprint256]))
  })
  await listen()
  expect(JSON.parse(await ask())).toEqual([true, true, 'shop.example', new X509Certificate(cert).fingerprint256])
})

test('an app can ask a client for its certificate, as with node:tls', async () => {
  const { cert } = selfSigned(['client.example'])
  machine.tls.set(port, new PretendedTls(new X509Certificate(cert).raw, '', 0, true))
  server.on('request', (req, res) => {
    const socket = req.socket as TLSSocket
    const before = [socket.authorized, socket.getPeerX509Certificate()?.fingerprint256 ?? null]
    socket.renegotiate({ requestCert: true }, (error) => {
      res.end(JSON.stringify([error, ...before, socket.authorized, socket.getPeerX509Certificate()!.fingerprint256]))
    })
  })
  await listen()
  expect(JSON.parse(await ask())).toEqual([null, false, null, true, new X509Certificate(cert).fingerprint256])
})

test('a connection whose requests are answered at once is not watched', async () => {
  server.on('request', (_req, res) => res.end('done'))
  await listen()
  expect(await ask()).toBe('done')
  expect(calls.get('HttpWaitForDisconnectEx')).toBeUndefined()
})

test('a connection is watched once, also when its second request comes in the turn of the first', async () => {
  const open: ServerResponse[] = []
  server.on('request', (req, res) => {
    if (req.url === '/1') res.end('first')
    else open.push(res)
  })
  await listen()
  const clients = Array.from({ length: 20 }, () => connect(port, '127.0.0.1'))
  for (const client of clients) {
    client.resume()
    client.write('GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /2 HTTP/1.1\r\nHost: localhost\r\n\r\n')
  }
  await expect.poll(() => open.length).toBe(clients.length)
  await expect.poll(() => calls.get('HttpWaitForDisconnectEx')).toBe(clients.length)
  for (const res of open) res.end('second')
  for (const client of clients) client.destroy()
})

test('many connections at a time are told apart, known again, and forgotten when they have gone', async () => {
  const sockets = new Map<number | undefined, Set<unknown>>()
  server.on('request', ({ socket }, res) => {
    const { remotePort } = socket
    sockets.set(remotePort, (sockets.get(remotePort) ?? new Set()).add(socket))
    res.end(`you are ${remotePort}.`)
  })
  await listen()
  const clients = await Promise.all(Array.from({ length: 600 }, () => RawClient.open(port)))
  for (const round of [1, 2]) {
    for (const client of clients) client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await Promise.all(clients.map((client) => client.until(`you are ${client.socket.localPort}.`, round)))
  }
  expect([...sockets.values()].map(({ size }) => size)).toEqual(clients.map(() => 1))
  for (const client of clients) client[Symbol.dispose]()
  const count = (): Promise<number> => {
    return new Promise((resolve) => server.getConnections((_error, connections) => resolve(connections)))
  }
  await expect.poll(count).toBe(0)
})
