import { once } from 'node:events'
import { connect } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import type { ContractClient, ContractRequest, ContractResponse } from '../../src/queue/contract-harness.ts'

/** A session of node:http2's own, to `localhost`. */
export class Http2Client implements AsyncDisposable {
  readonly session: ClientHttp2Session

  private constructor(session: ClientHttp2Session) {
    this.session = session
    session.on('error', () => {})
  }

  /** @param ca - the authority that signed the certificate; undefined for a connection without TLS */
  static async open(port: number, ca: string | undefined): Promise<Http2Client> {
    const session = connect(`${ca === undefined ? 'http' : 'https'}://localhost:${port}`, { ca: ca! })
    const client = new Http2Client(session)
    await once(session, 'connect')
    // What may be asked for is known then.
    await once(session, 'remoteSettings')
    return client
  }

  /** Begins a request; without `body` it ends at once. */
  begin(headers: OutgoingHttpHeaders, hasBody = false): Http2Response {
    return new Http2Response(this.session.request(headers, { endStream: !hasBody }))
  }

  /** A whole request and its whole response. */
  async fetch(headers: OutgoingHttpHeaders, body?: string | Buffer): Promise<Http2Response> {
    const response = this.begin(headers, body !== undefined)
    if (body !== undefined) response.stream.end(body)
    await response.closed
    return response
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.session.destroyed) return
    const closed = once(this.session, 'close')
    this.session.destroy()
    await closed
  }
}

/** What has come of a response so far. */
export class Http2Response {
  readonly stream: ClientHttp2Stream
  headers: IncomingHttpHeaders = {}
  trailers: IncomingHttpHeaders = {}
  readonly informational: IncomingHttpHeaders[] = []
  body = Buffer.alloc(0)
  /** Both sides have ended, or the stream was reset. */
  isClosed = false
  isEnded = false
  /** Resolves when the stream has closed, however. */
  readonly closed: Promise<void>
  #wake: () => void = () => {}

  constructor(stream: ClientHttp2Stream) {
    this.stream = stream
    const note = (change: () => void) => (): void => {
      change()
      this.#wake()
    }
    stream.on('headers', (headers) => note(() => this.informational.push(headers))())
    stream.on('response', (headers) => note(() => (this.headers = headers))())
    stream.on('trailers', (headers) => note(() => (this.trailers = headers))())
    stream.on('data', (chunk: Buffer) => note(() => (this.body = Buffer.concat([this.body, chunk])))())
    stream.on(
      'end',
      note(() => (this.isEnded = true)),
    )
    stream.on('error', () => {})
    this.closed = new Promise((resolve) => {
      stream.on(
        'close',
        note(() => {
          this.isClosed = true
          resolve()
        }),
      )
    })
  }

  get status(): number {
    return Number(this.headers[':status'] ?? 0)
  }

  get text(): string {
    return this.body.toString()
  }

  /** Resolves when the condition holds, or the stream has closed. */
  async until(isThere: () => boolean): Promise<void> {
    while (!isThere() && !this.isClosed) await new Promise<void>((resolve) => (this.#wake = resolve))
  }
}

/** The contract's client as a stream of a connection that all of them share. */
export class StreamClient implements ContractClient {
  readonly #response: Http2Response
  readonly #isUpgrade: boolean

  constructor(client: Http2Client, { path, method = 'GET', headers = {}, body }: ContractRequest) {
    const isUpgrade = headers['Upgrade'] !== undefined
    this.#isUpgrade = isUpgrade
    const kept = Object.entries(headers).filter(([name]) => !/^(?:connection|upgrade)$/i.test(name))
    const length = typeof body === 'number' ? { 'content-length': body } : {}
    const pseudo = isUpgrade ? { ':method': 'CONNECT', ':protocol': 'websocket' } : { ':method': method }
    this.#response = client.begin(
      { ...pseudo, ':path': path, ...Object.fromEntries(kept), ...length },
      body !== undefined || isUpgrade,
    )
  }

  write(bytes: Buffer): void {
    this.#response.stream.write(bytes)
  }

  end(): void {
    this.#response.stream.end()
  }

  abort(): void {
    this.#response.stream.close(8)
  }

  setReading(isReading: boolean): void {
    if (isReading) this.#response.stream.resume()
    else this.#response.stream.pause()
  }

  async response(until: Parameters<ContractClient['response']>[0]): Promise<ContractResponse> {
    const response = this.#response
    await response.until(
      () =>
        response.isEnded ||
        (until.head === true && response.status > 0) ||
        (until.bytes !== undefined && response.body.length >= until.bytes) ||
        (until.informational !== undefined && response.informational.length >= until.informational),
    )
    const { status, headers, body } = response
    const isComplete = response.isEnded && status > 0 && response.stream.rstCode === 0
    return {
      // What HTTP/1.1 calls switching protocols.
      status: this.#isUpgrade && status === 200 ? 101 : status,
      reason: '',
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
      informational: response.informational.map((head) => Number(head[':status'])),
      body,
      isComplete,
      isBroken: response.isClosed && !isComplete,
    }
  }
}
