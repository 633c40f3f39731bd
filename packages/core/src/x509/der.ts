/** Distinguished encoding of ASN.1, as far as certificates need it (ITU-T X.690). */

const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const OBJECT_IDENTIFIER = 0x06
const UTF8_STRING = 0x0c
const SEQUENCE = 0x30
const SET = 0x31
const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18
const BOOLEAN = 0x01

/** A value under any tag. */
export function tagged(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  return Buffer.concat([Buffer.of(tag), lengthOf(content.length), content])
}

export function sequence(...parts: Uint8Array[]): Buffer {
  return tagged(SEQUENCE, ...parts)
}

export function set(...parts: Uint8Array[]): Buffer {
  return tagged(SET, ...parts)
}

/** A positive number, most significant byte first. */
export function integer(bytes: Uint8Array): Buffer {
  // A first bit that is set would mean a negative number.
  return bytes[0]! > 127 ? tagged(INTEGER, Buffer.of(0), bytes) : tagged(INTEGER, bytes)
}

export function bitString(bytes: Uint8Array, unusedBits = 0): Buffer {
  return tagged(BIT_STRING, Buffer.of(unusedBits), bytes)
}

export function octetString(bytes: Uint8Array): Buffer {
  return tagged(OCTET_STRING, bytes)
}

export function utf8String(text: string): Buffer {
  return tagged(UTF8_STRING, Buffer.from(text))
}

export function boolean(value: boolean): Buffer {
  return tagged(BOOLEAN, Buffer.of(value ? 255 : 0))
}

/** `2.5.29.17` */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return tagged(OBJECT_IDENTIFIER, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

/** RFC 5280 section 4.1.2.5: UTCTime until 2049. */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '')
  return date.getUTCFullYear() < 2050
    ? tagged(UTC_TIME, Buffer.from(digits.slice(2)))
    : tagged(GENERALIZED_TIME, Buffer.from(digits))
}

function base128(value: number): number[] {
  const bytes = [value & 127]
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) bytes.unshift((rest & 127) | 128)
  return bytes
}

function lengthOf(length: number): Buffer {
  if (length < 128) return Buffer.of(length)
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest >>>= 8) bytes.unshift(rest & 255)
  return Buffer.of(128 | bytes.length, ...bytes)
}
