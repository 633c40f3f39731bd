import { once } from 'node:events'
import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import httpsys from '../../src/index.ts'
import type { PrefixOptions } from '../../src/index.ts'
import type { QueueSettings } from '../../src/base/queue-settings.ts'
import type { BrokerOptions } from '../../src/broker/daemon/broker-options.ts'
import { startBroker } from './broker-fixture.ts'
import type { BrokerFixture } from './broker-fixture.ts'
import { Http2Client } from './http2-client.ts'
import { closeServer } from './listening.ts'
import { certifyEverywhere } from './pki.ts'
import { RawOwner } from './raw-owner.ts'

/** A broker with one port, https as a rule, apps on it, and clients that speak HTTP/2. */
export class Http2Site implements AsyncDisposable {
  readonly fixture: BrokerFixture
  /** The authority of its certificate; empty without TLS. */
  readonly ca: string
  port = 0
  readonly #servers: Server[] = []
  readonly #clients: Http2Client[] = []
  readonly #owners: RawOwner[] = []

  private constructor(fixture: BrokerFixture, ca: string) {
    this.fixture = fixture
    this.ca = ca
  }

  static async open(options: Partial<BrokerOptions> = {}): Promise<Http2Site> {
    const fixture = await startBroker(options)
    return new Http2Site(fixture, certifyEverywhere(fixture.directory).cert)
  }

  /** Without TLS: clients know that it speaks HTTP/2. */
  static async openPlain(options: Partial<BrokerOptions> = {}): Promise<Http2Site> {
    return new Http2Site(await startBroker({ http2: 'all', ...options }), '')
  }

  get base(): string {
    return `${this.ca === '' ? 'http' : 'https'}://localhost:${this.port}`
  }

  /** An app at a path. */
  async serve(path: string, handler: RequestListener, options: PrefixOptions = {}): Promise<Server> {
    const server = createServer(handler)
    await this.listen(server, path, options)
    return server
  }

  async listen(server: Server, path: string, options: PrefixOptions = {}): Promise<void> {
    this.#servers.push(server)
    server.listen(httpsys.prefix(`${this.base}${path}`, options))
    await once(server, 'listening')
    this.port = (server.address() as AddressInfo).port
  }

  /** An owner whose every frame a test decides. */
  async own(path: string, settings: QueueSettings = {}): Promise<RawOwner> {
    const owner = await RawOwner.open(join(this.fixture.directory, 'private.sock'))
    this.#owners.push(owner)
    const claimed = await owner.claim(`${this.base}${path}`, { settings })
    if (claimed !== 'revoked') this.port = claimed.port
    return owner
  }

  async client(): Promise<Http2Client> {
    const client = await Http2Client.open(this.port, this.ca || undefined)
    this.#clients.push(client)
    return client
  }

  /** How often the broker has acted for a reason. */
  count(reason: string): number {
    return this.fixture.broker.status().reasons[reason] ?? 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client[Symbol.asyncDispose]()
    for (const owner of this.#owners) owner.die()
    for (const server of this.#servers) if (server.listening) await closeServer(server)
    const { violations } = this.fixture
    await this.fixture.close()
    if (violations.length > 0) throw violations[0]
  }
}
