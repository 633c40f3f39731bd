import { METHODS, createServer } from 'node:http'
import type { Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import httpsys from '../../../src/index.ts'
import { startBroker } from '../../support/broker-fixture.ts'
import type { BrokerFixture } from '../../support/broker-fixture.ts'
import { RawClient } from '../../support/raw-client.ts'
import { STRICTER } from './http1/agreement.ts'
import { readNode, readOurs } from './http1/oracle.ts'
import { SMUGGLING_VECTORS } from './http1/smuggling-vectors.ts'

let fixture: BrokerFixture
let port: number
const servers: Server[] = []
/** Requests that processes have seen from beginning to end, and those of which they have seen the head. */
let whole: string[] = []
let begun: string[] = []

async function serve(path: string, letter: string): Promise<Server> {
  const server = createServer((request, response) => {
    begun.push(letter)
    request.on('error', () => {})
    if (request.url!.endsWith('?ignore')) {
      whole.push(letter)
      return void response.end('fine')
    }
    request.resume().on('end', () => {
      whole.push(letter)
      response.end('fine')
    })
  })
  server.listen(httpsys.prefix(`http://localhost:${port}${path}`))
  await once(server, 'listening')
  servers.push(server)
  return server
}

beforeAll(async () => {
  fixture = await startBroker()
  port = 0
  const first = await serve('/2/', 'a')
  port = (first.address() as AddressInfo).port
  await serve('/admin/', 's')
})
afterAll(async () => {
  for (const server of servers) await new Promise((resolve) => server.close(resolve))
  await fixture.close()
})
afterEach(() => {
  whole = []
  begun = []
})

describe.each(SMUGGLING_VECTORS)('%s', (_what, text, reading) => {
  const bytes = Buffer.from(text, 'latin1')
  const expected = reading.split(' ')
  const letters = expected.filter((token) => /^[as]$/.test(token))
  const status = expected.find((token) => /^\d{3}$/.test(token))

  test('reaches no other process than the one that it is for', async () => {
    using client = await RawClient.open(port)
    client.write(bytes)
    client.socket.end()
    const answer = await client.untilEnd()
    expect(whole).toEqual(letters)
    expect(begun.filter((letter) => letter === 's')).toEqual(letters.filter((letter) => letter === 's'))
    const statuses = [...answer.matchAll(/HTTP\/1\.1 ([2-5]\d\d) /g)].map((match) => match[1])
    if (status !== undefined) expect(statuses.at(-1)).toBe(status)
    else if (reading !== '…') expect(statuses).toEqual(letters.map(() => '200'))
  })

  test('is read alike in pieces, and by node:http where both take it', async () => {
    const ours = readOurs(bytes)
    const everywhere = Array.from({ length: Math.min(bytes.length, 2000) }, (_, index) => index)
    expect(readOurs(bytes, everywhere)).toEqual(ours)
    if (ours.requests.length > 0 && ours.requests.every(({ method }) => METHODS.includes(method))) {
      const nodes = await readNode(bytes.subarray(0, ours.consumed))
      expect(nodes).toEqual({ requests: ours.requests, refusal: 0, consumed: ours.consumed })
    }
    if (ours.refusal === 0) return
    const nodes = await readNode(bytes)
    if (nodes.requests.length > ours.requests.length) expect(STRICTER).toHaveProperty(String(ours.refusal))
  })
})
