import { METHODS } from 'node:http'
import fc from 'fast-check'
import { expect } from 'vitest'
import {
  REJECT_CHUNK,
  REJECT_CODING,
  REJECT_CONNECT,
  REJECT_CONTENT_LENGTH,
  REJECT_EXTENSIONS,
  REJECT_FIELD,
  REJECT_FRAMING,
  REJECT_HOST,
  REJECT_LINE,
  REJECT_LINE_BREAK,
  REJECT_TARGET,
  REJECT_TRAILER,
  REJECT_VERSION,
} from '../../../../src/broker/daemon/exchange/reject.ts'
import { readNode, readOurs } from './oracle.ts'
import { requestStream } from './request-streams.ts'

/** What the broker refuses although node:http takes it, and why. */
export const STRICTER: Readonly<Record<number, string>> = {
  [REJECT_LINE]: 'node:http takes several spaces between the parts of a request line',
  [REJECT_LINE_BREAK]: 'node:http skips bare line feeds before a request',
  [REJECT_TARGET]: 'node:http takes fragments, user names, other schemes and `*` with any method',
  [REJECT_VERSION]: 'node:http takes HTTP/0.9 and HTTP/2.0 in a request line',
  [REJECT_HOST]: 'node:http asks for a Host field only, and takes two, empty and malformed ones',
  [REJECT_CODING]: 'node:http decodes a body whose last coding is chunked, whatever stands before',
  [REJECT_FRAMING]: 'node:http takes Transfer-Encoding in HTTP/1.0',
  [REJECT_CONTENT_LENGTH]: 'node:http takes an empty Content-Length for none, and lengths above 2^53',
  [REJECT_FIELD]: 'node:http takes some control characters that are of no use in a field',
  [REJECT_CHUNK]: 'node:http takes quotes and escapes anywhere in the value of a chunk extension',
  [REJECT_EXTENSIONS]: 'node:http limits the extensions of each chunk, not of all together',
  [REJECT_TRAILER]: 'node:http takes framing fields as trailers',
  [REJECT_CONNECT]: 'node:http offers CONNECT to the app',
}

/**
 * Compares the broker's reading of random streams with node:http's.
 *
 * What the broker accepts node:http must accept as well and read alike, but for methods that it does not know; what only
 * node:http accepts must be a known case of {@link STRICTER}.
 */
export async function checkAgreement(options: {
  numRuns: number
  seed?: number
  interruptAfterTimeLimit?: number
}): Promise<void> {
  const property = fc.asyncProperty(requestStream, fc.array(fc.nat(300), { maxLength: 3 }), async (bytes, cuts) => {
    const ours = readOurs(bytes)
    expect(readOurs(bytes, cuts)).toEqual(ours)
    const isKnown = ours.requests.every(({ method }) => METHODS.includes(method))
    if (isKnown && ours.requests.length > 0) {
      const nodes = await readNode(bytes.subarray(0, ours.consumed))
      expect(nodes).toEqual({ requests: ours.requests, refusal: 0, consumed: ours.consumed })
    }
    if (ours.refusal === 0) return
    const whole = await readNode(bytes)
    if (whole.requests.length > ours.requests.length) expect(STRICTER).toHaveProperty(String(ours.refusal))
  })
  await fc.assert(property, { ...options, endOnFailure: true })
}
