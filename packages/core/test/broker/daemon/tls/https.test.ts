import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import type { RequestOptions } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { expect, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { writeSslCertificates } from '../../../../src/broker/rendezvous/ssl-certificates.ts'
import { startBroker } from '../../../support/broker-fixture.ts'
import { closeServer, listenOn, listenSecurely } from '../../../support/listening.ts'
import { Pki, certifyEverywhere, store } from '../../../support/pki.ts'

/** Fetches over TLS; what the server did, and the text. */
async function get(
  port: number,
  path: string,
  options: RequestOptions & { ALPNProtocols?: string[] },
): Promise<{ response: IncomingMessage; text: string; socket: TLSSocket }> {
  const outgoing = request({ host: 'localhost', port, path, ...options })
  outgoing.end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { response, text, socket: response.socket as TLSSocket }
}

async function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ...options })
  await once(socket, 'secureConnect')
  return socket
}

test('an app says https, and its requests tell what TLS has agreed on', async () => {
  await using fixture = await startBroker()
  const { cert: ca } = certifyEverywhere(fixture.directory)
  const server = createServer((incoming, response) => {
    const socket = incoming.socket as TLSSocket
    const { encrypted, servername, alpnProtocol, authorized, authorizationError } = socket as unknown as TLSSocket &
      Record<string, unknown>
    const seen = { encrypted, servername, alpnProtocol, authorized, authorizationError }
    response.end(JSON.stringify({ ...seen, cipher: socket.getCipher(), protocol: socket.getProtocol() }))
  })
  const port = await listenSecurely(server, '/2/')
  const { text, socket } = await get(port, '/2/', { ca, ALPNProtocols: ['http/1.1'], agent: false })
  expect(JSON.parse(text)).toEqual({
    encrypted: true,
    servername: 'localhost',
    alpnProtocol: 'http/1.1',
    authorized: false,
    authorizationError: null,
    cipher: socket.getCipher(),
    protocol: 'TLSv1.3',
  })
  const old = await handshake(port, { ca, maxVersion: 'TLSv1.2' })
  expect(old.getProtocol()).toBe('TLSv1.2')
  old.destroy()
  const older = connect({
    port,
    host: '127.0.0.1',
    ca,
    servername: 'localhost',
    maxVersion: 'TLSv1.1',
    minVersion: 'TLSv1',
  })
  await expect(once(older, 'secureConnect')).rejects.toThrow(/protocol|EPROTO|version|cipher/i)
  await closeServer(server)
})

test('large bodies, keep-alive and WebSockets pass through TLS', async () => {
  await using fixture = await startBroker()
  const { cert: ca } = certifyEverywhere(fixture.directory)
  const server = createServer((incoming, response) => incoming.pipe(response))
  new WebSocketServer({ server }).on('connection', (socket) =>
    socket.on('message', (data) => socket.send(`echo ${String(data as Buffer)}`)),
  )
  const port = await listenSecurely(server, '/2/')
  const agent = new Agent({ ca, keepAlive: true, maxSockets: 1 })
  const body = randomBytes(3_000_000)
  for (let round = 0; round < 2; round++) {
    const outgoing = request({ host: 'localhost', port, path: '/2/', method: 'POST', agent })
    outgoing.end(body)
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).equals(body)).toBe(true)
    expect(outgoing.reusedSocket).toBe(round > 0)
  }
  agent.destroy()
  const socket = new WebSocket(`wss://localhost:${port}/2/`, { ca })
  await once(socket, 'open')
  socket.send('hi')
  const [message] = (await once(socket, 'message')) as [Buffer]
  expect(message.toString()).toBe('echo hi')
  socket.close()
  await once(socket, 'close')
  await closeServer(server)
})

test('a claim without a certificate fails, with the command that helps', async () => {
  await using _fixture = await startBroker()
  const server = createServer()
  await expect(listenSecurely(server, '/2/', 8443)).rejects.toMatchObject({
    code: 'ENOTSUP',
    remedy: expect.stringContaining('httpsys add sslcert hostnameport=localhost:8443 cert=FILE key=FILE') as string,
  })
})

test('a port is http or https, not both', async () => {
  await using fixture = await startBroker()
  certifyEverywhere(fixture.directory)
  const plain = createServer()
  const secure = createServer()
  const port = await listenOn(plain, '/1/')
  await expect(listenSecurely(secure, '/2/', port)).rejects.toMatchObject({
    code: 'EADDRINUSE',
    message: expect.stringContaining(`port ${port} has http prefixes`) as string,
  })
  await closeServer(plain)
})

test('the certificate is that of the name, of a wildcard for it, else of the address', async () => {
  await using fixture = await startBroker()
  const { directory } = fixture
  const pki = new Pki()
  const server = createServer()
  certifyEverywhere(directory)
  const port = await listenSecurely(server, '/')
  const entry = (name: string): { cert: string; key: string; clientcertnegotiation: 'none' } => ({
    ...store(directory, name.replace('*', 'any'), pki.server(name)),
    clientcertnegotiation: 'none',
  })
  writeSslCertificates(directory, [
    { ipport: `0.0.0.0:${port}`, ...entry('everything.else') },
    { hostnameport: `*.example.com:${port}`, ...entry('*.example.com') },
    { hostnameport: `www.example.com:${port}`, ...entry('www.example.com') },
  ])
  const shown = async (servername: string): Promise<unknown> => {
    const socket = await handshake(port, { servername, rejectUnauthorized: false })
    const { CN } = socket.getPeerCertificate().subject
    socket.destroy()
    return CN
  }
  await vi.waitFor(async () => expect(await shown('www.example.com')).toBe('www.example.com'), { timeout: 5000 })
  expect(await shown('WWW.example.com')).toBe('www.example.com')
  expect(await shown('shop.example.com')).toBe('*.example.com')
  expect(await shown('a.b.example.com')).toBe('everything.else')
  expect(await shown('example.com')).toBe('everything.else')
  expect(await shown('')).toBe('everything.else')
  await closeServer(server)
})

