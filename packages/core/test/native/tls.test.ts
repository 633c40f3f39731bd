import { X509Certificate } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import type { TlsInfo } from '../../src/base/tls-info.ts'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import { NativeBackend } from '../../src/native/native-backend.ts'
import type { QueueConnection } from '../../src/queue/exchange.ts'
import { cipherSuiteOf } from '../../src/native/cipher-suite.ts'
import { selfSigned } from '../../src/x509/self-signed.ts'
import { freePort } from '../support/free-port.ts'
import { WireClient } from '../support/wire-client.ts'
import { Machine } from './double/machine.ts'
import { PretendedTls } from './double/request-struct.ts'
import type { Whims } from './double/whims.ts'

const DER = new X509Certificate(selfSigned(['client.example']).cert).raw

/** What a backend tells of the connection of one request. */
async function connectionOf(
  tls: PretendedTls | null,
  whims: Partial<Whims> = {},
  use: (connection: QueueConnection, machine: Machine) => Promise<unknown> = () => Promise.resolve(),
): Promise<QueueConnection> {
  await using machine = new Machine(whims)
  const backend = new NativeBackend({ load: () => machine.start().api })
  const port = await freePort()
  if (tls !== null) machine.tls.set(port, tls)
  const nothing = (): void => {}
  let found: QueueConnection | undefined
  const queue = await backend.open(UrlPrefix.parse(`http://localhost:${port}/`), {
    onRequest(exchange) {
      found = exchange.connection
      void use(found, machine).finally(() => exchange.sendResponse(200, 'OK', '', 0, 0, null, null, true))
    },
    onBody: nothing,
    onBodyEnd: nothing,
    onWritable: nothing,
    onDisconnect: nothing,
    onLost: nothing,
    onQueueRevoked: nothing,
    onQueueLost: nothing,
  })
  const client = await WireClient.send(port, { path: '/' })
  await client.response({ complete: true })
  await queue.shutdown()
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), { interval: 5, timeout: 60_000 })
  return found!
}

test('a client without TLS has no TLS facts', async () => {
  expect(await connectionOf(null)).toMatchObject({ encrypted: false, tls: undefined })
})

test('a client that shows a certificate that Windows trusts is authorized', async () => {
  const { encrypted, tls } = await connectionOf(new PretendedTls(DER, 'shop.example'))
  expect(encrypted).toBe(true)
  expect(tls).toMatchObject({ authorized: true, authorizationError: null, servername: 'shop.example' })
  expect(tls!.peerCertificates).toEqual([DER])
})

test.each([
  [0x800b_0109, 'SELF_SIGNED_CERT_IN_CHAIN'],
  [0x800b_0101, 'CERT_HAS_EXPIRED'],
  [0x800b_ffff, 'CERT_UNTRUSTED'],
])('a client whose certificate has the problem %i is not: %s', async (flags, code) => {
  const { tls } = await connectionOf(new PretendedTls(DER, 'shop.example', flags))
  expect(tls).toMatchObject({ authorized: false, authorizationError: code } satisfies Partial<TlsInfo>)
})

test('a client without a certificate is not authorized, and nothing is wrong', async () => {
  const { tls } = await connectionOf(new PretendedTls(null, ''))
  expect(tls).toMatchObject({ authorized: false, authorizationError: null, servername: false, peerCertificates: [] })
})

test('a Windows that does not tell the server name tells the rest', async () => {
  const { tls } = await connectionOf(new PretendedTls(DER, 'shop.example'), { isRecent: false })
  expect(tls).toMatchObject({ authorized: true, servername: false })
})

test('TLS has the version that Windows tells, where it does', async () => {
  expect(await connectionOf(new PretendedTls(DER, ''))).toMatchObject({ tls: { protocol: 'TLSv1.3' } })
  expect(await connectionOf(new PretendedTls(DER, ''), { isRecent: false })).toMatchObject({ tls: { protocol: '' } })
})

test('TLS has the cipher suite that Windows tells, where it does', async () => {
  const { tls } = await connectionOf(new PretendedTls(DER, ''))
  const name = 'TLS_AES_256_GCM_SHA384'
  expect(tls!.cipher).toEqual({ name, standardName: name, version: 'TLSv1.3' })
  for (const whims of [{ isRecent: false }, { tellsCipher: false }]) {
    const older = await connectionOf(new PretendedTls(DER, ''), whims)
    expect(older.tls!.cipher).toEqual({ name: '', standardName: '', version: '' })
  }
})

// As `openssl ciphers -stdname` has them.
test.each([
  ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'ECDHE-RSA-AES256-GCM-SHA384', 'TLSv1.2'],
  ['TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256', 'ECDHE-ECDSA-AES128-SHA256', 'TLSv1.2'],
  ['TLS_DHE_RSA_WITH_AES_128_GCM_SHA256', 'DHE-RSA-AES128-GCM-SHA256', 'TLSv1.2'],
  ['TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA', 'ECDHE-RSA-AES256-SHA', 'TLSv1'],
  ['TLS_RSA_WITH_AES_256_CBC_SHA256', 'AES256-SHA256', 'TLSv1.2'],
  ['TLS_RSA_WITH_AES_128_GCM_SHA256', 'AES128-GCM-SHA256', 'TLSv1.2'],
  ['TLS_CHACHA20_POLY1305_SHA256', 'TLS_CHACHA20_POLY1305_SHA256', 'TLSv1.3'],
])('the cipher suite %s is %s to OpenSSL', (standardName, name, version) => {
  expect(cipherSuiteOf(standardName)).toEqual({ name, standardName, version })
})

test('ALPN is what HTTP.SYS has chosen, as far as the request shows it', async () => {
  expect((await connectionOf(new PretendedTls(DER, ''), { isMultiplexed: true })).tls!.alpnProtocol).toBe('h2')
  expect((await connectionOf(new PretendedTls(DER, ''))).tls!.alpnProtocol).toBe(false)
})

test.each([
  ['done at once', { atOnce: 1 }],
  ['done later', { atOnce: 0 }],
])('a client that has shown no certificate can be asked for one, %s', async (_, whims) => {
  let asked: unknown
  const { tls } = await connectionOf(new PretendedTls(DER, 'shop.example', 0, true), whims, async (connection) => {
    expect(connection.tls).toMatchObject({ authorized: false, peerCertificates: [] })
    asked = await connection.requestCertificate!()
  })
  expect(tls).toMatchObject({ authorized: true, authorizationError: null, peerCertificates: [DER] })
  expect(asked).toBe(tls)
})

test('a certificate that is larger than expected is received whole', async () => {
  const large = Buffer.alloc(20_000, 'certificate')
  const { tls } = await connectionOf(new PretendedTls(large, '', 0, true), {}, (connection) =>
    connection.requestCertificate!(),
  )
  expect(tls!.peerCertificates).toEqual([large])
})

test('a client that has none to show stays without', async () => {
  const { tls } = await connectionOf(new PretendedTls(null, ''), {}, (connection) => connection.requestCertificate!())
  expect(tls).toMatchObject({ authorized: false, authorizationError: null, peerCertificates: [] })
})
