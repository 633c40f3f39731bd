import { expect, test } from 'vitest'
import { decodeConnectionFacts, encodeConnectionFacts } from '../../../src/broker/protocol/connection-facts.ts'

const addresses = { remoteAddress: '::1', remotePort: 50000, localAddress: '::ffff:127.0.0.1', localPort: 8443 }

test('a connection without TLS is four words, as it always was', () => {
  expect(encodeConnectionFacts(addresses)).toBe('50000 8443 ::1 ::ffff:127.0.0.1')
  expect(decodeConnectionFacts('50000 8443 ::1 ::ffff:127.0.0.1')).toEqual(addresses)
})

test('what TLS has agreed on comes back as it was, and fits a frame of one byte a character', () => {
  const tls = {
    protocol: 'TLSv1.3',
    cipher: { name: 'A', standardName: 'B', version: 'TLSv1.3' },
    servername: 'a {b}',
    alpnProtocol: false,
    authorized: false,
    authorizationError: 'CERT_HAS_EXPIRED',
    peerCertificates: [Buffer.from([0, 255, 128]), Buffer.alloc(0)],
  } as const
  const text = encodeConnectionFacts({ ...addresses, tls })
  expect(text).toMatch(/^[\x20-\x7e]+$/)
  expect(decodeConnectionFacts(text)).toEqual({ ...addresses, tls })
})
