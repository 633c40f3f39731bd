import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import type { RequestOptions } from 'node:https'
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { expect, test, vi } from 'vitest'
import httpsys from '../../../../src/index.ts'
import { writeSslCertificates } from '../../../../src/broker/rendezvous/ssl-certificates.ts'
import type { ClientCertificates } from '../../../../src/broker/rendezvous/ssl-certificates.ts'
import { startBroker } from '../../../support/broker-fixture.ts'
import type { BrokerFixture } from '../../../support/broker-fixture.ts'
import { closeServer, listenSecurely } from '../../../support/listening.ts'
import { Pki, certifyEverywhere, store } from '../../../support/pki.ts'

interface Seen {
  readonly authorized: boolean
  readonly authorizationError: string | null
  readonly subject: unknown
  readonly issuer: unknown
  readonly middleware: { subject: string; isTrusted: boolean; error: string | null } | null
}

/** A server that tells what it knows of its clients. */
async function serve(
  fixture: BrokerFixture,
  negotiation: ClientCertificates,
  clients: Pki,
): Promise<{ port: number; ca: string; close: () => Promise<void> }> {
  const { directory } = fixture
  writeFileSync(join(directory, 'clients.crt'), clients.cert)
  const { cert: ca } = certifyEverywhere(directory, {
    clientcertnegotiation: negotiation,
    ca: join(directory, 'clients.crt'),
  })
  const middleware = httpsys.middleware()
  const server = createServer((incoming, response) =>
    middleware(incoming, response, () => {
      const socket = incoming.socket as TLSSocket
      const peer = socket.getPeerCertificate(true)
      const certificate = incoming.httpsys?.clientCertificate ?? null
      const seen: Seen = {
        authorized: socket.authorized,
        authorizationError: socket.authorizationError as unknown as string | null,
        subject: peer.subject?.CN,
        issuer: peer.issuerCertificate?.subject.CN,
        middleware: certificate && {
          subject: certificate.certificate.subject,
          isTrusted: certificate.isTrusted,
          error: certificate.error,
        },
      }
      if (incoming.url!.endsWith('?cached')) response.cachePolicy = { ttl: 60 }
      response.end(JSON.stringify(seen))
    }),
  )
  const port = await listenSecurely(server, '/2/')
  return { port, ca, close: () => closeServer(server) }
}

async function ask(port: number, options: RequestOptions): Promise<Seen> {
  const outgoing = request({ host: 'localhost', port, path: '/2/', agent: false, ...options })
  outgoing.end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return JSON.parse(text) as Seen
}

test('none: nobody is asked', async () => {
  await using fixture = await startBroker()
  const clients = new Pki('clients')
  const { port, ca, close } = await serve(fixture, 'none', clients)
  const seen = await ask(port, { ca, ...clients.client('alice') })
  expect(seen).toMatchObject({ authorized: false, authorizationError: null, middleware: null })
  expect(seen.subject).toBeUndefined()
  await close()
})

test('allow: a certificate is seen and judged, and none is fine', async () => {
  await using fixture = await startBroker()
  const clients = new Pki('clients')
  const { port, ca, close } = await serve(fixture, 'allow', clients)
  expect(await ask(port, { ca, ...clients.client('alice') })).toEqual({
    authorized: true,
    authorizationError: null,
    subject: 'alice',
    issuer: 'clients',
    middleware: { subject: 'CN=alice', isTrusted: true, error: null },
  })
  expect(await ask(port, { ca, ...new Pki('strangers').client('mallory') })).toMatchObject({
    authorized: false,
    authorizationError: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    subject: 'mallory',
    middleware: { subject: 'CN=mallory', isTrusted: false, error: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
  })
  expect(await ask(port, { ca })).toMatchObject({ authorized: false, middleware: null })
  await close()
})

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'require, %s: nobody comes without a trusted certificate',
  async (version) => {
    await using fixture = await startBroker()
    const clients = new Pki('clients')
    const { port, ca, close } = await serve(fixture, 'require', clients)
    const options = { ca, minVersion: version, maxVersion: version }
    expect(await ask(port, { ...options, ...clients.client('alice') })).toMatchObject({
      authorized: true,
      subject: 'alice',
    })
    await expect(ask(port, options)).rejects.toThrow()
    await expect(ask(port, { ...options, ...new Pki('strangers').client('mallory') })).rejects.toThrow()
    await close()
  },
)

test('what a client with a certificate is told is cached for no one else', async () => {
  await using fixture = await startBroker()
  const clients = new Pki('clients')
  const { port, ca, close } = await serve(fixture, 'allow', clients)
  const alice = { ca, path: '/2/?cached', ...clients.client('alice') }
  expect(await ask(port, alice)).toMatchObject({ subject: 'alice' })
  expect(await ask(port, { ca, path: '/2/?cached' })).toMatchObject({ authorized: false, middleware: null })
  // Now it is, for those without one.
  expect(await ask(port, alice)).toMatchObject({ subject: 'alice' })
  await close()
})

test('a host that wants certificates can not be reached under the name of another that does not', async () => {
  await using fixture = await startBroker()
  const { directory } = fixture
  const pki = certifyEverywhere(directory)
  const clients = new Pki('clients')
  const server = createServer((incoming, response) => response.end(String((incoming.socket as TLSSocket).authorized)))
  server.listen(httpsys.prefix('https://*:0/'))
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  writeFileSync(join(directory, 'clients.crt'), clients.cert)
  writeSslCertificates(directory, [
    {
      hostnameport: `open.test:${port}`,
      ...store(directory, 'open', pki.server('open.test')),
      clientcertnegotiation: 'none',
    },
    {
      hostnameport: `closed.test:${port}`,
      ...store(directory, 'closed', pki.server('closed.test')),
      clientcertnegotiation: 'require',
      ca: join(directory, 'clients.crt'),
    },
  ])
  const status = async (servername: string, host: string, options = {}): Promise<number> => {
    const outgoing = request({
      host: '127.0.0.1',
      port,
      servername,
      ca: pki.cert,
      agent: false,
      headers: { Host: host },
      ...options,
    })
    outgoing.end()
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    response.resume()
    return response.statusCode!
  }
  const alice = clients.client('alice')
  await vi.waitFor(async () => expect(await status('open.test', 'open.test')).toBe(200), { timeout: 5000 })
  expect(await status('closed.test', 'closed.test', alice)).toBe(200)
  expect(await status('open.test', 'closed.test')).toBe(421)
  expect(await status('open.test', 'CLOSED.test:443')).toBe(421)
  // Who has shown a certificate may ask for what needs none.
  expect(await status('closed.test', 'open.test', alice)).toBe(200)
  await expect(status('closed.test', 'closed.test')).rejects.toThrow()
  await closeServer(server)
})

test('where certificates are asked for no session is resumed, since it would keep what was known of its first host', async () => {
  await using fixture = await startBroker()
  const clients = new Pki('clients')
  const { port, ca, close } = await serve(fixture, 'allow', clients)
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = { port, host: '127.0.0.1', servername: 'localhost', ca, maxVersion }
    const first = connect(options)
    let session: Buffer | undefined
    first.on('session', (ticket) => (session = ticket))
    await once(first, 'secureConnect')
    first.write('GET /2/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(first, 'data')
    const kept = session ?? first.getSession()
    first.destroy()
    const second = connect({ ...options, ...(kept === undefined ? {} : { session: kept }) })
    await once(second, 'secureConnect')
    expect(second.isSessionReused()).toBe(false)
    second.destroy()
  }
  await close()
})
