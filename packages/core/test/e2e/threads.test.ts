import { describe, expect, test } from 'vitest'
import { RawClient } from '../support/raw-client.ts'
import { Site } from './processes.ts'

/** node:net gives no connection to another thread. */
const hasThreads = process.platform === 'linux' && process.env['HTTPSYS_ENGINE'] !== 'net'

function siteOf(threads: number, env: NodeJS.ProcessEnv = {}): Site {
  return new Site(undefined, { HTTPSYS_BROKER_THREADS: String(threads), ...env })
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

describe.skipIf(!hasThreads).each([1, 2, 4])('a broker with %i threads', (threads) => {
  test('shares its clients out among them, and gives each request to the owner of its prefix', async () => {
    await using site = siteOf(threads)
    for (const path of ['/', '/1/', '/2/']) await site.listen(path)
    await site.allThreadsRun()
    const clients = await clientsOf(site, 3 * threads)
    for (const client of clients) {
      expect(await ask(client, '/1/x')).toContain('owner /1/ /1/x')
      expect(await ask(client, '/2/x')).toContain('owner /2/ /2/x')
      expect(await ask(client, '/x')).toContain('owner / /x')
    }
    expect((await site.status()).threads).toEqual(Array.from({ length: threads }, () => ({ connections: 3 })))
  })

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
