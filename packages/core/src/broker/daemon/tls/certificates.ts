import { X509Certificate, constants } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { SecureContext, SecureContextOptions } from 'node:tls'
import type { ConnectionFacts } from '../../protocol/connection-facts.ts'
import { problemOf } from '../../rendezvous/config-directory.ts'
import { SSL_CERTIFICATES_FILE, hostAndPort, readSslCertificates } from '../../rendezvous/ssl-certificates.ts'
import type { ClientCertificates, SslCertificate } from '../../rendezvous/ssl-certificates.ts'
import { hostOfAddress, hostOfField } from '../host-name.ts'

/** How often files are looked at while clients come. */
const CHECK_MS = 1000

/** An entry whose files have been read. */
export interface Certificate {
  readonly host: string
  readonly port: number
  readonly isByAddress: boolean
  readonly options: SecureContextOptions
  readonly context: SecureContext
  readonly negotiation: ClientCertificates
  /** Of its key: `rsa`, `ec`. */
  readonly keyType: string
  /** Of its files, to see whether they have changed. */
  readonly mark: string
}

/**
 * The certificates of the ports. They are looked up for each new connection, and read again when a file has changed: a renewed
 * certificate counts for the next client, and open connections go on. What can't be read leaves what was there before.
 */
export class Certificates {
  readonly #directory: string | undefined
  readonly #onProblem: (text: string) => void
  #entries: readonly SslCertificate[] = []
  #certificates: readonly Certificate[] = []
  #listMark = ''
  #lastCheck = 0
  /** So that a broken file is told of once. */
  readonly #problems = new Map<string, string>()

  constructor(directory: string | undefined, onProblem: (text: string) => void) {
    this.#directory = directory
    this.#onProblem = onProblem
  }

  /** Whether clients of the port can be shown any. */
  hasAny(port: number): boolean {
    this.#refresh(true)
    return this.#certificates.some((certificate) => isFor(certificate, port))
  }

  /** Whether clients of the port may be asked for certificates, by whatever name they call it. */
  asksClients(port: number): boolean {
    return this.#certificates.some((certificate) => isFor(certificate, port) && certificate.negotiation !== 'none')
  }

  /** Whether the keys of the port's certificates are of several types. */
  hasSeveralKeyTypes(port: number): boolean {
    const types = this.#certificates.filter((certificate) => isFor(certificate, port)).map(({ keyType }) => keyType)
    return types.some((type) => type !== types[0])
  }

  /**
   * The certificate for a client: the one of the name that it asks for, of a wildcard name, of the address, of all addresses; else
   * the first of the port, whose name the client will miss.
   *
   * @param servername - undefined when the client said none
   */
  find(servername: string | undefined, localAddress: string, port: number): Certificate | undefined {
    this.#refresh(false)
    const name = servername?.toLowerCase()
    const address = hostOfAddress(localAddress).name
    let best: Certificate | undefined
    let bestRank = 0
    for (const certificate of this.#certificates) {
      if (!isFor(certificate, port)) continue
      const rank = rankOf(certificate, name, address) * 2 + (certificate.port === 0 ? 0 : 1)
      if (best !== undefined && rank <= bestRank) continue
      best = certificate
      bestRank = rank
    }
    return best
  }

  /** Tells requests that may not come over a connection; undefined where all may. */
  misdirectionOf(connection: ConnectionFacts): ((host: string | undefined) => boolean) | undefined {
    return connection.tls === undefined ? undefined : (host) => this.#isMisdirected(connection, host)
  }

