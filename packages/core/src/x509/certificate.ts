import { randomBytes, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import {
  bitString,
  boolean,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  tagged,
  time,
  utf8String,
} from './der.ts'

/** What a certificate says. */
export interface CertificateParts {
  /** Common names. */
  readonly subject: string
  readonly issuer: string
  readonly publicKey: KeyObject
  /** Names and addresses that it is for. */
  readonly hosts: readonly string[]
  readonly use: 'server' | 'client' | 'authority'
  readonly from: Date
  readonly until: Date
}

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'
const COMMON_NAME = '2.5.4.3'
const KEY_USAGE = '2.5.29.15'
const SUBJECT_ALT_NAME = '2.5.29.17'
const BASIC_CONSTRAINTS = '2.5.29.19'
const EXT_KEY_USAGE = '2.5.29.37'
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'

/**
 * Writes an X.509 certificate, version 3; PEM.
 *
 * @param issuerKey - a key on an elliptic curve
 * @see https://www.rfc-editor.org/rfc/rfc5280
 */
export function signCertificate(parts: CertificateParts, issuerKey: KeyObject): string {
  const { use, hosts } = parts
  const algorithm = sequence(objectIdentifier(ECDSA_WITH_SHA256))
  // The first bit is 0 and the byte is not: positive, and as short as can be.
  const serial = randomBytes(16)
  serial[0] = (serial[0]! & 0x3f) | 0x40
  const isAuthority = use === 'authority'
  const extensions = [
    extension(BASIC_CONSTRAINTS, true, isAuthority ? sequence(boolean(true)) : sequence()),
    // keyCertSign, or digitalSignature.
    extension(KEY_USAGE, true, isAuthority ? bitString(Buffer.of(0x04), 2) : bitString(Buffer.of(0x80), 7)),
  ]
  if (!isAuthority) {
    const purpose = use === 'server' ? SERVER_AUTH : CLIENT_AUTH
    extensions.push(extension(EXT_KEY_USAGE, false, sequence(objectIdentifier(purpose))))
  }
  if (hosts.length > 0) extensions.push(extension(SUBJECT_ALT_NAME, false, sequence(...hosts.map(generalName))))
  const body = sequence(
    // v3
    tagged(0xa0, integer(Buffer.of(2))),
    integer(serial),
    algorithm,
    commonName(parts.issuer),
    sequence(time(parts.from), time(parts.until)),
    commonName(parts.subject),
    parts.publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions)),
  )
  return pem(sequence(body, algorithm, bitString(sign('sha256', body, issuerKey))))
}

/** RFC 5280 appendix A: at most 64 characters. */
function commonName(text: string): Buffer {
  return sequence(set(sequence(objectIdentifier(COMMON_NAME), utf8String(text.slice(0, 64)))))
}

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  return sequence(objectIdentifier(id), ...(isCritical ? [boolean(true)] : []), octetString(value))
}

/** RFC 5280 section 4.2.1.6: dNSName is tag 2, iPAddress tag 7. */
function generalName(host: string): Buffer {
  const address = host.replace(/^\[|\]$/g, '')
  if (isIP(address) === 0) return tagged(0x82, Buffer.from(host, 'latin1'))
  return tagged(0x87, isIP(address) === 4 ? Buffer.from(address.split('.').map(Number)) : ipv6Bytes(address))
}

function ipv6Bytes(address: string): Buffer {
  // An IPv4 tail is two groups in other digits, and a gap stands for as many zeros as are missing.
  const text = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...digits: string[]) => {
    const [a, b, c, d] = digits.map(Number) as [number, number, number, number]
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
  })
  const [head = '', tail] = text.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  const bytes = Buffer.alloc(16)
  for (const [index, group] of [...before, ...zeros, ...after].entries())
    bytes.writeUInt16BE(parseInt(group, 16), index * 2)
  return bytes
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g)!
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
