import { generateKeyPairSync } from 'node:crypto'
import { signCertificate } from './certificate.ts'

/** A key and the certificate that it has signed for itself; PEM. */
export interface SelfSigned {
  readonly key: string
  readonly cert: string
}

/** Longer than browsers take from public authorities (398 days) would gain nothing. */
const DAYS = 397
const DAY_MS = 24 * 3600 * 1000

/**
 * Makes a key (P-256) and a certificate for development: for these names and addresses, and for nothing else. It is no authority:
 * whoever trusts it trusts nothing that it has not signed.
 */
export function selfSigned(hosts: readonly string[], now = new Date()): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const name = `httpsys development: ${hosts[0]}`
  const cert = signCertificate(
    {
      subject: name,
      issuer: name,
      publicKey,
      hosts,
      use: 'server',
      from: new Date(now.getTime() - DAY_MS),
      until: new Date(now.getTime() + DAYS * DAY_MS),
    },
    privateKey,
  )
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, cert }
}
