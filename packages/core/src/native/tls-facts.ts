import type { TlsInfo } from '../base/tls-info.ts'
import { ERROR_SUCCESS, HttpRequestPropertySni } from './constants.ts'
import { HTTP_REQUEST, HTTP_REQUEST_INFO, HTTP_SSL_CLIENT_CERT_INFO, HTTP_SSL_INFO } from './layout.ts'
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

/** HTTP_SSL_PROTOCOL_INFO begins with the protocol, an SP_PROT_… of schannel.h; servers have these. */
const HttpRequestInfoTypeSslProtocol = 2
const PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [0x40, 'TLSv1'],
  [0x100, 'TLSv1.1'],
  [0x400, 'TLSv1.2'],
  [0x1000, 'TLSv1.3'],
])

/** A client's certificate as HTTP.SYS hands it over. */
export interface ClientCertificate {
  readonly der: Buffer
  /** What is wrong with it, as a code of OpenSSL's; null for nothing. */
  readonly problem: string | null
}

/**
 * What HTTP.SYS tells of TLS with a request; undefined when the client does not speak it. Read once for each connection.
 *
 * Cipher and ALPN are not asked for.
 *
 * @param block - a request that was received, and has not been answered
 */
export function readTls(api: Win32Api, queue: RequestQueueHandle, block: MemoryBlock): TlsInfo | undefined {
  if (block.readAddress(HTTP_REQUEST.pSslInfo) === 0) return undefined
  const info: TlsInfo = {
    protocol: readProtocol(block),
    cipher: { name: '', standardName: '', version: '' },
    servername: readServerName(api, queue, block.readId(HTTP_REQUEST.RequestId)),
    alpnProtocol: false,
    authorized: false,
    authorizationError: null,
    peerCertificates: [],
  }
  // SAFETY: the receive has completed, and every offset is checked to be inside the block.
  const sslInfo = block.offsetOf(HTTP_REQUEST.pSslInfo, HTTP_SSL_INFO.$size)
  if (sslInfo === -1) return info
  return withCertificate(info, readCertificate(block, targetOf(block, sslInfo + HTTP_SSL_INFO.pClientCertInfo)))
}

/** What is known of TLS once the client has shown a certificate, or none. */
export function withCertificate(info: TlsInfo, certificate: ClientCertificate | null): TlsInfo {
  if (certificate === null) return info
  const { der, problem } = certificate
  return { ...info, authorized: problem === null, authorizationError: problem, peerCertificates: [der] }
}

/**
 * Reads an HTTP_SSL_CLIENT_CERT_INFO.
 *
 * @param at - where in the block; -1 for nowhere
 * @returns null when there is none, or not all of it lies in the block
 */
export function readCertificate(block: MemoryBlock, at: number): ClientCertificate | null {
  const { bytes } = block
  // SAFETY: Windows has filled the block and is done with it; every offset is checked to be inside. Wine does not align what lies
  // behind the struct of a request.
  if (at < 0 || at + HTTP_SSL_CLIENT_CERT_INFO.$size > block.byteLength) return null
  const length = bytes.readUInt32LE(at + HTTP_SSL_CLIENT_CERT_INFO.CertEncodedSize)
  const start = targetOf(block, at + HTTP_SSL_CLIENT_CERT_INFO.pCertEncoded)
  if (start === -1 || length === 0 || start + length > block.byteLength) return null
  const flags = bytes.readUInt32LE(at + HTTP_SSL_CLIENT_CERT_INFO.CertFlags)
  return {
    der: Buffer.from(bytes.subarray(start, start + length)),
    problem: flags === 0 ? null : (CERTIFICATE_PROBLEMS.get(flags) ?? OTHER_PROBLEM),
  }
}

/** Newer releases of Windows tell, among other things that are skipped. */
function readProtocol(block: MemoryBlock): string {
  const { bytes } = block
  const count = block.u16[HTTP_REQUEST.RequestInfoCount >>> 1]!
  // SAFETY: as above.
  const infos = count === 0 ? -1 : block.offsetOf(HTTP_REQUEST.pRequestInfo, count * HTTP_REQUEST_INFO.$size)
  if (infos === -1) return ''
  for (let at = infos; at < infos + count * HTTP_REQUEST_INFO.$size; at += HTTP_REQUEST_INFO.$size) {
    if (bytes.readUInt32LE(at + HTTP_REQUEST_INFO.InfoType) !== HttpRequestInfoTypeSslProtocol) continue
    const start = targetOf(block, at + HTTP_REQUEST_INFO.pInfo)
    const hasProtocol = start !== -1 && bytes.readUInt32LE(at + HTTP_REQUEST_INFO.InfoLength) >= 4
    if (hasProtocol && start + 4 <= block.byteLength) return PROTOCOLS.get(bytes.readUInt32LE(start)) ?? ''
  }
  return ''
}

/** Where in the block a pointer that need not be aligned leads; -1 for NULL or elsewhere. */
function targetOf(block: MemoryBlock, pointer: number): number {
  const low = block.bytes.readUInt32LE(pointer)
  if (low === 0 && block.bytes.readUInt32LE(pointer + 4) === 0) return -1
  const target = (low - block.low) >>> 0
  return target < block.byteLength ? target : -1
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
