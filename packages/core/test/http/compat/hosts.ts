import { once } from 'node:events'
import { createServer } from 'node:http'
import type { RequestListener, Server, ServerOptions } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { UrlPrefix } from '../../../src/base/url-prefix.ts'
import { brokerBackend } from '../../../src/broker/client/open-broker-queue.ts'
import { listenOnPrefix } from '../../../src/http/listen-hook.ts'
import httpsys from '../../../src/index.ts'
import { startBroker } from '../../support/broker-fixture.ts'
import type { BrokerFixture } from '../../support/broker-fixture.ts'
import { RawClient } from '../../support/raw-client.ts'

/** A way to listen on a free port. */
export interface Host {
  readonly name: 'node:http' | 'shared port' | 'private port'
  listen(server: Server, port?: number): Server
}

const NODE: Host = { name: 'node:http', listen: (server, port = 0) => server.listen(port) }
const SHARED: Host = {
  name: 'shared port',
  listen: (server, port = 0) => server.listen(httpsys.prefix(`http://localhost:${port}/`)),
}
const PRIVATE: Host = {
  name: 'private port',
  listen: (server, port = 0) =>
    listenOnPrefix(server, UrlPrefix.parse(`http://*:${port}/`), brokerBackend, { bind: { host: undefined } }),
}

/** Runs the tests against node:http and against ours: what they expect is what both do. */
export function describeCompat(title: string, tests: (host: Host) => void): void {
  describeOn([NODE, SHARED, PRIVATE], title, tests)
}

/** The same for what a server on a shared port can't have, since others are behind it. */
export function describePrivateCompat(title: string, tests: (host: Host) => void): void {
  describeOn([NODE, PRIVATE], title, tests)
}

function describeOn(hosts: readonly Host[], title: string, tests: (host: Host) => void): void {
  describe.each(hosts)(`${title} on $name`, (host) => {
    let fixture: BrokerFixture
    beforeAll(async () => {
      fixture = await startBroker()
    })
    afterAll(async () => {
      expect(fixture.violations).toEqual([])
      await fixture.close()
    })
    tests(host)
  })
}

/** A listening server that is closed, with its connections, when it goes out of scope. */
export class Site implements AsyncDisposable {
  readonly server: Server
  readonly #clients: RawClient[] = []

  private constructor(server: Server) {
    this.server = server
  }

  static async open(host: Host, handler?: RequestListener, options: ServerOptions = {}): Promise<Site> {
    const site = new Site(createServer(options, handler))
    host.listen(site.server)
    await once(site.server, 'listening')
    return site
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async client(): Promise<RawClient> {
    const client = await RawClient.open(this.port)
    this.#clients.push(client)
    return client
  }

  /** The whole answer to a request after which the connection ends. */
  async exchange(request: string): Promise<string> {
    const client = await this.client()
    client.write(request)
    return client.untilEnd()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client[Symbol.dispose]()
    if (!this.server.listening) return
    const closed = once(this.server, 'close')
    this.server.close()
    this.server.closeAllConnections()
    await closed
  }
}

/** A request after which the connection is closed. */
export function get(path = '/', fields = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${fields}\r\n`
}

/** The code of what a call throws. */
export function codeOf(call: () => unknown): string | undefined {
  try {
    call()
  } catch (error) {
    return (error as NodeJS.ErrnoException).code
  }
  return undefined
}
