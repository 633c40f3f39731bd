import type { TlsInfo } from '../base/tls-info.ts'
import { cipherSuiteOf } from './cipher-suite.ts'
import type { CipherSuite } from './cipher-suite.ts'
import {
  ERROR_SUCCESS,
  HTTP_REQUEST_FLAG_HTTP2,
  HTTP_REQUEST_FLAG_HTTP3,
  HttpFeatureQueryCipherInfo,
  HttpRequestInfoTypeSslProtocol,
  HttpRequestPropertySni,
  HttpRequestPropertyTlsCipherInfo,
} from './constants.ts'
import {
  HTTP_REQUEST,
  HTTP_SSL_CLIENT_CERT_INFO,
  HTTP_SSL_INFO,
  HTTP_SSL_PROTOCOL_INFO,
  SecPkgContext_CipherInfo,
} from './layout.ts'
import { MemoryBlock } from './memory-block.ts'
import { findRequestInfo, targetOf } from './request-info.ts'
import type { RequestQueueHandle } from './request-queue.ts'
import type { Win32Api } from './win32-api.ts'

/** HTTP_REQUEST_PROPERTY_SNI: 256 WCHARs, then flags; zeroed behind the name. */
const SNI_NAME_BYTES = 512
const SNI_BYTES = SNI_NAME_BYTES + 4
/** SZ_ALG_MAX_SIZE WCHARs */
const CIPHER_NAME_BYTES = 128

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
 * @param block - a request that was received, and has not been answered
 */
export function readTls(api: Win32Api, queue: RequestQueueHandle, block: MemoryBlock): TlsInfo | undefined {
  if (block.readAddress(HTTP_REQUEST.pSslInfo) === 0) return undefined
  const request = block.readId(HTTP_REQUEST.RequestId)
  const info: TlsInfo = {
    protocol: readProtocol(block),
    cipher: readCipher(api, queue, request),
    servername: queryText(api, queue, request, HttpRequestPropertySni, SNI_BYTES, 0, SNI_NAME_BYTES) || false,
    alpnProtocol: alpnProtocolOf(block),
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

function readProtocol(block: MemoryBlock): string {
  const at = findRequestInfo(block, HttpRequestInfoTypeSslProtocol, HTTP_SSL_PROTOCOL_INFO.Protocol + 4)
  // SAFETY: found to be inside.
  return at === -1 ? '' : (PROTOCOLS.get(block.bytes.readUInt32LE(at + HTTP_SSL_PROTOCOL_INFO.Protocol)) ?? '')
}

/** HTTP.SYS chooses between these; of HTTP/1.1 it does not say whether the client had asked for it. */
function alpnProtocolOf(block: MemoryBlock): string | false {
  const flags = block.u32[HTTP_REQUEST.Flags >>> 2]!
  if ((flags & HTTP_REQUEST_FLAG_HTTP3) !== 0) return 'h3'
  return (flags & HTTP_REQUEST_FLAG_HTTP2) !== 0 && 'h2'
}

function readCipher(api: Win32Api, queue: RequestQueueHandle, request: bigint): CipherSuite {
  const { $size, szCipherSuite } = SecPkgContext_CipherInfo
  const isTold = (api.http.HttpIsFeatureSupported?.(HttpFeatureQueryCipherInfo) ?? 0) !== 0
  const property = HttpRequestPropertyTlsCipherInfo
  return cipherSuiteOf(isTold ? queryText(api, queue, request, property, $size, szCipherSuite, CIPHER_NAME_BYTES) : '')
}

/** Reads a text that is part of a property of a request; empty where this Windows does not tell. */
function queryText(
  { http, memory }: Win32Api,
  queue: RequestQueueHandle,
  request: bigint,
  property: number,
  size: number,
  start: number,
  length: number,
): string {
  if (http.HttpQueryRequestProperty === undefined) return ''
  const block = new MemoryBlock(memory, size + 8)
  const pBytes = block.address + ((size + 3) & ~3)
  // SAFETY: without an OVERLAPPED, so all is written when the call returns; the block has room for both.
  const status = http.HttpQueryRequestProperty(queue.handle, request, property, 0, 0, block.address, size, pBytes, 0)
  const text = status === ERROR_SUCCESS ? block.bytes.toString('utf16le', start, start + length) : ''
  block.free()
  const end = text.indexOf('\0')
  return end === -1 ? text : text.slice(0, end)
}