  /**
   * Whether a host asks its clients for certificates, and the connection has been made for another one: what that knows of the
   * client is not what the host wants to know.
   *
   * @see https://www.rfc-editor.org/rfc/rfc9110#section-15.5.20
   */
  #isMisdirected({ tls, localAddress, localPort }: ConnectionFacts, hostField: string | undefined): boolean {
    if (!this.asksClients(localPort)) return false
    const name = hostField === undefined ? undefined : hostOfField(hostField).name
    const wanted = this.find(name, localAddress, localPort)
    const shown = this.find(tls?.servername || undefined, localAddress, localPort)
    return wanted !== shown && wanted !== undefined && wanted.negotiation !== 'none'
  }

  #refresh(isForced: boolean): void {
    const directory = this.#directory
    if (directory === undefined) return
    const now = Date.now()
    if (!isForced && now - this.#lastCheck < CHECK_MS) return
    this.#lastCheck = now
    const listMark = markOf([join(directory, SSL_CERTIFICATES_FILE)])
    if (listMark !== this.#listMark) {
      this.#listMark = listMark
      this.#attempt(SSL_CERTIFICATES_FILE, () => (this.#entries = readSslCertificates(directory)))
    }
    const before = new Map(this.#certificates.map((certificate) => [keyOf(certificate), certificate]))
    this.#certificates = this.#entries.flatMap((entry) => {
      const { host, port } = hostAndPort((entry.hostnameport ?? entry.ipport)!)!
      const isByAddress = entry.ipport !== undefined
      const known = before.get(keyOf({ host, port, isByAddress }))
      const mark = `${JSON.stringify(entry)} ${markOf(filesOf(entry))}`
      if (known?.mark === mark) return [known]
      const loaded = this.#attempt((entry.hostnameport ?? entry.ipport)!, () => load(entry, host, port, mark)) ?? known
      return loaded === undefined ? [] : [loaded]
    })
  }

  #attempt<T>(subject: string, action: () => T): T | undefined {
    try {
      const result = action()
      this.#problems.delete(subject)
      return result
    } catch (error) {
      const text = `${subject}: ${(error as Error).message}`
      if (this.#problems.get(subject) !== text) this.#onProblem(text)
      this.#problems.set(subject, text)
      return undefined
    }
  }
}

/** Reads an entry's files. @throws Error when one can't be read, they don't belong together, or everybody may read the key */
export function load(entry: SslCertificate, host: string, port: number, mark: string): Certificate {
  const problem = problemOf(entry.key, true)
  if (problem !== undefined) throw new Error(`key ${entry.key}: ${problem}`)
  const options: SecureContextOptions = {
    cert: readFileSync(entry.cert),
    key: readFileSync(entry.key),
    ...(entry.ca === undefined ? {} : { ca: readFileSync(entry.ca) }),
    minVersion: 'TLSv1.2',
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    sessionIdContext: 'httpsys',
  }
  return {
    host,
    port,
    isByAddress: entry.ipport !== undefined,
    options,
    context: createSecureContext(options),
    negotiation: entry.clientcertnegotiation,
    keyType: new X509Certificate(options.cert as Buffer).publicKey.asymmetricKeyType ?? '',
    mark,
  }
}

function filesOf({ cert, key, ca }: SslCertificate): string[] {
  return ca === undefined ? [cert, key] : [cert, key, ca]
}

function isFor(certificate: Certificate, port: number): boolean {
  return certificate.port === port || certificate.port === 0
}

function keyOf({ host, port, isByAddress }: Pick<Certificate, 'host' | 'port' | 'isByAddress'>): string {
  return `${isByAddress ? 'ip' : 'host'} ${host}:${port}`
}

/** 5: the name; 4: a wildcard for it; 3: the address; 2: all addresses; 1: none of these. */
function rankOf({ host, isByAddress }: Certificate, name: string | undefined, address: string): number {
  if (isByAddress) return host === address ? 3 : host === '0.0.0.0' || host === '[::]' ? 2 : 1
  if (name === undefined) return 1
  if (host === name) return 5
  // As in certificates: one label, and no more.
  return host.startsWith('*.') && name.slice(name.indexOf('.') + 1) === host.slice(2) && name.includes('.') ? 4 : 1
}

/** What changes when one of the files does. */
function markOf(paths: readonly string[]): string {
  return paths
    .map((path) => {
      const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
      return stats === undefined ? '' : `${stats.ino}:${stats.size}:${stats.mtimeNs}`
    })
    .join()
}
