import type { TLSSocket } from 'node:tls'
import type { TlsInfo } from '../../../base/tls-info.ts'

/** Certificates of a chain that owners are told of, and bytes of them: what a client sends must not fill a frame. */
const MAX_CHAIN = 8
const MAX_CHAIN_BYTES = 64 * 1024

/** What a handshake has come to. */
export function tlsInfoOf(socket: TLSSocket): TlsInfo {
  const { name, standardName, version } = socket.getCipher()
  // @types/node has `string | null`; Node says false for none, and null before the handshake.
  const servername = (socket as unknown as { servername: string | false | null }).servername
  // A code, whatever @types/node says.
  const error = socket.authorizationError as unknown as string | null
  return {
    protocol: socket.getProtocol() ?? version,
    cipher: { name, standardName, version },
    servername: servername || false,
    alpnProtocol: socket.alpnProtocol || false,
    authorized: socket.authorized,
    authorizationError: error ?? null,
    peerCertificates: chainOf(socket),
  }
}

function chainOf(socket: TLSSocket): Buffer[] {
  const chain: Buffer[] = []
  let bytes = 0
  let certificate = socket.getPeerCertificate(true)
  // Node ends a chain with a certificate that is its own issuer.
  for (let depth = 0; depth < MAX_CHAIN && certificate?.raw !== undefined; depth++) {
    bytes += certificate.raw.length
    if (bytes > MAX_CHAIN_BYTES) break
    chain.push(certificate.raw)
    if (certificate.issuerCertificate === certificate) break
    certificate = certificate.issuerCertificate
  }
  return chain
}
