import type { TlsInfo } from '../../base/tls-info.ts'

/** What an owner is told of a client's connection, once: the payload of CONNECTION. */
export interface ConnectionFacts {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly tls?: TlsInfo | undefined
}

/** `<remote port> <local port> <remote address> <local address>`, and JSON about TLS behind it. */
export function encodeConnectionFacts(facts: ConnectionFacts): string {
  const { tls } = facts
  const addresses = `${facts.remotePort} ${facts.localPort} ${facts.remoteAddress} ${facts.localAddress}`
  if (tls === undefined) return addresses
  const peerCertificates = tls.peerCertificates.map((der) => der.toString('base64'))
  return `${addresses} ${JSON.stringify({ ...tls, peerCertificates })}`
}

/** The owner's side; what the broker says is trusted. */
export function decodeConnectionFacts(payload: string): ConnectionFacts {
  const [remotePort, localPort, remoteAddress, localAddress] = payload.split(' ', 4)
  const addresses = {
    remoteAddress: remoteAddress ?? '',
    remotePort: Number(remotePort),
    localAddress: localAddress ?? '',
    localPort: Number(localPort),
  }
  const brace = payload.indexOf('{')
  if (brace === -1) return addresses
  const tls = JSON.parse(payload.slice(brace)) as Omit<TlsInfo, 'peerCertificates'> & { peerCertificates: string[] }
  const peerCertificates = tls.peerCertificates.map((text) => Buffer.from(text, 'base64'))
  return { ...addresses, tls: { ...tls, peerCertificates } }
}
