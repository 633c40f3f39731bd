import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'
import { parseRawHeaders } from '../../../../src/broker/client/raw-headers.ts'
import { HeadParser } from '../../../../src/broker/daemon/http1/head-parser.ts'
import { BODY_END, BODY_MORE, RequestBody } from '../../../../src/broker/daemon/http1/request-body.ts'

/** A request as a parser read it. */
export interface ReadRequest {
  readonly method: string
  readonly url: string
  readonly version: string
  readonly rawHeaders: readonly string[]
  readonly body: string
}

/** What a parser made of a byte stream. */
export interface Reading {
  readonly requests: readonly ReadRequest[]
  /** A negative code of `reject.ts`, or 0 when the stream ended well or in the middle of a request. */
  readonly refusal: number
  /** Bytes up to the end of the last whole request. */
  readonly consumed: number
}

/** Reads a stream as the broker does, cut into pieces at the given positions. */
export function readOurs(bytes: Buffer, cuts: readonly number[] = []): Reading {
  const parser = new HeadParser()
  const requests: ReadRequest[] = []
  const edges = [...cuts.filter((cut) => cut > 0 && cut < bytes.length), bytes.length].toSorted((a, b) => a - b)
  let position = 0
  let consumed = 0
  let isLast = false
  let open: { head: Omit<ReadRequest, 'body'>; framing: RequestBody; pieces: Buffer[] } | null = null
  const complete = (): void => {
    requests.push({ ...open!.head, body: Buffer.concat(open!.pieces).toString('latin1') })
    open = null
    consumed = position
    isLast = !parser.isKeepAlive
  }
  for (const end of edges) {
    while (position < end && !isLast) {
      if (open === null) {
        const bodyStart = parser.parse(bytes, position, end)
        if (bodyStart < 0) return { requests, refusal: bodyStart, consumed }
        if (bodyStart === 0) break
        const head = {
          method: bytes.toString('latin1', parser.headStart, parser.methodEnd),
          url: bytes.toString('latin1', parser.targetStart, parser.targetEnd),
          version: `1.${parser.minor}`,
          rawHeaders: parseRawHeaders(bytes.toString('latin1', parser.fieldsStart, bodyStart), 0, parser.fieldCount),
        }
        open = { head, framing: new RequestBody(), pieces: [] }
        open.framing.reset(parser)
        position = bodyStart
        if (open.framing.isComplete) complete()
        continue
      }
      const { framing, pieces }: { framing: RequestBody; pieces: Buffer[] } = open
      const event = framing.step(bytes, position, end)
      if (event < 0) return { requests, refusal: event, consumed }
      pieces.push(bytes.subarray(framing.start, framing.end))
      position = framing.position
      if (event === BODY_END) complete()
      else if (event === BODY_MORE) break
    }
  }
  return { requests, refusal: 0, consumed }
}

/** Reads a stream with node:http's server; `refusal` is -1 when it gave an error. */
export function readNode(bytes: Buffer): Promise<Reading> {
  return new Promise((resolve) => {
    const read: { request: IncomingMessage; pieces: Buffer[] }[] = []
    let refusal = 0
    // Its own limits are not what is compared.
    const server = createServer({ maxHeaderSize: 64 * 1024, keepAliveTimeout: 0, requireHostHeader: false })
    server.on('request', (request, response) => {
      const pieces: Buffer[] = []
      read.push({ request, pieces })
      // The parser pushes in the very turn in which it reads; events would come too late when an error follows.
      const push = request.push.bind(request)
      request.push = (piece: Buffer | null) => {
        if (piece !== null) pieces.push(Buffer.from(piece))
        return push(piece)
      }
      request.on('error', () => {}).resume()
      response.end()
    })
    server.on('checkContinue', (request, response) => server.emit('request', request, response))
    server.on('checkExpectation', (request, response) => server.emit('request', request, response))
    server.on('clientError', () => (refusal = -1))
    const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done(), allowHalfOpen: true })
    const settle = (): void => {
      // A request whose body never ended was not read.
      const requests = read
        .filter(({ request }) => request.complete)
        .map(({ request, pieces }) => ({
          method: request.method!,
          url: request.url!,
          version: request.httpVersion,
          rawHeaders: request.rawHeaders,
          body: Buffer.concat(pieces).toString('latin1'),
        }))
      socket.destroy()
      resolve({ requests, refusal, consumed: bytes.length })
    }
    server.emit('connection', socket)
    socket.push(bytes)
    socket.push(null)
    setImmediate(() => setImmediate(() => setImmediate(settle)))
  })
}
