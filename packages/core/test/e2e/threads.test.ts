import { describe, expect, test } from 'vitest'
import { currentSocketPath } from '../../src/broker/rendezvous/generations.ts'
import { freePort } from '../support/free-port.ts'
import { listeningSockets } from '../support/listening-sockets.ts'
import { RawClient } from '../support/raw-client.ts'
import { PRIVATE, RawOwner } from '../support/raw-owner.ts'
import type { OwnedRequest } from '../support/raw-owner.ts'
import { Site } from './processes.ts'

/** node:net gives no connection to another thread. */
const hasThreads = process.platform === 'linux' && process.env['HTTPSYS_ENGINE'] !== 'net'

/** @param port - that the broker binds; 0: its first owner picks one, and hands over the socket */
function siteOf(threads: number, env: NodeJS.ProcessEnv = {}, port = 0): Site {
  const site = new Site(undefined, { HTTPSYS_BROKER_THREADS: String(threads), ...env })
  site.port = port
  return site
}

/** Clients with a connection each. */
async function clientsOf(site: Site, count: number): Promise<RawClient[]> {
  const clients: RawClient[] = []
  for (let index = 0; index < count; index++) clients.push(await RawClient.open(site.port))
  return clients
}

/** What a client is told over its connection. */
async function ask(client: RawClient, path: string): Promise<string> {
  client.text = ''
  client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  const head = await client.until('\r\n\r\n')
  const length = Number(/content-length: (\d+)/i.exec(head)![1])
  while (client.text.split('\r\n\r\n')[1]!.length < length) await client.until(/\r\n\r\n[^]+/)
  return client.text
}

/** Clients, as many with each thread: each is counted before the next one comes. */
async function spreadClients(site: Site, count: number): Promise<RawClient[]> {
  const clients: RawClient[] = []
  while (clients.length < count) {
    const client = await RawClient.open(site.port)
    await ask(client, '/')
    client.text = ''
    clients.push(client)
  }
  return clients
}

const ports = [
  { of: 'its own', pick: freePort },
  { of: 'an owner’s', pick: () => 0 },
]

