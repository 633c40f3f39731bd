import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import type { Express } from 'express'
import express4 from 'express4'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { startBroker } from '../../../core/test/support/broker-fixture.ts'
import type { BrokerFixture } from '../../../core/test/support/broker-fixture.ts'
import httpsys from '../../src/index.ts'
import type { PrefixOptions } from '../../src/index.ts'

/** The versions that the adapter serves; what both can do has the types of the newer one. */
export const versions: [string, typeof express][] = [
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
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

/** Starts the app on a path, of a free port unless one is named; returns the URL of the prefix without its final slash. */
export async function mount(app: Express, path = '/2/', options: PrefixOptions = {}, port = 0): Promise<string> {
  return await mounted(app.listen(httpsys.prefix(`http://localhost:${port}${path}`, options)))
}

/** Waits for a server that has been told to listen on a prefix; returns the URL of the prefix without its final slash. */
export async function mounted(server: Server): Promise<string> {
  servers.push(server)
  await once(server, 'listening')
  return encodeURI((server.address() as AddressInfo & { prefix: string }).prefix.slice(0, -1))
}

/** Starts the app on a TCP port of its own; returns its URL without the final slash. */
export async function listenOnTcp(app: Express): Promise<string> {
  const server = app.listen(0)
  servers.push(server)
  await once(server, 'listening')
  return `http://localhost:${(server.address() as AddressInfo).port}`
}

export function portOf(url: string): number {
  return Number(new URL(url).port)
}

/** A request without what fetch adds to conditional ones (`Cache-Control: no-cache`). */
export async function get(url: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const outgoing = request(url, { headers, agent: false }).end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return response
}
