import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { expect, test } from 'vitest'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import type { ServerInternals } from '../../src/http/node-internals.ts'
import { ServerSockets } from '../../src/http/server-sockets.ts'
import httpsys from '../../src/index.ts'
import type { QueueConnection } from '../../src/queue/exchange.ts'
import { startBroker } from '../support/broker-fixture.ts'
import { closeServer, listenOn } from '../support/listening.ts'
import { RawClient } from '../support/raw-client.ts'

test('two servers of a process that share a connection have a socket of their own each, the same for all its requests', async () => {
  await using fixture = await startBroker()
  expect(fixture.violations).toEqual([])
  const sockets: Record<string, Socket[]> = { a: [], b: [] }
  const servers = ['a', 'b'].map((name) => {
    return createServer((request, response) => {
      sockets[name]!.push(request.socket)
      response.end(`I am ${name}.`)
    })
  })
  const [a, b] = servers as [(typeof servers)[0], (typeof servers)[0]]
  a.listen(httpsys.prefix('http://localhost:0/a/'))
  await once(a, 'listening')
  const { port } = a.address() as AddressInfo
  b.listen(httpsys.prefix(`http://localhost:${port}/b/`))
  await once(b, 'listening')

  const client = await RawClient.open(port)
  const ask = async (name: string): Promise<void> => {
    const count = sockets[name]!.length + 1
    client.write(`GET /${name}/ HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    await client.until(`I am ${name}.`, count)
  }
  for (const name of ['a', 'b', 'a', 'a', 'b']) await ask(name)
  expect([new Set(sockets['a']).size, new Set(sockets['b']).size]).toEqual([1, 1])
  const owners = [sockets['a']![0], sockets['b']![0]].map((socket) => (socket as Socket & { server: unknown }).server)
  expect(owners[0]).toBe(a)
  expect(owners[1]).toBe(b)
  expect(await Promise.all([a, b].map(connectionCount))).toEqual([1, 1])

  // The one that stays keeps its socket when the other closes.
  const closed = once(a, 'close')
  a.close()
  await closed
  await ask('b')
  expect(new Set(sockets['b']).size).toBe(1)
  client[Symbol.dispose]()
  b.close()
  await once(b, 'close')
})

test.each([{ names: ['a'] }, { names: ['a', 'b'] }, { names: ['a', 'b', 'c'] }])(
  'a connection that its client ends is closed for $names, which have had requests of it',
  async ({ names }) => {
    await using fixture = await startBroker()
    expect(fixture.violations).toEqual([])
    const sockets: Socket[] = []
    const servers: Server[] = []
    let port = 0
    for (const name of [...names, 'another']) {
      const server = createServer((request, response) => {
        sockets.push(request.socket)
        response.end(`I am ${name}.`)
      })
      port = await listenOn(server, `/${name}/`, port)
      servers.push(server)
    }
    const client = await RawClient.open(port)
    for (const name of names) {
      client.write(`GET /${name}/ HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      await client.until(`I am ${name}.`)
    }
    const counts = (): Promise<number[]> => Promise.all(servers.map(connectionCount))
    expect(await counts()).toEqual([...names.map(() => 1), 0])
    const closed = sockets.map((socket) => once(socket, 'close'))
    client[Symbol.dispose]()
    await Promise.all(closed)
    await expect.poll(counts).toEqual([...names.map(() => 0), 0])
    await Promise.all(servers.map(closeServer))
  },
)

test('a server that listens again while a connection of before is still open has another socket for it', () => {
  const server = createServer() as Server & ServerInternals
  const prefix = UrlPrefix.parse('http://localhost:8080/a/')
  const connection: QueueConnection = {
    remoteAddress: '127.0.0.1',
    remotePort: 50_000,
    localAddress: '127.0.0.1',
    localPort: 8080,
    encrypted: false,
  }
  const [before, after] = [1, 2].map(() => new ServerSockets(server, prefix, false, () => {})) as [
    ServerSockets,
    ServerSockets,
  ]
  const first = before.of(connection)
  const second = after.of(connection)
  expect(second).not.toBe(first)
  expect(before.of(connection)).toBe(first)
  expect(after.of(connection)).toBe(second)
})

function connectionCount(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count)))
}
