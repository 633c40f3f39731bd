import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeConfigDirectory, problemOf } from '../../src/broker/rendezvous/config-directory.ts'
import { readSslCertificates, writeSslCertificates } from '../../src/broker/rendezvous/ssl-certificates.ts'
import { sslcert } from '../../src/cli/sslcert.ts'
import { selfSigned } from '../../src/x509/self-signed.ts'
import { Pki, store } from '../support/pki.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'httpsys-sslcert-'))
})

afterEach(() => rmSync(directory, { recursive: true }))

/** Runs a command; returns what it prints. */
function run(action: string, ...args: string[]): string {
  let text = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += String(chunk)
    return true
  })
  try {
    sslcert(action, args, {
      directory,
      makeDirectory: () => makeConfigDirectory(directory),
      read: () => readSslCertificates(directory),
      write: (entries) => writeSslCertificates(directory, entries),
      problemOf: (key) => problemOf(key, true),
    })
  } finally {
    write.mockRestore()
  }
  return text
}

test('certificates are added, shown, replaced and deleted', () => {
  const { cert, key } = store(directory, 'www', new Pki().server('www.example.com'))
  expect(run('show')).toBe('there are no certificates\n')
  run('add', 'hostnameport=WWW.example.com:443', `cert=${cert}`, `key=${key}`)
  run('add', 'ipport=0.0.0.0:443', `cert=${cert}`, `key=${key}`)
  run('add', 'hostnameport=www.example.com:443', `cert=${cert}`, `key=${key}`, 'clientcertnegotiation=enable')
  expect(readSslCertificates(directory)).toEqual([
    { ipport: '0.0.0.0:443', cert, key, clientcertnegotiation: 'none' },
    { hostnameport: 'www.example.com:443', cert, key, clientcertnegotiation: 'allow' },
  ])
  expect(statSync(join(directory, 'sslcert.json')).mode & 0o777).toBe(0o600)
  expect(run('show')).toContain('DNS:www.example.com; until ')
  run('delete', 'hostnameport=www.example.com:443')
  expect(readSslCertificates(directory)).toHaveLength(1)
  expect(() => run('delete', 'hostnameport=www.example.com:443')).toThrow('there is no certificate for hostnameport')
})

test.each([
  [['cert=a', 'key=b'], 'hostnameport=NAME:PORT or ipport=ADDRESS:PORT is missing'],
  [['hostnameport=a:1', 'ipport=1.2.3.4:1'], 'not both'],
  [['hostnameport=localhost'], '"localhost" is not HOST:PORT'],
  [['hostnameport=localhost:70000'], '"localhost:70000" is not HOST:PORT'],
  [['hostnameport=localhost:1'], 'cert=FILE and key=FILE are missing'],
  [['hostnameport=localhost:1', 'cert=/no', 'key=/no'], "/no and /no can't be used: ENOENT"],
  [['hostnameport=localhost:1', '--self-signed', 'clientcertnegotiation=maybe'], 'not none, allow or require'],
  [['hostnameport=localhost:1', 'certhash=12'], 'there is no argument "certhash"'],
])('add sslcert %s is refused', (args, message) => {
  expect(() => run('add', ...args)).toThrow(message)
  expect(readSslCertificates(directory)).toEqual([])
})

test("a key that is not the certificate's, or that everybody may read, is refused", () => {
  const pki = new Pki()
  const one = store(directory, 'one', pki.server('one.test'))
  const two = store(directory, 'two', pki.server('two.test'))
  expect(() => run('add', 'hostnameport=one.test:1', `cert=${one.cert}`, `key=${two.key}`)).toThrow(/can't be used/)
  chmodSync(one.key, 0o644)
  expect(() => run('add', 'hostnameport=one.test:1', `cert=${one.cert}`, `key=${one.key}`)).toThrow(
    `${one.key}: everybody may read it. Run: chmod 600 ${one.key}`,
  )
})

test('a list that others may have written is not read', () => {
  writeSslCertificates(directory, [])
  chmodSync(join(directory, 'sslcert.json'), 0o666)
  expect(() => readSslCertificates(directory)).toThrow('others may write to it')
})

test('--self-signed makes a certificate for localhost everywhere, and says how to trust it', () => {
  const text = run('add', '--self-signed')
  const [entry] = readSslCertificates(directory)
  expect(entry).toMatchObject({ ipport: '0.0.0.0:0', clientcertnegotiation: 'none' })
  expect(text).toContain(`curl --cacert ${entry!.cert}`)
  expect(text).toContain(`NODE_EXTRA_CA_CERTS=${entry!.cert}`)
  expect(statSync(entry!.key).mode & 0o777).toBe(0o600)
  const certificate = new X509Certificate(readFileSync(entry!.cert))
  expect(certificate.checkHost('localhost')).toBe('localhost')
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1')
  expect(certificate.checkIP('::1')).toBe('::1')
  expect(certificate.ca).toBe(false)
})

test('what it signs is whole by its own key, for any name', () => {
  for (let round = 0; round < 20; round++) {
    const { cert } = selfSigned(['a.test', '*.b.test', '10.0.0.1', '[2001:db8::1:0:1]', '[::ffff:1.2.3.4]'])
    const certificate = new X509Certificate(cert)
    expect(certificate.verify(certificate.publicKey)).toBe(true)
    expect(certificate.checkIP('2001:db8::1:0:1')).toBe('2001:db8::1:0:1')
    expect(certificate.checkHost('x.b.test')).toBe('*.b.test')
  }
})

const openssl = hasOpenssl()

test.skipIf(!openssl)('openssl accepts it (skipped where openssl is not installed)', () => {
  run('add', 'hostnameport=dev.test:8443', '--self-signed')
  const { cert } = readSslCertificates(directory)[0]!
  const verify = (...args: string[]): string =>
    execFileSync('openssl', ['verify', '-x509_strict', '-purpose', 'sslserver', ...args, cert], { encoding: 'utf8' })
  expect(verify('-partial_chain', '-trusted', cert, '-verify_hostname', 'dev.test')).toContain('OK')
})

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'])
    return true
  } catch {
    return false
  }
}
