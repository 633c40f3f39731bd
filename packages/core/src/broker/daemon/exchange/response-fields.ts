import { TOKEN, VALUE, equalsIgnoringCase } from '../http1/characters.ts'

const CR = 13
const LF = 10
const COLON = 58

/** The fields that say where a message ends or what becomes of the connection: the broker's, never an owner's. Keep-Alive is only a hint. */
const FRAMING_FIELDS = ['content-length', 'transfer-encoding', 'connection', 'proxy-connection']
/** Those of an owner that has its port, and so its connections, to itself. */
const LENGTH_FIELDS = ['content-length', 'transfer-encoding']

/**
 * Whether `bytes[start, end)` is a sequence of complete field lines that an owner may send.
 *
 * An owner is not trusted: a stray line break or a framing field would let it write what a client takes for another owner's
 * response on the same connection.
 *
 * @param ownsConnection - whether Connection may be among them
 */
export function areSafeFields(bytes: Uint8Array, start: number, end: number, ownsConnection = false): boolean {
  const forbidden = ownsConnection ? LENGTH_FIELDS : FRAMING_FIELDS
  let position = start
  while (position < end) {
    const nameStart = position
    while (position < end && TOKEN[bytes[position]!] === 1) position++
    if (position === nameStart || position === end || bytes[position] !== COLON) return false
    if (isOneOf(forbidden, bytes, nameStart, position)) return false
    position++
    while (position < end && VALUE[bytes[position]!] === 1) position++
    if (position + 1 >= end || bytes[position] !== CR || bytes[position + 1] !== LF) return false
    position += 2
  }
  return true
}

/** Whether `bytes[start, end)` may stand as a reason phrase. */
export function isSafeReason(bytes: Uint8Array, start: number, end: number): boolean {
  for (let position = start; position < end; position++) if (VALUE[bytes[position]!] === 0) return false
  return true
}

function isOneOf(names: readonly string[], bytes: Uint8Array, start: number, end: number): boolean {
  // Only names that begin like one are compared: c, t, p.
  const first = bytes[start]! | 32
  if (first !== 99 && first !== 116 && first !== 112) return false
  for (const name of names) if (equalsIgnoringCase(bytes, start, end, name)) return true
  return false
}
