import { X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { hostAndPort } from '../broker/rendezvous/ssl-certificates.ts'
import type { ClientCertificates, SslCertificate } from '../broker/rendezvous/ssl-certificates.ts'
import { selfSigned } from '../x509/self-signed.ts'

/** What the commands need of the system. */
export interface SslCertHost {
  /** Where entries and keys are kept; made when something is written. */
  readonly directory: string
  makeDirectory(): void
  read(): SslCertificate[]
  write(entries: readonly SslCertificate[]): void
  /** Whether others could have changed, or read, a key; undefined when not. */
  problemOf(key: string): string | undefined
}

/** netsh's words, and ours, which are the settings' of Node's kind. */
const NEGOTIATIONS: Record<string, ClientCertificates> = {
  none: 'none',
  disable: 'none',
  allow: 'allow',
  enable: 'allow',
  require: 'require',
}

/** Where a certificate counts when nothing else is said: everywhere. */
const EVERYWHERE = '0.0.0.0:0'

/**
 * `httpsys add|delete|show sslcert`: which certificate a port shows, in netsh's words.
 *
 * @throws TypeError for arguments that are missing, unknown, or name files that are no certificate and key
 */
export function sslcert(action: string, args: string[], host: SslCertHost): void {
  const isSelfSigned = args.includes('--self-signed')
  const given = new Map(args.filter((argument) => argument !== '--self-signed').map(splitAtEquals))
  const unknown = [...given.keys()].find((name) => !KNOWN.includes(name))
  if (unknown !== undefined) throw new TypeError(`httpsys ${action} sslcert: there is no argument "${unknown}"`)
  if (action === 'show') return void process.stdout.write(describe(host.read()))
  const place = placeOf(given, action, isSelfSigned)
  const others = host.read().filter((entry) => keyOf(entry) !== keyOf(place))
  if (action === 'delete') {
    if (others.length === host.read().length) throw new TypeError(`there is no certificate for ${keyOf(place)}`)
    return host.write(others)
  }
  host.makeDirectory()
  const files = isSelfSigned ? makeSelfSigned(place, host.directory) : filesOf(given)
  const entry = { ...place, ...files, ...caOf(given), clientcertnegotiation: negotiationOf(given) }
  check(entry, host)
  host.write([...others, entry])
  if (isSelfSigned) process.stdout.write(trustAdvice(entry.cert))
}

const KNOWN = ['hostnameport', 'ipport', 'cert', 'key', 'ca', 'clientcertnegotiation']

type Place = Pick<SslCertificate, 'hostnameport'> | Pick<SslCertificate, 'ipport'>

function placeOf(given: Map<string, string>, action: string, isSelfSigned: boolean): Place {
  const [hostnameport, ipport] = [given.get('hostnameport'), given.get('ipport')]
  if (hostnameport !== undefined && ipport !== undefined) {
    throw new TypeError(`httpsys ${action} sslcert: give hostnameport= or ipport=, not both`)
  }
  if (hostnameport === undefined && ipport === undefined && !isSelfSigned) {
    throw new TypeError(`httpsys ${action} sslcert: hostnameport=NAME:PORT or ipport=ADDRESS:PORT is missing`)
  }
  const text = hostnameport ?? ipport ?? EVERYWHERE
  const parts = hostAndPort(text)
  if (parts === undefined) throw new TypeError(`"${text}" is not HOST:PORT, such as localhost:8443 or 0.0.0.0:443`)
  const place = `${parts.host}:${parts.port}`
  return hostnameport === undefined ? { ipport: place } : { hostnameport: place }
}

function filesOf(given: Map<string, string>): Pick<SslCertificate, 'cert' | 'key'> {
  const [cert, key] = [given.get('cert'), given.get('key')]
  if (!cert || !key) {
    throw new TypeError('httpsys add sslcert: cert=FILE and key=FILE are missing (--self-signed makes them)')
  }
  return { cert: resolve(cert), key: resolve(key) }
}

function caOf(given: Map<string, string>): { ca?: string } {
  const ca = given.get('ca')
  return ca === undefined ? {} : { ca: resolve(ca) }
}

function negotiationOf(given: Map<string, string>): ClientCertificates {
  const text = given.get('clientcertnegotiation') ?? 'none'
  const found = NEGOTIATIONS[text]
  if (found !== undefined) return found
  throw new TypeError(`clientcertnegotiation is "${text}", not none, allow or require`)
}

/** What the broker would stumble over is said here, to whoever can mend it. */
function check({ cert, key, ca }: SslCertificate, host: SslCertHost): void {
  try {
    createSecureContext({
      cert: readFileSync(cert),
      key: readFileSync(key),
      ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
    })
  } catch (error) {
    throw new TypeError(`${cert} and ${key} can't be used: ${(error as Error).message}`, { cause: error })
  }
  const problem = host.problemOf(key)
  if (problem !== undefined) throw new TypeError(`${key}: ${problem}. Run: chmod 600 ${key}`)
}

function makeSelfSigned(place: Place, directory: string): Pick<SslCertificate, 'cert' | 'key'> {
  const { host } = hostAndPort(Object.values(place)[0] as string)!
  const isEverywhere = host === '0.0.0.0' || host === '[::]'
  const hosts = isEverywhere || host === 'localhost' ? ['localhost', '*.localhost', '127.0.0.1', '[::1]'] : [host]
  const { key, cert } = selfSigned(hosts)
  const folder = join(directory, 'development')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const base = join(folder, isEverywhere ? 'localhost' : host.replace(/[^\w.-]/g, '_'))
  writeFileSync(`${base}.key`, key, { mode: 0o600 })
  writeFileSync(`${base}.crt`, cert, { mode: 0o644 })
  return { cert: `${base}.crt`, key: `${base}.key` }
}

function trustAdvice(cert: string): string {
  return `Made ${cert}, for development. Nobody trusts it yet:

  Node     NODE_EXTRA_CA_CERTS=${cert} node client.js
  curl     curl --cacert ${cert} https://localhost:8443/
  Chrome   certutil -d sql:$HOME/.pki/nssdb -A -t P,, -n httpsys -i ${cert}
  Debian   sudo cp ${cert} /usr/local/share/ca-certificates/httpsys.crt && sudo update-ca-certificates
  macOS    security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db ${cert}
`
}

function describe(entries: readonly SslCertificate[]): string {
  if (entries.length === 0) return 'there are no certificates\n'
  return entries.map((entry) => `${keyOf(entry)}\n${lines(entry)}`).join('\n')
}

function lines(entry: SslCertificate): string {
  const rows = [
    ['certificate', entry.cert],
    ['', summary(entry.cert)],
    ['key', entry.key],
    ...(entry.ca === undefined ? [] : [['ca', entry.ca]]),
    ['client certificates', entry.clientcertnegotiation],
  ]
  return rows.map(([name, value]) => `  ${name!.padEnd(20)} ${value}\n`).join('')
}

function summary(cert: string): string {
  try {
    const { subjectAltName, subject, validTo } = new X509Certificate(readFileSync(cert))
    return `${subjectAltName ?? subject}; until ${validTo}`
  } catch (error) {
    return `can't be read: ${(error as Error).message}`
  }
}

function keyOf(entry: Pick<SslCertificate, 'hostnameport' | 'ipport'>): string {
  return entry.hostnameport === undefined ? `ipport=${entry.ipport}` : `hostnameport=${entry.hostnameport}`
}

function splitAtEquals(text: string): [string, string] {
  const index = text.indexOf('=')
  return index === -1 ? [text, ''] : [text.slice(0, index).toLowerCase(), text.slice(index + 1)]
}