describe.skipIf(!hasThreads).each([1, 2, 4])('a broker with %i threads', (threads) => {
  test.each(ports)(
    'shares clients of $of sockets out, and gives each request to the owner of its prefix',
    async (port) => {
      await using site = siteOf(threads, {}, await port.pick())
      for (const path of ['/', '/1/', '/2/']) await site.listen(path)
      await site.allThreadsRun()
      const clients = await spreadClients(site, 3 * threads)
      for (const client of clients) {
        expect(await ask(client, '/1/x')).toContain('owner /1/ /1/x')
        expect(await ask(client, '/2/x')).toContain('owner /2/ /2/x')
        expect(await ask(client, '/x')).toContain('owner / /x')
      }
      expect((await site.status()).threads).toEqual(Array.from({ length: threads }, () => ({ connections: 3 })))
    },
  )

  test('has one view of the claims: a newcomer is asked by all of them from the moment in which it listens', async () => {
    await using site = siteOf(threads)
    await site.listen('/')
    await site.allThreadsRun()
    const clients = await clientsOf(site, 3 * threads)
    for (const client of clients) expect(await ask(client, '/1/x')).toContain('owner / /1/x')
    for (let turn = 0; turn < 3; turn++) {
      const newcomer = await site.listen('/1/', 'takeover')
      for (const client of clients) expect(await ask(client, '/1/x')).toContain(`X-Pid: ${newcomer.pid}`)
    }
  })

  test('accepts clients in each of them, from a socket for each, until the port is given back', async () => {
    await using site = siteOf(threads, { HTTPSYS_HOLD_FOR: '0' }, await freePort())
    await site.listen('/')
    const sockets = { tcp: threads, tcp6: threads }
    await expect.poll(() => listeningSockets(site.port)).toEqual(sockets)
    // Where they all run a port has its sockets from the beginning.
    const port = await freePort()
    const other = site.start('/', 'create', { HTTPSYS_BASE: `http://localhost:${port}` })
    await other.next('listening')
    expect(listeningSockets(port)).toEqual(sockets)
    await other.kill()
    await expect.poll(() => listeningSockets(port)).toEqual({})
    expect(listeningSockets(site.port)).toEqual(sockets)
  })

  test('exchanges the sockets of all of them when a port needs other addresses', async () => {
    await using site = siteOf(threads, { HTTPSYS_HOLD_FOR: '0' }, await freePort())
    await site.listen('/')
    const loopback = { tcp: threads, tcp6: threads }
    await expect.poll(() => listeningSockets(site.port)).toEqual(loopback)
    for (let turn = 0; turn < 3; turn++) {
      const wide = site.start('/', 'create', { HTTPSYS_BASE: `http://*:${site.port}` })
      await expect.poll(() => wide.messages).toMatchObject([{ kind: 'listening' }])
      // Those of IPv6 are for both.
      expect(listeningSockets(site.port)).toEqual({ tcp6: threads })
      await wide.kill()
      await expect.poll(() => listeningSockets(site.port)).toEqual(loopback)
    }
  })

  test('counts what a prefix is limited to over all of them', async () => {
    await using site = siteOf(threads, { HTTPSYS_MAX_CONNECTIONS: '3' })
    await site.listen('/')
    await site.allThreadsRun()
    const before = await site.status()
    const clients = await clientsOf(site, 5)
    const statuses: string[] = []
    for (const client of clients) statuses.push((await ask(client, '/x')).slice(9, 12))
    expect(statuses).toEqual(['200', '200', '200', '503', '503'])
    const after = await site.status()
    expect(after.connections).toBe(5)
    expect(after.queues[0]!.requests - before.queues[0]!.requests).toBe(3)
    expect(after.reasons['ConnLimit']! - (before.reasons['ConnLimit'] ?? 0)).toBe(2)
  })

  test.each(ports)('lets no more clients in at $of sockets than they may have together', async (port) => {
    await using site = siteOf(threads, { HTTPSYS_MAX_SERVER_CONNECTIONS: '5' }, await port.pick())
    await site.listen('/')
    await site.allThreadsRun()
    const before = (await site.status()).reasons['Connections_Refused'] ?? 0
    const clients = await clientsOf(site, 25)
    await expect.poll(async () => ((await site.status()).reasons['Connections_Refused'] ?? 0) - before).toBe(20)
    expect((await site.status()).connections).toBe(5)
    const isServed = ({ isClosed, isEnded }: RawClient): boolean => !isClosed && !isEnded
    await expect.poll(() => clients.filter(isServed).length).toBe(5)
    for (const client of clients.filter(isServed)) {
      expect(await ask(client, '/x')).toContain('owner / /x')
      client[Symbol.dispose]()
    }
    // There is room again.
    await expect.poll(async () => (await site.status()).connections).toBe(0)
    const [next] = await clientsOf(site, 1)
    expect(await ask(next!, '/x')).toContain('owner / /x')
  })

  test('lets requests wait in each of them for the next owner', async () => {
    await using site = siteOf(threads, { HTTPSYS_HOLD_FOR: '60000' })
    await site.listen('/')
    const first = await site.listen('/1/')
    await site.allThreadsRun()
    const clients = await clientsOf(site, 2 * threads)
    for (const client of clients) await ask(client, '/1/x')
    await first.kill()
    const asked = clients.map((client) => ask(client, '/1/x'))
    const next = await site.listen('/1/')
    for (const answer of await Promise.all(asked)) expect(answer).toContain(`X-Pid: ${next.pid}`)
  })

  test('turns requests away in each of them when no owner has come in time', async () => {
    await using site = siteOf(threads, { HTTPSYS_HOLD_FOR: '2000' })
    const only = await site.listen('/')
    await site.allThreadsRun()
    await only.kill()
    const clients = await clientsOf(site, 3 * threads)
    for (const answer of await Promise.all(clients.map((client) => ask(client, '/x'))))
      expect(answer).toMatch(/^HTTP\/1.1 503 .*AppOffline: /s)
  })
})

/** A process that has claimed a prefix, with a request that has come to it over its connection to one of two threads. */
class AskedOwner implements Disposable {
  readonly first: RawOwner
  readonly second: RawOwner
  readonly #clients: RawClient[] = []

  private constructor(first: RawOwner, second: RawOwner) {
    this.first = first
    this.second = second
  }

  static async claim(site: Site, path: string): Promise<AskedOwner> {
    const socket = (await currentSocketPath(site.directory))!
    const first = await RawOwner.open(socket)
    const owner = new AskedOwner(first, await RawOwner.open(socket, 'sockets', { ...first.threads!, thread: 1 }))
    await first.claim(`http://localhost:${site.port}${path}`, { settings: { holdFor: 0 } })
    return owner
  }

