import type { TlsInfo } from '../base/tls-info.ts'
import { ERROR_SUCCESS, HttpRequestPropertySni } from './constants.ts'
import { HTTP_REQUEST, HTTP_SSL_CLIENT_CERT_INFO, HTTP_SSL_INFO } from './layout.ts'
import { MemoryBlock } from './memory-block.ts'
import type { RequestQueueHandle } from './request-queue.ts'
import type { Win32Api } from './win32-api.ts'

/** HTTP_REQUEST_PROPERTY_SNI: 256 WCHARs, then flags; zeroed behind the name. */
const SNI_NAME_BYTES = 512
const SNI_BYTES = SNI_NAME_BYTES + 4

/** What Schannel found wrong with a client's certificate (`CertFlags`), and OpenSSL's name for it, which apps of Node compare with. */
const CERTIFICATE_PROBLEMS: ReadonlyMap<number, string> = new Map([
  [0x800b_0101, 'CERT_HAS_EXPIRED'], // CERT_E_EXPIRED
  [0x800b_0109, 'SELF_SIGNED_CERT_IN_CHAIN'], // CERT_E_UNTRUSTEDROOT
  [0x800b_010a, 'UNABLE_TO_GET_ISSUER_CERT'], // CERT_E_CHAINING
  [0x800b_010c, 'CERT_REVOKED'], // CERT_E_REVOKED
  [0x8009_2010, 'CERT_REVOKED'], // CRYPT_E_REVOKED
  [0x800b_0110, 'INVALID_PURPOSE'], // CERT_E_WRONG_USAGE
])
const OTHER_PROBLEM = 'CERT_UNTRUSTED'

/**
 * What HTTP.SYS tells of TLS with a request; undefined when the client does not speak it. Read once for each connection.
 *
 * Protocol, cipher and ALPN are not asked for.
 *
 * @param block - a request that was received, and has not been answered
 */
export function readTls(api: Win32Api, queue: RequestQueueHandle, block: MemoryBlock): TlsInfo | undefined {
  if (block.readAddress(HTTP_REQUEST.pSslInfo) === 0) return undefined
  const certificate = readCertificate(block)
  return {
    protocol: '',
    cipher: { name: '', standardName: '', version: '' },
    servername: readServerName(api, queue, block.readId(HTTP_REQUEST.RequestId)),
    alpnProtocol: false,
    authorized: certificate !== null && certificate.problem === null,
    authorizationError: certificate?.problem ?? null,
    peerCertificates: certificate === null ? [] : [certificate.der],
  }
}

function readCertificate(block: MemoryBlock): { der: Buffer; problem: string | null } | null {
  const { bytes } = block
  // SAFETY: the receive has completed; every offset is checked to be inside the block. Wine does not align what lies behind the struct.
  const info = block.offsetOf(HTTP_REQUEST.pSslInfo, HTTP_SSL_INFO.$size)
  if (info === -1 || bytes.readBigUInt64LE(info + HTTP_SSL_INFO.pClientCertInfo) === 0n) return null
  const at = (bytes.readUInt32LE(info + HTTP_SSL_INFO.pClientCertInfo) - block.low) >>> 0
  if (at + HTTP_SSL_CLIENT_CERT_INFO.$size > block.byteLength) return null
  const length = bytes.readUInt32LE(at + HTTP_SSL_CLIENT_CERT_INFO.CertEncodedSize)
  const start = (bytes.readUInt32LE(at + HTTP_SSL_CLIENT_CERT_INFO.pCertEncoded) - block.low) >>> 0
  if (length === 0 || start + length > block.byteLength) return null
  const flags = bytes.readUInt32LE(at + HTTP_SSL_CLIENT_CERT_INFO.CertFlags)
  return {
    der: Buffer.from(bytes.subarray(start, start + length)),
    problem: flags === 0 ? null : (CERTIFICATE_PROBLEMS.get(flags) ?? OTHER_PROBLEM),
  }
}

/** Only newer releases of Windows tell. */
function readServerName(api: Win32Api, queue: RequestQueueHandle, request: bigint): string | false {
  const { HttpQueryRequestProperty } = api.http
  if (HttpQueryRequestProperty === undefined) return false
  const block = new MemoryBlock(api.memory, SNI_BYTES + 8)
  const pBytes = block.address + ((SNI_BYTES + 3) & ~3)
  // SAFETY: without an OVERLAPPED, so all is written when the call returns; the block has room for both.
  const status = HttpQueryRequestProperty(
    queue.handle,
    request,
    HttpRequestPropertySni,
    0,
    0,
    block.address,
    SNI_BYTES,
    pBytes,
    0,
  )
  const name = status === ERROR_SUCCESS ? block.bytes.toString('utf16le', 0, SNI_NAME_BYTES) : ''
  block.free()
  const end = name.indexOf('\0')
  return (end === -1 ? name : name.slice(0, end)) || false
}
