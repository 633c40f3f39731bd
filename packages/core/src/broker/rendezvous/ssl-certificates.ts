import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { problemOf } from './config-directory.ts'

/** Whether clients are asked for a certificate: not at all; they may show one; they must show one that is trusted. */
export type ClientCertificates = 'none' | 'allow' | 'require'

/** Which certificate a port shows to whom; HTTP.SYS's `sslcert`. */
export interface SslCertificate {
  /** For clients that ask for this name (SNI): `name:port` or `*.name:port`. */
  readonly hostnameport?: string
  /** For all others: `address:port`, `0.0.0.0:port` for all addresses, port 0 for all ports. */
  readonly ipport?: string
  /** PEM files: the chain, and its key. */
  readonly cert: string
  readonly key: string
  /** PEM file: who issues the clients' certificates. The system's authorities when there is none. */
  readonly ca?: string
  readonly clientcertnegotiation: ClientCertificates
}

export const SSL_CERTIFICATES_FILE = 'sslcert.json'

/**
 * The entries of a configuration directory; none when there is no file.
 *
 * @throws Error when the file can't be read, is broken, or is one that others may have written
 */
export function readSslCertificates(directory: string): SslCertificate[] {
  const path = join(directory, SSL_CERTIFICATES_FILE)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const problem = problemOf(path)
  if (problem !== undefined) throw new Error(`${path}: ${problem}`)
  const value: unknown = JSON.parse(text)
  if (!Array.isArray(value) || !value.every(isSslCertificate)) throw new Error(`${path}: it is no list of entries`)
  return value
}

/** Writes them; brokers notice by themselves. */
export function writeSslCertificates(directory: string, entries: readonly SslCertificate[]): void {
  const path = join(directory, SSL_CERTIFICATES_FILE)
  writeFileSync(`${path}.new`, `${JSON.stringify(entries, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

/** Splits `host:port`; undefined when it is none. */
export function hostAndPort(text: string): { host: string; port: number } | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[^\s:/[\]]+):(\d{1,5})$/i.exec(text)
  if (match === null || Number(match[2]) > 65_535) return undefined
  return { host: match[1]!.toLowerCase(), port: Number(match[2]) }
}

function isSslCertificate(value: unknown): value is SslCertificate {
  const entry = (value ?? {}) as Record<string, unknown>
  const { hostnameport, ipport, cert, key, ca, clientcertnegotiation } = entry
  const place = hostnameport ?? ipport
  return (
    (hostnameport === undefined) !== (ipport === undefined) &&
    typeof place === 'string' &&
    hostAndPort(place) !== undefined &&
    typeof cert === 'string' &&
    typeof key === 'string' &&
    (ca === undefined || typeof ca === 'string') &&
    (clientcertnegotiation === 'none' || clientcertnegotiation === 'allow' || clientcertnegotiation === 'require')
  )
}
