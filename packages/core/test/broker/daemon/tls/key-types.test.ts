import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectTcp, createServer as createTcpServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { describe, expect, test, vi } from 'vitest'
import { serverNameIn } from '../../../../src/broker/daemon/tls/client-hello.ts'
import { writeSslCertificates } from '../../../../src/broker/rendezvous/ssl-certificates.ts'
import { startBroker } from '../../../support/broker-fixture.ts'
import type { BrokerFixture } from '../../../support/broker-fixture.ts'
import { closeServer, listenSecurely } from '../../../support/listening.ts'
import { Pki, store } from '../../../support/pki.ts'

class Port implements AsyncDisposable {
  readonly number: number
  readonly fixture: BrokerFixture
  readonly #server
  readonly #ca: string

  private constructor(number: number, fixture: BrokerFixture, server: ReturnType<typeof createServer>, ca: string) {
    this.number = number
    this.fixture = fixture
    this.#server = server
    this.#ca = ca
  }

  /** A port whose default certificate has one type of key, and that of a.test the other. */
  static async open(defaultType: 'ec' | 'rsa', handshakeTimeout?: number): Promise<Port> {
    const fixture = await startBroker(handshakeTimeout === undefined ? {} : { handshakeTimeout })
    const pki = new Pki()
    const isEc = defaultType === 'ec'
    const all = store(fixture.directory, 'all', isEc ? pki.server('localhost') : pki.rsaServer('localhost'))
    const named = store(fixture.directory, 'named', isEc ? pki.rsaServer('a.test') : pki.server('a.test'))
    writeSslCertificates(fixture.directory, [
      { ipport: '0.0.0.0:0', ...all, clientcertnegotiation: 'none' },
      { hostnameport: 'a.test:0', ...named, clientcertnegotiation: 'none' },
    ])
    const server = createServer((incoming, response) =>
      response.end((incoming.socket as TLSSocket).servername || 'none'),
    )
    return new Port(await listenSecurely(server, '/'), fixture, server, pki.cert)
  }

  get ca(): string {
    return this.#ca
  }

  async subject(options: ConnectionOptions): Promise<string> {
    const socket = connect({ port: this.number, host: '127.0.0.1', ca: this.#ca, ...options })
    await once(socket, 'secureConnect')
    const { CN } = socket.getPeerCertificate().subject
    socket.destroy()
    return String(CN)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeServer(this.#server)
    await this.fixture[Symbol.asyncDispose]()
  }
}

const unchecked = { checkServerIdentity: () => undefined }

describe.each(['ec', 'rsa'] as const)('a port whose default certificate has a key of type %s', (type) => {
  test('shows each name its own certificate, whichever type the client likes better', async () => {
    await using port = await Port.open(type)
    for (const sigalgs of ['ECDSA+SHA256:RSA-PSS+SHA256', 'RSA-PSS+SHA256:ECDSA+SHA256']) {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        const options = { sigalgs: `${sigalgs}:RSA+SHA256`, maxVersion, ...unchecked }
        expect(await port.subject({ ...options, servername: 'a.test' })).toBe('a.test')
        expect(await port.subject({ ...options, servername: 'localhost' })).toBe('localhost')
        expect(await port.subject({ ...options, servername: '' })).toBe('localhost')
      }
    }
  })
})

test('a first message that comes in pieces is put together again', async () => {
  await using port = await Port.open('ec')
  // In front of the port, and passes on what the client says first in three pieces.
  const relay = createTcpServer((client) => {
    const upstream = connectTcp({ port: port.number, host: '127.0.0.1', noDelay: true })
    for (const socket of [client, upstream]) socket.on('error', () => {})
    upstream.pipe(client)
    client.once('data', (hello: Buffer) => {
      client.pause()
      upstream.write(hello.subarray(0, 3), () => {
        upstream.write(hello.subarray(3, 100), () => {
          upstream.write(hello.subarray(100))
          client.pipe(upstream)
        })
      })
    })
  }).listen(0, '127.0.0.1')
  await once(relay, 'listening')
  const { port: relayPort } = relay.address() as AddressInfo
  const socket = connect({ port: relayPort, host: '127.0.0.1', servername: 'a.test', ca: port.ca })
  await once(socket, 'secureConnect')
  expect(socket.getPeerCertificate().subject.CN).toBe('a.test')
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  let answer = ''
  for await (const chunk of socket) answer += String(chunk)
  expect(answer).toContain('\r\n\r\na.test')
  relay.close()
})

test('the name is found as soon as it is all there, in one record or in several', async () => {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', servername: 'a.test' })
  client.on('error', () => {})
  const [socket] = (await once(server, 'connection')) as [Socket]
  const [hello] = (await once(socket, 'data')) as [Buffer]
  client.destroy()
  server.close()
  for (let length = 0; length < hello.length; length++) expect(serverNameIn(hello.subarray(0, length))).toBe(null)
  expect(serverNameIn(hello)).toBe('a.test')
  const message = hello.subarray(5)
  for (const cut of [1, 3, 4, 50, message.length - 1]) {
    const pieces = [message.subarray(0, cut), message.subarray(cut)]
    const records = pieces.flatMap((piece) => [Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 255]), piece])
    const bytes = Buffer.concat(records)
    expect(serverNameIn(bytes)).toBe('a.test')
    expect(serverNameIn(bytes.subarray(0, -1))).toBe(null)
  }
})

test('what is no first message of a client has no name', () => {
  const head = [22, 3, 1, 0, 42, 1, 0, 0, 38, 3, 3]
  const bytes = Buffer.concat([Buffer.from(head), Buffer.alloc(32), Buffer.from([255, 0, 0, 0])])
  // The length of its session id leads out of it.
  expect(serverNameIn(bytes)).toBe('')
  expect(serverNameIn(Buffer.from('G'))).toBe('')
  expect(serverNameIn(Buffer.from([22, 3, 1, 0, 0]))).toBe('')
  expect(serverNameIn(Buffer.from([22, 3, 1, 0, 1, 1, 23]))).toBe('')
  expect(serverNameIn(Buffer.alloc(20_000, Buffer.from([22, 3, 1, 0, 1, 1])))).not.toBe(null)
})

test.each([
  ['what is not TLS', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['a record without anything', Buffer.from([22, 3, 1, 0, 0])],
  [
    'lengths that lead nowhere',
    Buffer.concat([Buffer.from([22, 3, 1, 0, 42, 1, 0, 0, 38, 3, 3]), Buffer.alloc(32), Buffer.from([255, 0, 0, 0])]),
  ],
])('%s ends the connection, is counted, and harms nobody', async (_what, bytes) => {
  await using port = await Port.open('ec')
  const tcp = connectTcp(port.number, '127.0.0.1')
  tcp.on('error', () => {})
  tcp.end(bytes)
  await once(tcp.resume(), 'close')
  await vi.waitFor(() => expect(port.fixture.broker.status().reasons['TLS_Handshake']).toBe(1))
  expect(await port.subject({ servername: 'a.test' })).toBe('a.test')
})

test('a client that says half of it is not waited for', async () => {
  await using port = await Port.open('ec', 300)
  const tcp = connectTcp(port.number, '127.0.0.1')
  tcp.on('error', () => {})
  tcp.write(Buffer.from([22, 3, 1, 1, 0, 1, 0]))
  await once(tcp.resume(), 'close')
  await vi.waitFor(() => expect(port.fixture.broker.status().reasons['TLS_Handshake']).toBe(1))
  expect(await port.subject({ servername: 'a.test' })).toBe('a.test')
})
