import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server as HttpServer } from 'node:http'
import { Server } from 'engine.io'
import type { Socket as ServerSocket } from 'engine.io'
import { Socket } from 'engine.io-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker } from '../support/broker-fixture.ts'
import type { BrokerFixture } from '../support/broker-fixture.ts'
import { closeServer, listenOn } from '../support/listening.ts'

const path = '/e/engine.io'

let fixture: BrokerFixture
let server: HttpServer
let engine: Server
let base: string

beforeAll(async () => {
  fixture = await startBroker()
  server = createServer((_req, res) => res.end('the app’s own'))
  engine = new Server({ maxHttpBufferSize: 4 * 1024 * 1024 })
  engine.attach(server, { path })
  base = `http://localhost:${await listenOn(server, '/e/')}`
})
afterAll(async () => {
  engine.close()
  await closeServer(server)
  expect(fixture.violations).toEqual([])
  await fixture.close()
})

type Transports = ('polling' | 'websocket')[]

/** A client and the server's end of it. */
async function open(transports: Transports): Promise<[Socket, ServerSocket]> {
  const accepted = once(engine, 'connection') as Promise<[ServerSocket]>
  const client = new Socket(base, { path, transports })
  client.binaryType = 'nodebuffer' as never
  const [[peer]] = await Promise.all([accepted, next(client, 'open')])
  return [client, peer]
}

function next(client: Socket, event: 'open' | 'message' | 'upgrade' | 'close'): Promise<unknown> {
  return new Promise((resolve, reject) => {
    client.once('error', reject)
    client.once(event, resolve as never)
  })
}

describe.each([[['polling'] as Transports], [['websocket'] as Transports], [['polling', 'websocket'] as Transports]])(
  'Engine.IO with transports %j',
  (transports) => {
    test('texts, binary and a mebibyte come back as they were sent', async () => {
      const [client, peer] = await open(transports)
      peer.on('message', (data: string | Buffer) => void peer.send(data))
      for (const sent of ['grüße', Buffer.from([0, 1, 254, 255]), 'x'.repeat(1024 * 1024)]) {
        const answer = next(client, 'message')
        client.send(sent)
        expect(await answer).toEqual(sent)
      }
      client.close()
    })

    test('either side ends it, and the other one sees it', async () => {
      const [client, peer] = await open(transports)
      const seen = once(peer, 'close')
      client.close()
      expect((await seen)[0]).toBe('transport close')
      const [second, secondPeer] = await open(transports)
      const told = next(second, 'close')
      secondPeer.close()
      expect(await told).toBe('transport close')
    })
  },
)

test('messages that are sent while polling is upgraded arrive once and in order', async () => {
  const [client, peer] = await open(['polling', 'websocket'])
  const received: number[] = []
  peer.on('message', (text: string) => received.push(Number(text)))
  const upgraded = next(client, 'upgrade')
  const numbers = Array.from({ length: 500 }, (_, index) => index)
  for (const number of numbers) {
    client.send(String(number))
    if (number % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await upgraded
  expect(client.transport.name).toBe('websocket')
  await expect.poll(() => received).toEqual(numbers)
  client.close()
})

test('a handshake that Engine.IO refuses is answered, and other paths stay the app’s', async () => {
  const refused = await fetch(`${base}${path}/?EIO=4&transport=pigeon`)
  expect([refused.status, await refused.json()]).toEqual([400, { code: 0, message: 'Transport unknown' }])
  expect(await (await fetch(`${base}/e/other`)).text()).toBe('the app’s own')
})
