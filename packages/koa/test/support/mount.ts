import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import Koa2 from 'koa2'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { startBroker } from '../../../core/test/support/broker-fixture.ts'
import type { BrokerFixture } from '../../../core/test/support/broker-fixture.ts'
import httpsys from '../../src/index.ts'
import type { PrefixOptions } from '../../src/index.ts'

/** The versions that the adapter serves; Koa 2 is another copy than the one that the adapter imports. */
export const versions: [string, typeof Koa][] = [
  ['Koa 3', Koa],
  ['Koa 2', Koa2 as unknown as typeof Koa],
]

let fixture: BrokerFixture
const servers: Server[] = []

/** Gives the tests of a file a broker, and closes after each test what was mounted in it. */
export function useBroker(): void {
  beforeAll(async () => {
    fixture = await startBroker()
  })
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    }
  })
  afterAll(async () => {
    expect(fixture.violations).toEqual([])
    await fixture.close()
  })
}

/** Starts the app on `/k/`, of a free port unless one is named; returns the URL of the prefix without its final slash. */
export async function mount(app: Koa, options: PrefixOptions = {}, port = 0): Promise<string> {
  return await mounted(app.listen(httpsys.prefix(`http://localhost:${port}/k/`, options)))
}

/** Waits for a server that has been told to listen on a prefix; returns the URL of the prefix without its final slash. */
export async function mounted(server: Server): Promise<string> {
  servers.push(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo & { prefix: string }).prefix.slice(0, -1)
}

/** Starts the app on a TCP port of its own; returns its URL without the final slash. */
export async function listenOnTcp(app: Koa): Promise<string> {
  const server = app.listen(0)
  servers.push(server)
  await once(server, 'listening')
  return `http://localhost:${(server.address() as AddressInfo).port}`
}
