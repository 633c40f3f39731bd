/** Character classes of RFC 9110 and 9112, as tables that are indexed by byte. */

function tableOf(characters: string): Uint8Array {
  const table = new Uint8Array(256)
  for (const character of characters) table[character.charCodeAt(0)] = 1
  return table
}

const ALPHANUMERIC = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** RFC 9110 section 5.6.2: methods and field names. */
export const TOKEN = tableOf("!#$%&'*+-.^_`|~" + ALPHANUMERIC)

/** RFC 9110 section 5.5: field values; visible characters, space, tab and obs-text. */
export const VALUE = new Uint8Array(256).fill(1)
VALUE.fill(0, 0, 32)
VALUE[9] = 1
VALUE[127] = 0

/** RFC 3986: request targets are visible ASCII without `#`; which of it a URL may hold is the app's business. */
export const TARGET = new Uint8Array(256).fill(1)
TARGET.fill(0, 0, 33)
TARGET[127] = 0
TARGET[35] = 0
TARGET.fill(0, 128)

/** Host and authority: names, address literals and a port; what could end an authority or hide another is not in it. */
export const HOST = tableOf("-._~!$&'()*+;=%:[]" + ALPHANUMERIC)
HOST.fill(1, 128)

/** The value of a hexadecimal digit, 255 for other bytes. */
export const HEX = new Uint8Array(256).fill(255)
for (let digit = 0; digit < 16; digit++) {
  HEX[digit.toString(16).charCodeAt(0)] = digit
  HEX[digit.toString(16).toUpperCase().charCodeAt(0)] = digit
}

/** Whether `bytes[start, end)` is the given lower-case text, in any case. */
export function equalsIgnoringCase(bytes: Uint8Array, start: number, end: number, lowerCase: string): boolean {
  if (end - start !== lowerCase.length) return false
  for (let index = 0; index < lowerCase.length; index++) {
    const byte = bytes[start + index]!
    const lower = byte >= 65 && byte <= 90 ? byte | 32 : byte
    if (lower !== lowerCase.charCodeAt(index)) return false
  }
  return true
}

/** Whether `bytes[start, end)` is the given text. */
export function equalsExactly(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false
  for (let index = 0; index < text.length; index++) if (bytes[start + index] !== text.charCodeAt(index)) return false
  return true
}
