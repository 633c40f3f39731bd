import { X509Certificate } from 'node:crypto'
import type { PeerCertificate } from 'node:tls'
import type { TlsInfo } from '../base/tls-info.ts'
import type { QueueConnection } from '../queue/exchange.ts'

/** Of a backend that does not tell more than that the client speaks TLS. */
const UNKNOWN: TlsInfo = {
  protocol: '',
  cipher: { name: '', standardName: '', version: '' },
  servername: false,
  alpnProtocol: false,
  authorized: false,
  authorizationError: null,
  peerCertificates: [],
}

/** Gives a socket what apps read of a `tls.TLSSocket`. */
export function describeTls(socket: object, connection: QueueConnection): void {
  let info = connection.tls ?? UNKNOWN
  const show = (): void => {
    const { authorized, authorizationError, servername, alpnProtocol } = info
    Object.assign(socket, { encrypted: true, authorized, authorizationError, servername, alpnProtocol })
  }
  show()
  Object.assign(socket, {
    getCipher: () => info.cipher,
    getProtocol: () => info.protocol || null,
    getPeerCertificate: (isDetailed?: boolean) => peerCertificateOf(info, isDetailed === true),
    getPeerX509Certificate: () => peerX509CertificateOf(info),
    isSessionReused: () => false,
    renegotiate(
      options: { rejectUnauthorized?: boolean },
      callback: (error: Error | null) => void = () => {},
    ): boolean {
      if (connection.requestCertificate === undefined) {
        process.nextTick(
          callback,
          new Error('TLS can not be negotiated anew: certificates are asked for when a client connects'),
        )
        return false
      }
      void connection.requestCertificate().then(
        (now) => {
          info = now ?? info
          show()
          const isRefused = options.rejectUnauthorized !== false && !info.authorized
          const refusal = new Error(info.authorizationError ?? 'the client has shown no certificate')
          process.nextTick(callback, isRefused ? refusal : null)
        },
        (error: Error) => process.nextTick(callback, error),
      )
      return true
    },
  })
}

/** The client's certificate; undefined when it showed none. */
export function peerX509CertificateOf({ peerCertificates }: TlsInfo): X509Certificate | undefined {
  const [der] = peerCertificates
  return der === undefined ? undefined : new X509Certificate(der)
}

/** As node:tls: an empty object when there is none; with `isDetailed` each certificate has its issuer's. */
function peerCertificateOf(info: TlsInfo, isDetailed: boolean): Partial<PeerCertificate> {
  const chain = info.peerCertificates.map((der) => new X509Certificate(der).toLegacyObject())
  const [first] = chain
  if (first === undefined) return {}
  if (!isDetailed) return first
  for (const [index, certificate] of chain.entries()) {
    const issuer = chain[index + 1] ?? (isSelfSigned(info, index) ? certificate : undefined)
    if (issuer !== undefined) Object.assign(certificate, { issuerCertificate: issuer })
  }
  return first
}

function isSelfSigned({ peerCertificates }: TlsInfo, index: number): boolean {
  const certificate = new X509Certificate(peerCertificates[index]!)
  return certificate.checkIssued(certificate)
}
