import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeSslCertificates } from '../../src/broker/rendezvous/ssl-certificates.ts'
import type { SslCertificate } from '../../src/broker/rendezvous/ssl-certificates.ts'
import { signCertificate } from '../../src/x509/certificate.ts'

/** A key and its certificate, PEM. */
export interface Identity {
  readonly key: string
  readonly cert: string
}

/** An authority of a test's own, and what it has signed. */
export class Pki {
  readonly cert: string
  readonly #name: string
  readonly #key: KeyObject

  constructor(name = 'test authority') {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    this.#name = name
    this.#key = privateKey
    this.cert = signCertificate(
      { ...validity(), subject: name, issuer: name, publicKey, hosts: [], use: 'authority' },
      privateKey,
    )
  }

  server(...hosts: string[]): Identity {
    return this.#sign(hosts[0]!, hosts, 'server')
  }

  /** The same with an RSA key. */
  rsaServer(...hosts: string[]): Identity {
    return this.#sign(hosts[0]!, hosts, 'server', generateKeyPairSync('rsa', { modulusLength: 2048 }))
  }

  client(subject: string): Identity {
    return this.#sign(subject, [], 'client')
  }

  #sign(
    subject: string,
    hosts: string[],
    use: 'server' | 'client',
    { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  ): Identity {
    const parts = { ...validity(), subject, issuer: this.#name, publicKey, hosts, use }
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
    return { key, cert: signCertificate(parts, this.#key) }
  }
}

function validity(): { from: Date; until: Date } {
  return { from: new Date(Date.now() - 86_400_000), until: new Date(Date.now() + 86_400_000) }
}

/** Writes a certificate and its key into a directory, as the entry names them. */
export function store(directory: string, name: string, { key, cert }: Identity): { cert: string; key: string } {
  const files = { cert: join(directory, `${name}.crt`), key: join(directory, `${name}.key`) }
  writeFileSync(files.cert, cert)
  writeFileSync(files.key, key, { mode: 0o600 })
  return files
}

/** Gives all ports one certificate for `localhost`; returns the authority. */
export function certifyEverywhere(directory: string, options: Partial<SslCertificate> = {}): Pki {
  const pki = new Pki()
  const files = store(directory, 'localhost', pki.server('localhost', '127.0.0.1', '[::1]'))
  writeSslCertificates(directory, [{ ipport: '0.0.0.0:0', ...files, clientcertnegotiation: 'none', ...options }])
  return pki
}
