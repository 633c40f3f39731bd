import { latin1 } from '../../../base/latin1.ts'
import type { HeadParser } from '../http1/head-parser.ts'

/** RFC 9110 section 9.2.2. */
const IDEMPOTENT_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** RFC 9110 section 9.2.1. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** Those that everybody knows: RFC 9110 without CONNECT, and RFC 5789. */
const COMMON_METHODS = new Set([...IDEMPOTENT_METHODS, 'POST', 'PATCH'])

/** Whether no server takes the method for an error. */
export function isCommon({ headStart, methodEnd }: HeadParser, bytes: Buffer): boolean {
  return COMMON_METHODS.has(latin1(bytes, headStart, methodEnd))
}

/** Whether the client asks for no change of anything. */
export function isSafe(head: HeadParser, bytes: Buffer): boolean {
  return isGetRequest(head, bytes) || SAFE_METHODS.has(latin1(bytes, head.headStart, head.methodEnd))
}

/** Whether the request may be given to a second owner when the first one dies with it. */
export function isIdempotent(head: HeadParser, bytes: Buffer): boolean {
  return isGetRequest(head, bytes) || IDEMPOTENT_METHODS.has(latin1(bytes, head.headStart, head.methodEnd))
}

/** Nearly every request: worth knowing without making a string. */
export function isGetRequest({ headStart, methodEnd }: HeadParser, bytes: Buffer): boolean {
  // G, E, T
  return (
    methodEnd - headStart === 3 && bytes[headStart] === 71 && bytes[headStart + 1] === 69 && bytes[headStart + 2] === 84
  )
}

/** Whether the response has no body, whatever its fields say. */
export function isHeadRequest({ headStart, methodEnd }: HeadParser, bytes: Buffer): boolean {
  // H, E, A, D
  return (
    methodEnd - headStart === 4 &&
    bytes[headStart] === 72 &&
    bytes[headStart + 1] === 69 &&
    bytes[headStart + 2] === 65 &&
    bytes[headStart + 3] === 68
  )
}