test('a certificate is renewed under load: no request fails, and connections that are open go on', async () => {
  await using fixture = await startBroker()
  const { directory } = fixture
  const pki = certifyEverywhere(directory)
  const server = createServer((_incoming, response) => response.end('ok'))
  const port = await listenSecurely(server, '/2/')
  const lasting = new Agent({ ca: pki.cert, keepAlive: true, maxSockets: 1 })
  const first = (await get(port, '/2/', { agent: lasting })).socket
  const serialOf = (socket: TLSSocket): string => socket.getPeerCertificate().serialNumber
  const serials = new Set<string>()
  let isOver = false
  let requests = 0
  const load = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      const { text, socket } = await get(port, '/2/', { ca: pki.cert, agent: false })
      expect(text).toBe('ok')
      serials.add(serialOf(socket))
      requests++
    }
  })
  for (let renewal = 0; renewal < 3; renewal++) {
    const known = serials.size
    store(directory, 'localhost', pki.server('localhost'))
    await vi.waitFor(() => expect(serials.size).toBe(known + 1), { timeout: 10_000 })
    const { socket, text } = await get(port, '/2/', { agent: lasting })
    expect(text).toBe('ok')
    expect(socket).toBe(first)
  }
  isOver = true
  await Promise.all(load)
  expect(requests).toBeGreaterThan(10)
  expect(fixture.broker.status().reasons).toEqual({})
  lasting.destroy()
  await closeServer(server)
})

test('a renewed certificate that can not be read leaves the old one, and is told of once', async () => {
  const problems: string[] = []
  await using fixture = await startBroker({ onProblem: (text) => problems.push(text) })
  const { directory } = fixture
  const pki = certifyEverywhere(directory)
  const server = createServer()
  const port = await listenSecurely(server, '/2/')
  const options = { ca: pki.cert }
  writeFileSync(join(directory, 'localhost.crt'), 'no certificate')
  await vi.waitFor(
    async () => {
      ;(await handshake(port, options)).destroy()
      expect(problems).toHaveLength(1)
    },
    { timeout: 5000 },
  )
  expect(problems[0]).toContain('0.0.0.0:0')
  store(directory, 'localhost', pki.server('localhost'))
  chmodSync(join(directory, 'localhost.key'), 0o644)
  await vi.waitFor(
    async () => {
      ;(await handshake(port, options)).destroy()
      expect(problems.at(-1)).toContain('everybody may read it')
    },
    { timeout: 5000 },
  )
  await closeServer(server)
})

test('a session begun with one broker is resumed with the next', async () => {
  const session = await (async () => {
    await using fixture = await startBroker()
    const pki = certifyEverywhere(fixture.directory)
    const server = createServer((_incoming, response) => response.end())
    const port = await listenSecurely(server, '/2/')
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: pki.cert })
    const [ticket] = (await once(socket, 'session')) as [Buffer]
    socket.destroy()
    await using next = await startBroker({ configDirectory: fixture.directory, runtimeDirectory: fixture.directory })
    const successor = createServer()
    const nextPort = await listenSecurely(successor, '/2/')
    expect(next.directory).not.toBe(fixture.directory)
    const again = await handshake(nextPort, { ca: pki.cert, session: ticket })
    const isReused = again.isSessionReused()
    again.destroy()
    await closeServer(successor)
    await closeServer(server)
    return isReused
  })()
  expect(session).toBe(true)
})

test('what is no TLS is refused and counted, and the next client is served', async () => {
  await using fixture = await startBroker({ limits: { maxServerConnections: 2 } })
  const pki = certifyEverywhere(fixture.directory)
  const server = createServer((_incoming, response) => response.end('ok'))
  const port = await listenSecurely(server, '/2/')
  for (let client = 0; client < 4; client++) {
    const socket = connectTcp(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write('GET /2/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(socket.resume(), 'close')
  }
  expect(fixture.broker.status().reasons).toEqual({ TLS_Handshake: 4 })
  const { text } = await get(port, '/2/', { ca: pki.cert, agent: false })
  expect(text).toBe('ok')
  await closeServer(server)
})

test('a port whose certificate has been taken away lets nobody in, and counts it', async () => {
  await using fixture = await startBroker()
  certifyEverywhere(fixture.directory)
  const server = createServer()
  const port = await listenSecurely(server, '/2/')
  writeSslCertificates(fixture.directory, [])
  const refused = async (): Promise<number> => {
    const socket = connectTcp(port, '127.0.0.1')
    await once(socket, 'connect')
    // One that came before the broker has looked is in the middle of a handshake.
    socket.end()
    await once(socket.resume(), 'close')
    return fixture.broker.status().reasons['No_Certificate'] ?? 0
  }
  await expect.poll(refused).toBeGreaterThan(0)
  await closeServer(server)
})

test('clients that begin a handshake count as connections', async () => {
  await using fixture = await startBroker({ limits: { maxServerConnections: 1 } })
  certifyEverywhere(fixture.directory)
  const server = createServer()
  const port = await listenSecurely(server, '/2/')
  const idle = connectTcp(port, '127.0.0.1')
  await once(idle, 'connect')
  const second = connectTcp(port, '127.0.0.1')
  second.on('error', () => {})
  await once(second.resume(), 'close')
  expect(fixture.broker.status().reasons).toEqual({ Connections_Refused: 1 })
  idle.destroy()
  await closeServer(server)
})
