import { constant, offsetOf, sizeOf } from './golden.ts'
import { REQUEST_HEADERS, VERBS, VERB_UNKNOWN } from './header-names.ts'
import type { ServerRequest } from './server-request.ts'
import { valueOf } from './wire-request.ts'

const V1 = 'HTTP_REQUEST_V1'
const V2 = 'HTTP_REQUEST_V2'
const MORE_ENTITY_BODY_EXISTS = 1
const HTTP2 = 4
/** HttpRequestInfoTypeSslProtocol: an HTTP_SSL_PROTOCOL_INFO, whose first member is SP_PROT_TLS1_3_SERVER here. */
const SSL_PROTOCOL_INFO = 2
const TLS_1_3 = 0x1000
/** HttpRequestInfoTypeRequestTiming */
const TIMING_INFO = 5
const UNKNOWN_INFO = 99
/** Before a piece of the struct that holds pointers. */
const ALIGNMENT = 8

/** A request as HttpReceiveHttpRequest writes it, at the address that it is for. */
export interface RequestImage {
  readonly bytes: Buffer
  /** What the call tells: what a buffer must have for all of it, or what is missing ({@link Whims.wantsRoomForBody}). */
  readonly length: number
  readonly fits: boolean
  /** Of the entity body, in this image. */
  readonly bodyBytes: number
}

/** Lays a struct out behind another, with absolute pointers. */
export class Image {
  readonly #address: number
  #bytes = Buffer.alloc(0)

  constructor(address: number) {
    this.#address = address
  }

  get bytes(): Buffer {
    return this.#bytes
  }

