import { createHash } from 'node:crypto'

/** The body of an answer: every byte follows from the prefix and the number, so that a wrong one shows. */
export function contentOf(prefix: string, number: number, size: number): Buffer {
  const seed = createHash('sha1').update(`${prefix} ${number}`).digest('hex')
  return Buffer.alloc(size, seed)
}

/** What the owner of a prefix answers to an upload. */
export function receiptOf(prefix: string, body: Buffer): string {
  return `${prefix} ${body.length} ${createHash('sha1').update(body).digest('hex')}`
}
