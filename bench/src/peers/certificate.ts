import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A certificate and its key, as files and as one file with both. */
export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
  readonly both: string
}

/** Makes a certificate for localhost, with an elliptic key as they are today, by openssl. */
export function certificate(directory: string): CertificateFiles {
  const files = {
    certificate: join(directory, 'certificate.pem'),
    key: join(directory, 'key.pem'),
    both: join(directory, 'both.pem'),
  }
  const command =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1'
  const { status, stderr, error } = spawnSync(
    'openssl',
    [...command.split(' '), '-keyout', files.key, '-out', files.certificate],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(`openssl made no certificate: ${error?.message ?? stderr.trim()}`)
  writeFileSync(files.both, readFileSync(files.certificate, 'utf8') + readFileSync(files.key, 'utf8'))
  return files
}

/** Whether openssl is installed. */
export function isOpensslInstalled(): boolean {
  return spawnSync('openssl', ['version']).error === undefined
}