  /** Appends bytes; returns their offset. */
  append(bytes: Uint8Array, alignment = 1): number {
    const offset = Math.ceil(this.#bytes.length / alignment) * alignment
    this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(offset - this.#bytes.length), bytes])
    return offset
  }

  reserve(length: number): number {
    return this.append(Buffer.alloc(length), ALIGNMENT)
  }

  /** Appends a text and its terminating zero, which the header demands of no reader but the kernel writes. */
  text(text: string): number {
    return this.append(Buffer.from(`${text}\0`, 'latin1'))
  }

  point(at: number, target: number): void {
    this.#bytes.writeBigUInt64LE(BigInt(this.#address + target), at)
  }

  u16(at: number, value: number): void {
    this.#bytes.writeUInt16LE(value, at)
  }

  u32(at: number, value: number): void {
    this.#bytes.writeUInt32LE(value, at)
  }

  u64(at: number, value: bigint): void {
    this.#bytes.writeBigUInt64LE(value, at)
  }
}

/**
 * Makes the image of a request.
 *
 * @param room - what the buffer has; decides how much of the body goes along
 */
export function requestImage(request: ServerRequest, address: number, room: number, copiesBody: boolean): RequestImage {
  const { head, connection, body } = request
  const image = new Image(address)
  image.reserve(sizeOf(V2))
  image.u64(offsetOf(V1, 'ConnectionId'), connection.id)
  image.u64(offsetOf(V1, 'RequestId'), request.id)
  const { isMultiplexed } = request.group.process.machine.whims
  image.u16(offsetOf(V1, 'Version'), isMultiplexed ? 2 : 1)
  image.u16(offsetOf(V1, 'Version') + 2, isMultiplexed ? 0 : head.minorVersion)
  image.u64(offsetOf(V1, 'BytesReceived'), BigInt(head.byteLength))
  const verb = VERBS.indexOf(head.method, VERB_UNKNOWN + 2)
  image.u32(offsetOf(V1, 'Verb'), verb === -1 ? VERB_UNKNOWN : verb)
  if (verb === -1) {
    image.point(offsetOf(V1, 'pUnknownVerb'), image.text(head.method))
    image.u16(offsetOf(V1, 'UnknownVerbLength'), head.method.length)
  }
  image.point(offsetOf(V1, 'pRawUrl'), image.text(head.target))
  image.u16(offsetOf(V1, 'RawUrlLength'), head.target.length)
  writeAddresses(image, request)
  writeHeaders(image, request)
  writeCookedUrl(image, request)
  connection.tls?.write(image)
  if (request.group.process.machine.whims.isRecent) writeInfos(image, request)
  const fixedLength = image.bytes.length
  // The fixed part must fit whatever becomes of the body.
  const left = room - Math.ceil(fixedLength / ALIGNMENT) * ALIGNMENT - 2 * sizeOf('HTTP_DATA_CHUNK')
  const copied = copiesBody && body !== null ? Buffer.concat(body.pieces) : Buffer.alloc(0)
  const isRoomWanted = request.group.process.machine.whims.wantsRoomForBody && left > 0 && copied.length > left
  if (isRoomWanted) return { bytes: image.bytes, length: copied.length, fits: false, bodyBytes: 0 }
  const piece = copied.subarray(0, Math.max(0, left))
  if (piece.length > 0) writeChunk(image, piece)
  const isWholeBody = body === null || (body.isEnded && piece.length === body.decodedBytes)
  image.u32(offsetOf(V1, 'Flags'), (isWholeBody ? 0 : MORE_ENTITY_BODY_EXISTS) | (isMultiplexed ? HTTP2 : 0))
  const { length } = image.bytes
  return { bytes: image.bytes, length, fits: length <= room, bodyBytes: piece.length }
}

function writeAddresses(image: Image, { connection: { socket, port }, group }: ServerRequest): void {
  const { isIpv6 } = group.process.machine.whims
  const write = (address: string, number: number): number => {
    if (isIpv6) return writeMapped(image, address, number)
    const at = image.reserve(sizeOf('SOCKADDR_IN'))
    image.u16(at + offsetOf('SOCKADDR_IN', 'sin_family'), 2)
    const bytes = [number >> 8, number & 255, ...address.split('.').map(Number)]
    Buffer.from(bytes).copy(image.bytes, at + offsetOf('SOCKADDR_IN', 'sin_port'))
    return at
  }
  const at = offsetOf(V1, 'Address')
  // A client that has gone before this is told apart by its request alone.
  const remote = write(socket.remoteAddress ?? '127.0.0.1', socket.remotePort ?? 1)
  image.point(at + offsetOf('HTTP_TRANSPORT_ADDRESS', 'pRemoteAddress'), remote)
  image.point(at + offsetOf('HTTP_TRANSPORT_ADDRESS', 'pLocalAddress'), write('127.0.0.1', port))
}

/** An IPv4 address as IPv6 has it. */
function writeMapped(image: Image, address: string, number: number): number {
  const at = image.reserve(sizeOf('SOCKADDR_IN6'))
  image.u16(at + offsetOf('SOCKADDR_IN6', 'sin6_family'), 23)
  image.bytes.writeUInt16BE(number, at + offsetOf('SOCKADDR_IN6', 'sin6_port'))
  const bytes = [...Array<number>(10).fill(0), 0xff, 0xff, ...address.split('.').map(Number)]
  Buffer.from(bytes).copy(image.bytes, at + offsetOf('SOCKADDR_IN6', 'sin6_addr'))
  return at
}

function writeHeaders(image: Image, { head }: ServerRequest): void {
  const headers = offsetOf(V1, 'Headers')
  const unknown: (readonly [string, string])[] = []
  const known = new Map<number, string>()
  for (const [name, value] of head.fields) {
    const id = REQUEST_HEADERS.findIndex((other) => other.toLowerCase() === name.toLowerCase())
    if (id === -1) unknown.push([name, value])
    else {
      const before = known.get(id)
      const separator = REQUEST_HEADERS[id] === 'Cookie' ? '; ' : ', '
      known.set(id, before === undefined ? value : before + separator + value)
    }
  }
  for (const [id, value] of known) {
    const at = headers + offsetOf('HTTP_REQUEST_HEADERS', 'KnownHeaders') + id * sizeOf('HTTP_KNOWN_HEADER')
    image.u16(at + offsetOf('HTTP_KNOWN_HEADER', 'RawValueLength'), value.length)
    image.point(at + offsetOf('HTTP_KNOWN_HEADER', 'pRawValue'), image.text(value))
  }
  if (unknown.length === 0) return
  const size = sizeOf('HTTP_UNKNOWN_HEADER')
  const array = image.reserve(unknown.length * size)
  image.u16(headers + offsetOf('HTTP_REQUEST_HEADERS', 'UnknownHeaderCount'), unknown.length)
  image.point(headers + offsetOf('HTTP_REQUEST_HEADERS', 'pUnknownHeaders'), array)
  unknown.forEach(([name, value], index) => {
    const at = array + index * size
    image.u16(at + offsetOf('HTTP_UNKNOWN_HEADER', 'NameLength'), name.length)
    image.u16(at + offsetOf('HTTP_UNKNOWN_HEADER', 'RawValueLength'), value.length)
    image.point(at + offsetOf('HTTP_UNKNOWN_HEADER', 'pName'), image.text(name))
    image.point(at + offsetOf('HTTP_UNKNOWN_HEADER', 'pRawValue'), image.text(value))
  })
}

/** UTF-16, lengths in bytes; host, path and query are parts of the full URL. */
function writeCookedUrl(image: Image, { head, connection: { port } }: ServerRequest): void {
  const host = (valueOf(head, 'host') ?? '127.0.0.1').replace(/:\d*$/, '') + `:${port}`
  const [path = '', query] = head.target.split(/(?=\?)/)
  const scheme = 'http://'
  const full = Buffer.from(`${scheme}${host}${path}${query ?? ''}\0`, 'utf16le')
  const start = image.append(full, ALIGNMENT)
  const at = offsetOf(V1, 'CookedUrl')
  const field = (name: string): number => at + offsetOf('HTTP_COOKED_URL', name)
  image.u16(field('FullUrlLength'), full.length - 2)
  image.u16(field('HostLength'), host.length * 2)
  image.u16(field('AbsPathLength'), path.length * 2)
  image.u16(field('QueryStringLength'), (query ?? '').length * 2)
  image.point(field('pFullUrl'), start)
  image.point(field('pHost'), start + scheme.length * 2)
  image.point(field('pAbsPath'), start + (scheme.length + host.length) * 2)
  if (query !== undefined) image.point(field('pQueryString'), start + (scheme.length + host.length + path.length) * 2)
}

/** Newer releases add types of information: a reader must skip what it does not know. */
function writeInfos(image: Image, { connection, parseStart }: ServerRequest): void {
  const infos: [type: number, data: Buffer][] = [[UNKNOWN_INFO, Buffer.alloc(24, 0xee)]]
  const protocol = Buffer.alloc(sizeOf('HTTP_SSL_PROTOCOL_INFO'), 0xff)
  protocol.writeUInt32LE(TLS_1_3, offsetOf('HTTP_SSL_PROTOCOL_INFO', 'Protocol'))
  if (connection.tls !== undefined) infos.push([SSL_PROTOCOL_INFO, protocol])
  const timing = Buffer.alloc(sizeOf('HTTP_REQUEST_TIMING_INFO'), 1)
  const parseStartAt =
    offsetOf('HTTP_REQUEST_TIMING_INFO', 'RequestTiming') + 8 * constant('HttpRequestTimingTypeRequestHeaderParseStart')
  timing.writeBigUInt64LE(parseStart, parseStartAt)
  infos.push([TIMING_INFO, timing])
  const size = sizeOf('HTTP_REQUEST_INFO')
  const array = image.reserve(infos.length * size)
  for (const [index, [type, data]] of infos.entries()) {
    const info = array + index * size
    image.u32(info + offsetOf('HTTP_REQUEST_INFO', 'InfoType'), type)
    image.u32(info + offsetOf('HTTP_REQUEST_INFO', 'InfoLength'), data.length)
    image.point(info + offsetOf('HTTP_REQUEST_INFO', 'pInfo'), image.append(data, ALIGNMENT))
  }
  image.u16(offsetOf(V2, 'RequestInfoCount'), infos.length)
  image.point(offsetOf(V2, 'pRequestInfo'), array)
}

function writeChunk(image: Image, piece: Buffer): void {
  // Nothing says that it is one chunk.
  const size = sizeOf('HTTP_DATA_CHUNK')
  const parts = piece.length === 1 ? [piece] : [piece.subarray(0, 1), piece.subarray(1)]
  const chunks = image.reserve(parts.length * size)
  for (const [index, part] of parts.entries()) {
    const chunk = chunks + index * size
    image.u32(chunk + offsetOf('HTTP_DATA_CHUNK', 'FromMemory.BufferLength'), part.length)
    image.point(chunk + offsetOf('HTTP_DATA_CHUNK', 'FromMemory.pBuffer'), image.append(part))
  }
  image.u16(offsetOf(V1, 'EntityChunkCount'), parts.length)
  image.point(offsetOf(V1, 'pEntityChunks'), chunks)
}

/** A port on which the double pretends that TLS was spoken; the wire stays plain, only the structs tell. */
export class PretendedTls {
  readonly certificate: Buffer | null
  /** The client shows it only when it is asked again (HttpReceiveClientCertificate). */
  readonly isWithheld: boolean
  readonly serverName: string
  readonly cipherSuite = 'TLS_AES_256_GCM_SHA384'
  /** CertFlags: what is wrong with the certificate, 0 for nothing. */
  readonly problem: number

  constructor(certificate: Buffer | null, serverName: string, problem = 0, isWithheld = false) {
    this.certificate = certificate
    this.isWithheld = isWithheld
    this.serverName = serverName
    this.problem = problem
  }

  write(image: Image): void {
    const info = image.reserve(sizeOf('HTTP_SSL_INFO'))
    image.u16(info + offsetOf('HTTP_SSL_INFO', 'ServerCertKeySize'), 2048)
    image.u16(info + offsetOf('HTTP_SSL_INFO', 'ConnectionKeySize'), 256)
    image.point(offsetOf(V1, 'pSslInfo'), info)
    if (this.certificate === null || this.isWithheld) return
    image.u32(info + offsetOf('HTTP_SSL_INFO', 'SslClientCertNegotiated'), 1)
    const client = image.reserve(sizeOf('HTTP_SSL_CLIENT_CERT_INFO'))
    image.point(info + offsetOf('HTTP_SSL_INFO', 'pClientCertInfo'), client)
    this.#writeCertificate(image, client, this.certificate)
  }

  /** What HttpReceiveClientCertificate writes, and how long that is. */
  certificateImage(address: number): Buffer | null {
    if (this.certificate === null) return null
    const image = new Image(address)
    this.#writeCertificate(image, image.reserve(sizeOf('HTTP_SSL_CLIENT_CERT_INFO')), this.certificate)
    return image.bytes
  }

  #writeCertificate(image: Image, at: number, certificate: Buffer): void {
    image.u32(at + offsetOf('HTTP_SSL_CLIENT_CERT_INFO', 'CertFlags'), this.problem)
    image.u32(at + offsetOf('HTTP_SSL_CLIENT_CERT_INFO', 'CertEncodedSize'), certificate.length)
    image.point(at + offsetOf('HTTP_SSL_CLIENT_CERT_INFO', 'pCertEncoded'), image.append(certificate))
  }
}
