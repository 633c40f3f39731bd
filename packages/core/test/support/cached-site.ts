import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import { expect } from 'vitest'
import type { PrefixOptions } from '../../src/index.ts'
import type { ServerLimits } from '../../src/broker/daemon/server-limits.ts'
import type { CacheStatus } from '../../src/broker/protocol/status.ts'
import { startBroker } from './broker-fixture.ts'
import type { BrokerFixture } from './broker-fixture.ts'
import { closeServer, listenOn } from './listening.ts'
import { RawClient } from './raw-client.ts'

/** The value of an Age field, of whatever age: machines may be slow. */
export const AGE = expect.stringMatching(/^\d+$/) as string

/** A response as a client on the wire sees it. */
export interface WireResponse {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Record<string, string>
  readonly body: string
}

/** An app behind a broker of its own that counts the requests which reach it. */
export class CachedSite implements AsyncDisposable {
  /** The targets of the requests that the app has seen. */
  readonly seen: string[] = []
  readonly fixture: BrokerFixture
  port = 0
  readonly #servers: Server[] = []

  private constructor(fixture: BrokerFixture) {
    this.fixture = fixture
  }

  /** On `/2/` of a free port. */
  static async open(
    handler: RequestListener,
    { limits, ...options }: PrefixOptions & { limits?: Partial<ServerLimits> } = {},
  ): Promise<CachedSite> {
    const site = new CachedSite(await startBroker(limits === undefined ? {} : { limits }))
    await site.serve('/2/', handler, options)
    return site
  }

  /** Another app on the same port. */
  async serve(path: string, handler: RequestListener, options: PrefixOptions = {}): Promise<Server> {
    const server = createServer((request, response) => {
      this.seen.push(request.url!)
      handler(request, response)
    })
    this.#servers.push(server)
    this.port = await listenOn(server, path, this.port, options)
    return server
  }

  get cache(): CacheStatus {
    return this.fixture.broker.status().cache
  }

  /** Sends a request on a connection of its own and reads what comes until the connection ends. */
  async ask(target: string, fields: readonly string[] = [], method = 'GET'): Promise<WireResponse> {
    using client = await RawClient.open(this.port)
    client.write(requestOf(target, ['Connection: close', ...fields], method))
    return readResponse(await client.untilEnd())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) if (server.listening) await closeServer(server)
    const { violations } = this.fixture
    await this.fixture.close()
    if (violations.length > 0) throw new Error(`an owner was cut off: ${String(violations[0])}`)
  }
}

/** A request without a body, as it is on the wire. */
export function requestOf(target: string, fields: readonly string[] = [], method = 'GET'): string {
  const hasHost = fields.some((field) => /^host:/i.test(field))
  return [`${method} ${target} HTTP/1.1`, ...(hasHost ? [] : ['Host: localhost']), ...fields, '', ''].join('\r\n')
}

/** Takes the text of one response apart. */
export function readResponse(text: string): WireResponse {
  const end = text.indexOf('\r\n\r\n')
  const [line, ...fields] = text.slice(0, end).split('\r\n')
  const headers: Record<string, string> = {}
  for (const field of fields) {
    const colon = field.indexOf(':')
    headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim()
  }
  return { status: Number(line!.split(' ')[1]), headers, body: text.slice(end + 4) }
}

/** Answers each request with a number of its own, for a minute. */
export function numbered(...fields: [string, string][]): RequestListener {
  let count = 0
  return (_request, response) => {
    response.cachePolicy = { ttl: 60 }
    for (const [name, value] of fields) response.setHeader(name, value)
    response.end(`answer ${++count}`)
  }
}
