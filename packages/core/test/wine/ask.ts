import { once } from 'node:events'
import { request } from 'node:http'
import type { Agent, IncomingHttpHeaders, IncomingMessage, RequestOptions } from 'node:http'

/** Milliseconds without anything from the other side. */
const PATIENCE_MS = 60_000

/** A response, whole. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The client's own port: equal for requests of one connection. */
  readonly localPort: number
}

/** Settings of {@link ask}. */
export interface Question {
  readonly method?: string
  /** In canonical spelling: stock Wine's http.sys knows `Host` and `Content-Length`, but not `host`, which is what fetch sends. */
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
  /** One that keeps connections alive; else each request has a connection of its own. */
  readonly agent?: Agent
}

/** Sends a request from Linux and reads the response. */
export async function ask(url: string, { method, headers = {}, body, agent }: Question = {}): Promise<Answer> {
  const options: RequestOptions = {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: body === undefined ? headers : { 'Content-Length': String(Buffer.byteLength(body)), ...headers },
    agent: agent ?? false,
    timeout: PATIENCE_MS,
  }
  const outgoing = request(url, options)
  outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer from ${url}`)))
  // After the head an error shows on the response as well.
  outgoing.on('error', () => {})
  outgoing.end(body)
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  const localPort = response.socket.localPort!
  const pieces: Buffer[] = []
  for await (const piece of response) pieces.push(piece as Buffer)
  return {
    status: response.statusCode!,
    headers: response.headers,
    text: Buffer.concat(pieces).toString(),
    localPort,
  }
}

/** Asks, and closes the connection when the response has begun. */
export async function leave(url: string): Promise<void> {
  const outgoing = request(url, { agent: false, timeout: PATIENCE_MS })
  outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer from ${url}`)))
  outgoing.end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  response.on('error', () => {})
  await once(response, 'data')
  response.destroy()
}
