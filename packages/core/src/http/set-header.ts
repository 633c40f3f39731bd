import { OutgoingMessage } from 'node:http'
import type { ServerResponse } from 'node:http'
import { kOutHeaders } from './node-internals.ts'

type SetHeader = (this: unknown, name: string, value: number | string | readonly string[]) => ServerResponse

/** The table that `setHeader` fills: as node:http's it inherits nothing, but V8 knows its shape, which makes it several times cheaper. */
class OutHeaders {
  [lowerCaseName: string]: [string, unknown]
}
Object.setPrototypeOf(OutHeaders.prototype, null)
delete (OutHeaders.prototype as { constructor?: unknown }).constructor

/** Names that node:http has taken, as apps write them, and in lower case. */
const takenNames = new Map<string, string>()
const MAX_TAKEN_NAMES = 256
const MAX_NAME_LENGTH = 64
/** Some servers take others, which is no reason for all to take them. */
const STRICT_NAME = /^[\w!#$%&'*+.^`|~-]+$/

/** What node:http refuses in a value. */
const REFUSED_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/
/** Up to here a loop is quicker than the expression. */
const MAX_LOOP_LENGTH = 64

function isRefused(value: string): boolean {
  if (value.length > MAX_LOOP_LENGTH) return REFUSED_IN_VALUE.test(value)
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index)
    if ((code < 0x20 && code !== 9) || code === 0x7f || code > 0xff) return true
  }
  return false
}

/**
 * A response's own `setHeader`: node:http's, which is asked as long as a name is new. One that it has taken before needs no further
 * check and no new string for its lower case.
 *
 * Whoever has replaced the method, in a class of his own or in a prototype, is still the one who is called.
 */
export function setHeader(this: ServerResponse, name: string, value: number | string | readonly string[]): unknown {
  const inherited = (Object.getPrototypeOf(this) as { setHeader: SetHeader }).setHeader
  const response = this as unknown as { _header: string | null; [kOutHeaders]: OutHeaders | null | undefined }
  if (inherited !== nativeSetHeader || !isNodes || response._header !== null) return inherited.call(this, name, value)
  const key = takenNames.get(name)
  if (key === undefined) {
    inherited.call(this, name, value)
    if (takenNames.size < MAX_TAKEN_NAMES && name.length <= MAX_NAME_LENGTH && STRICT_NAME.test(name)) {
      takenNames.set(name, name.toLowerCase())
    }
    return this
  }
  if (typeof value !== 'number' && (typeof value !== 'string' || isRefused(value))) {
    return inherited.call(this, name, value)
  }
  const table = (response[kOutHeaders] ??= new OutHeaders())
  table[key] = [name, value]
  return this
}
// oxlint-disable-next-line typescript/unbound-method -- called with a response
const nativeSetHeader = OutgoingMessage.prototype.setHeader as SetHeader
/** Nobody had put another in its place before this module was loaded. */
const isNodes = Function.prototype.toString.call(nativeSetHeader).includes('kOutHeaders')