  /** Asks both threads; returns the client of each, and the request as its thread has told of it. */
  async ask(site: Site, path: string): Promise<{ client: RawClient; request: OwnedRequest }[]> {
    const clients = await spreadClients(site, 2)
    this.#clients.push(...clients)
    for (const [index, client] of clients.entries())
      client.write(`POST ${path}${index} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    const requests = await Promise.all([this.first.request(), this.second.request()])
    return requests.map((request) => ({ client: clients[Number(/\d(?= HTTP)/.exec(request.head)![0])]!, request }))
  }

  [Symbol.dispose](): void {
    this.first.die()
    this.second.die()
    for (const client of this.#clients) client[Symbol.dispose]()
  }
}

describe.skipIf(!hasThreads)('an owner of two threads', () => {
  test.each([
    { ends: 'first', answers: 'second' },
    { ends: 'second', answers: 'first' },
  ] as const)('that ends its connection to the $ends still answers over the $answers', async ({ ends, answers }) => {
    await using site = siteOf(2)
    await site.listen('/')
    await site.allThreadsRun()
    using owner = await AskedOwner.claim(site, '/1/')
    const asked = await owner.ask(site, '/1/x')
    const { client, request } = asked[answers === 'first' ? 0 : 1]!
    owner[answers].beSlowToEnd()
    const ended = owner[ends].end()
    // Both threads know of it.
    await expect.poll(async () => (await site.status()).queues.some(({ prefix }) => prefix.endsWith('/1/'))).toBe(false)
    owner[answers].respond(request.id, 'answered')
    expect(await client.untilEnd()).toMatch(/^HTTP\/1.1 200 .*answered$/s)
    await ended
  })

  test('that breaks the protocol in one has no say in the other any more', async () => {
    await using site = siteOf(2)
    await site.listen('/')
    await site.allThreadsRun()
    using owner = await AskedOwner.claim(site, '/1/')
    const [first, second] = await owner.ask(site, '/1/x')
    owner.second.send({ type: 200 })
    for (const { client } of [first!, second!]) expect(await client.untilEnd()).toMatch(/^HTTP\/1.1 502 /)
    expect((await site.status()).reasons).toMatchObject({ Peer_Violation: 1 })
  })
})

test.skipIf(!hasThreads)('a port that an owner has picked has one socket, which it may keep', async () => {
  await using site = siteOf(3)
  await site.listen('/')
  await site.allThreadsRun()
  expect(listeningSockets(site.port)).toEqual({ tcp: 1, tcp6: 1 })
})

test.skipIf(!hasThreads)('clients of a private port are the first thread’s, whoever accepts them', async () => {
  await using site = siteOf(3)
  await site.listen('/')
  await site.allThreadsRun()
  const port = await freePort()
  using owner = await RawOwner.open((await currentSocketPath(site.directory))!)
  // As one claims again whose broker has died: it hands nothing over any more.
  await owner.claim(`http://localhost:${port}/`, { privatePort: PRIVATE })
  expect(listeningSockets(port)).toEqual({ tcp: 3, tcp6: 3 })
  const clients: RawClient[] = []
  for (let count = 0; count < 9; count++) clients.push(await RawClient.open(port))
  for (const client of clients) {
    // Elsewhere a request names its host.
    client.write('GET /x HTTP/1.1\r\nConnection: close\r\n\r\n')
    owner.respond((await owner.request()).id, 'answered')
    expect(await client.untilEnd()).toMatch(/ 200 .*answered$/s)
  }
})

test.skipIf(!hasThreads)(
  'clients that connect while the broker is replaced are lost by none of its sockets',
  async () => {
    await using site = siteOf(3, {}, await freePort())
    await site.listen('/')
    await site.allThreadsRun()
    let isOver = false
    const loops = Array.from({ length: 8 }, async () => {
      let answers = 0
      for (; !isOver; answers++) {
        using client = await RawClient.open(site.port)
        expect(await ask(client, '/x')).toContain('owner / /x')
      }
      return answers
    })
    const before = listeningSockets(site.port)
    for (let round = 0; round < 3; round++) await site.upgrade()
    isOver = true
    for (const answers of await Promise.all(loops)) expect(answers).toBeGreaterThan(3)
    expect(before).toEqual({ tcp: 3, tcp6: 3 })
    expect(listeningSockets(site.port)).toEqual(before)
  },
)
