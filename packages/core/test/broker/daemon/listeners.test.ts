import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { UrlPrefix } from '../../../src/base/url-prefix.ts'
import { Listeners } from '../../../src/broker/daemon/listeners.ts'
import type { Endpoint, EngineConnection, EngineListener } from '../../../src/broker/engine/engine.ts'
import { openEngine } from '../../../src/broker/engine/open-engine.ts'
import { libc } from '../../../src/sockets/libc.ts'
import { openListeningSocket } from '../../../src/sockets/listening-socket.ts'
import { openSiblings } from '../../../src/sockets/shared-port.ts'
import { freePort } from '../../support/free-port.ts'

const BACKLOG = 128
const interfaces = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
const hasIpv6 = interfaces.some(({ address }) => address === '::1')
/** An address of this machine beyond 127.0.0.1; Linux answers to all of 127.0.0.0/8. */
const otherAddress =
  interfaces.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ??
  (process.platform === 'linux' ? '127.0.0.2' : undefined)
const testWithIpv6 = test.skipIf(!hasIpv6)

type Accepted = { port: number; localPort: number; localAddress: string }

let accepted: Accepted[] = []
let listeners: Listeners
const servers: Server[] = []

function onConnection(connection: EngineConnection, port: number): void {
  accepted.push({ port, localPort: connection.localPort, localAddress: connection.localAddress })
  connection.handler = { onData: () => {}, onEnd: () => connection.destroy(), onDrain: () => {}, onClose: () => {} }
  connection.destroy()
}

beforeEach(() => {
  accepted = []
  listeners = new Listeners(openEngine(process.env['HTTPSYS_ENGINE']).engine, onConnection)
})

afterEach(async () => {
  await listeners.close()
  for (const server of servers.splice(0)) server.close()
})

function prefixOf(host: string, port: number, path = '/'): UrlPrefix {
  return UrlPrefix.parse(`http://${host}:${port}${path}`)
}

async function canConnect(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port })
  const [isConnected] = await Promise.race([
    once(socket, 'connect').then(() => [true]),
    new Promise<[boolean]>((resolve) => socket.once('error', () => resolve([false]))),
  ])
  socket.destroy()
  return isConnected!
}

/** Which of this machine's addresses answer on the port. */
async function answering(port: number): Promise<string[]> {
  const addresses = ['127.0.0.1', ...(hasIpv6 ? ['::1'] : []), ...(otherAddress === undefined ? [] : [otherAddress])]
  const results: string[] = []
  for (const address of addresses) if (await canConnect(address, port)) results.push(address)
  return results
}

const LOOPBACK = ['127.0.0.1', ...(hasIpv6 ? ['::1'] : [])]
const EVERYWHERE = [...LOOPBACK, ...(otherAddress === undefined ? [] : [otherAddress])]

/** Another program on the port. */
async function occupy(host: string, port = 0): Promise<number> {
  const server = createServer().listen({ host, port, ipv6Only: true })
  servers.push(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

describe('a claim binds', () => {
  test('the loopback interface for localhost, and nothing else', async () => {
    const port = await listeners.acquire(prefixOf('localhost', 0))
    expect(await answering(port)).toEqual(LOOPBACK)
  })

  test.each(['*', '+', 'example.com', '*.example.com'])('every address for %s', async (host) => {
    const port = await listeners.acquire(prefixOf(host, 0))
    expect(await answering(port)).toEqual(EVERYWHERE)
  })

  test('one address for an address literal', async () => {
    const port = await listeners.acquire(prefixOf('127.0.0.1', 0))
    expect(await answering(port)).toEqual(['127.0.0.1'])
  })

  testWithIpv6('one IPv6 address for a literal in brackets', async () => {
    const port = await listeners.acquire(prefixOf('[::1]', 0))
    expect(await answering(port)).toEqual(['::1'])
  })

  test('tells of the port that a connection came to', async () => {
    const port = await listeners.acquire(prefixOf('localhost', 0))
    await canConnect('127.0.0.1', port)
    await expect.poll(() => accepted).toEqual([{ port, localPort: port, localAddress: '127.0.0.1' }])
  })

  test('the port that the prefix names', async () => {
    const port = await occupy('127.0.0.1')
    servers.pop()!.close()
    expect(await listeners.acquire(prefixOf('localhost', port))).toBe(port)
    expect([listeners.has(port), await answering(port)]).toEqual([true, LOOPBACK])
  })

  test('another port each time it asks for any', async () => {
    const ports = await Promise.all(['localhost', '*', '127.0.0.1'].map((host) => listeners.acquire(prefixOf(host, 0))))
    expect(new Set(ports).size).toBe(3)
    expect(ports.every((port) => listeners.has(port))).toBe(true)
  })
})

describe('several claims of one port', () => {
  test('widen it to what they need together, and narrow it as they go', async () => {
    const local = prefixOf('localhost', 0, '/a/')
    const port = await listeners.acquire(local)
    expect(await answering(port)).toEqual(LOOPBACK)
    const wide = prefixOf('*', port)
    expect(await listeners.acquire(wide)).toBe(port)
    expect(await answering(port)).toEqual(EVERYWHERE)
    await listeners.release(wide, port)
    expect(await answering(port)).toEqual(LOOPBACK)
    await listeners.release(local, port)
    expect([await answering(port), listeners.has(port)]).toEqual([[], false])
  })

  test('keep it wide when the narrow one goes first', async () => {
    const port = await listeners.acquire(prefixOf('localhost', 0))
    await listeners.acquire(prefixOf('*', port))
    await listeners.release(prefixOf('localhost', port), port)
    expect(await answering(port)).toEqual(EVERYWHERE)
  })

  test('of the same host hold it until the last one goes', async () => {
    const port = await listeners.acquire(prefixOf('localhost', 0, '/a/'))
    await listeners.acquire(prefixOf('localhost', port, '/b/'))
    await listeners.release(prefixOf('localhost', port, '/a/'), port)
    expect(await answering(port)).toEqual(LOOPBACK)
    await listeners.release(prefixOf('localhost', port, '/b/'), port)
    expect(await answering(port)).toEqual([])
  })

  test.runIf(otherAddress !== undefined)('bind each the address that it names', async () => {
    const port = await listeners.acquire(prefixOf('127.0.0.1', 0))
    await listeners.acquire(prefixOf(otherAddress!, port))
    expect(await answering(port)).toEqual(['127.0.0.1', otherAddress])
    await listeners.acquire(prefixOf('localhost', port))
    expect(await answering(port)).toEqual(EVERYWHERE)
    await listeners.release(prefixOf('127.0.0.1', port), port)
    await listeners.release(prefixOf('localhost', port), port)
    expect(await answering(port)).toEqual([otherAddress])
  })

  test('may come and go all at once', async () => {
    const port = await listeners.acquire(prefixOf('localhost', 0))
    const hosts = ['*', 'localhost', '127.0.0.1', 'a.example', '*', 'localhost']
    await Promise.all(
      hosts.flatMap((host) => [
        listeners.acquire(prefixOf(host, port)),
        listeners.release(prefixOf(host, port), port),
        listeners.acquire(prefixOf(host, port)),
      ]),
    )
    expect(await answering(port)).toEqual(EVERYWHERE)
    await Promise.all(hosts.map((host) => listeners.release(prefixOf(host, port), port)))
    expect(await answering(port)).toEqual(LOOPBACK)
  })
})

describe('a port of another program', () => {
  test.each(['localhost', '127.0.0.1', '*'])('is refused for %s, by its number', async (host) => {
    const port = await occupy('127.0.0.1')
    await expect(listeners.acquire(prefixOf(host, port))).rejects.toMatchObject({
      code: 'EADDRINUSE',
      syscall: 'listen',
      subject: `port ${port}`,
      reason: 'another program listens on this TCP port',
      message: expect.stringContaining(`listen EADDRINUSE port ${port}: `) as string,
    })
    expect(listeners.has(port)).toBe(false)
  })

  testWithIpv6('leaves nothing bound when only a part of it is taken', async () => {
    const port = await occupy('::1')
    await expect(listeners.acquire(prefixOf('localhost', port))).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(await canConnect('127.0.0.1', port)).toBe(false)
  })

  test.runIf(otherAddress !== undefined)('does not take from the claims that are there', async () => {
    const port = await listeners.acquire(prefixOf('localhost', 0))
    await occupy(otherAddress!, port)
    await expect(listeners.acquire(prefixOf('*', port))).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(await answering(port)).toEqual(EVERYWHERE)
    servers.pop()!.close()
    expect(await answering(port)).toEqual(LOOPBACK)
    await listeners.acquire(prefixOf('*', port))
    expect(await answering(port)).toEqual(EVERYWHERE)
  })

  test('can be claimed as soon as the program has gone', async () => {
    const port = await occupy('127.0.0.1')
    await expect(listeners.acquire(prefixOf('localhost', port))).rejects.toThrow('Stop that program')
    servers.pop()!.close()
    expect(await listeners.acquire(prefixOf('localhost', port))).toBe(port)
  })

  test('with an address that is not of this machine is an error that says so', async () => {
    await expect(listeners.acquire(prefixOf('192.0.2.1', 0))).rejects.toMatchObject({
      code: 'EINVAL',
      reason: 'the operating system refuses to listen (EADDRNOTAVAIL)',
      remedy: expect.stringContaining('belong to this machine') as string,
    })
  })
})

describe('release', () => {
  test('frees the port at once for other programs, also while clients are connected', async () => {
    const port = await listeners.acquire(prefixOf('localhost', 0))
    const client = connect({ host: '127.0.0.1', port })
    await once(client, 'connect')
    await listeners.release(prefixOf('localhost', port), port)
    await occupy('127.0.0.1', port)
    client.destroy()
  })

  test('frees the port at once for the same claim, again and again', async () => {
    const port = await listeners.acquire(prefixOf('*', 0))
    for (let round = 0; round < 20; round++) {
      await listeners.release(prefixOf('*', port), port)
      expect(await listeners.acquire(prefixOf('*', port))).toBe(port)
    }
    expect(await answering(port)).toEqual(EVERYWHERE)
  })

  test('of what nobody holds does nothing', async () => {
    const port = await listeners.acquire(prefixOf('localhost', 0))
    await listeners.release(prefixOf('*', port), port)
    await listeners.release(prefixOf('localhost', 1), 1)
    expect(await answering(port)).toEqual(LOOPBACK)
  })
})

test('close stops listening everywhere, and can be called twice', async () => {
  const ports = await Promise.all(['localhost', '*', '127.0.0.1'].map((host) => listeners.acquire(prefixOf(host, 0))))
  await listeners.close()
  await listeners.close()
  for (const port of ports) expect([await answering(port), listeners.has(port)]).toEqual([[], false])
})

test.each([
  ['localhost', '127.0.0.1', 'IPv4'],
  ['127.9.9.9', '127.9.9.9', 'IPv4'],
  ['[::1]', '::1', 'IPv6'],
  ['*', '::', 'IPv6'],
  ['example.com', '::', 'IPv6'],
] as const)('addressOf shows %s as %s', (host, address, family) => {
  expect(Listeners.addressOf(prefixOf(host, 80))).toEqual({ address, family })
})

test.skipIf(process.platform !== 'linux')(
  'all sockets of an address are inherited, also by fewer threads than there were',
  async () => {
    const library = libc()!
    const target = { host: '127.0.0.1', port: await freePort(), ipv6Only: true }
    const first = openListeningSocket(library, target, BACKLOG).descriptor
    const descriptors = [first, ...openSiblings(library, first, target, BACKLOG, 3)]
    await listeners.inherit([{ descriptors, isSecure: false }], [prefixOf('127.0.0.1', target.port)])
    // The lot misses one of four sockets once in a million million runs.
    for (let client = 0; client < 100; client++) expect(await canConnect('127.0.0.1', target.port)).toBe(true)
    await expect.poll(() => accepted.length).toBe(100)
    expect(listeners.inheritance).toMatchObject([{ descriptors: { length: 4 }, isSecure: false }])
    expect(listeners.socketCount).toBe(4)
    await listeners.close()
    expect(listeners.socketCount).toBe(0)
    expect(await canConnect('127.0.0.1', target.port)).toBe(false)
  },
)

describe('what the kernel seldom does', () => {
  type Binding = { host: string; port: number }

  /** An engine on which `fail` decides: a code is an error, 0 is success. */
  function fakeEngine(fail: (binding: Binding) => string | undefined, pick: () => number = () => 50_000) {
    const bound: Binding[] = []
    const listen = async (endpoint: Endpoint): Promise<EngineListener> => {
      if (endpoint.kind !== 'tcp') throw new Error('not a port')
      const binding = { host: endpoint.host, port: endpoint.port === 0 ? pick() : endpoint.port }
      const isTaken = bound.some(({ host, port }) => port === binding.port && host === binding.host)
      const code = isTaken ? 'EADDRINUSE' : fail(binding)
      await Promise.resolve()
      if (code !== undefined) throw Object.assign(new Error(code), { code })
      bound.push(binding)
      return {
        address: binding.host,
        port: binding.port,
        descriptor: -1,
        close: async () => {
          await Promise.resolve()
          bound.splice(bound.indexOf(binding), 1)
        },
      }
    }
    const hosts = (port: number): string[] => bound.filter((binding) => binding.port === port).map(({ host }) => host)
    return { listeners: new Listeners({ name: 'net', listen }, onConnection), bound, hosts }
  }

  const withoutIpv6 = ({ host }: Binding): string | undefined => (host.includes(':') ? 'EAFNOSUPPORT' : undefined)

  test.each(['EADDRNOTAVAIL', 'EAFNOSUPPORT'])('without IPv6 (%s) localhost and * are IPv4 only', async (code) => {
    for (const port of [0, 50_000]) {
      const engine = fakeEngine((binding) => withoutIpv6(binding) && code)
      await engine.listeners.acquire(prefixOf('localhost', port))
      expect(engine.hosts(50_000)).toEqual(['127.0.0.1'])
      await engine.listeners.acquire(prefixOf('*', 50_000))
      expect(engine.hosts(50_000)).toEqual(['0.0.0.0'])
      await engine.listeners.release(prefixOf('*', 50_000), 50_000)
      expect(engine.hosts(50_000)).toEqual(['127.0.0.1'])
      await engine.listeners.release(prefixOf('localhost', 50_000), 50_000)
      expect(engine.bound).toEqual([])
      await engine.listeners.acquire(prefixOf('*', port))
      expect(engine.hosts(50_000)).toEqual(['0.0.0.0'])
    }
  })

  test('without IPv6 a claim of an IPv6 address is refused', async () => {
    for (const [host, port] of [
      ['[::1]', 0],
      ['[::1]', 80],
      ['[2001:db8::1]', 80],
    ] as const) {
      const engine = fakeEngine(withoutIpv6)
      await expect(engine.listeners.acquire(prefixOf(host, port))).rejects.toMatchObject({ code: 'EINVAL' })
      expect([engine.bound, engine.listeners.has(port)]).toEqual([[], false])
    }
  })

  test.each(['EACCES', 'EPERM'])('a port that this user may not have (%s) is named', async (code) => {
    const engine = fakeEngine(() => code)
    await expect(engine.listeners.acquire(prefixOf('*', 80))).rejects.toMatchObject({
      code: 'EACCES',
      subject: 'port 80',
      remedy: expect.stringContaining('1024') as string,
      cause: expect.objectContaining({ code }) as unknown,
    })
  })

  test('any port is one that is free on every address of the scope', async () => {
    const picks = [50_001, 50_002]
    const engine = fakeEngine(
      ({ host, port }) => (host === '::1' && port === 50_001 ? 'EADDRINUSE' : undefined),
      () => picks.shift()!,
    )
    expect(await engine.listeners.acquire(prefixOf('localhost', 0))).toBe(50_002)
    expect([engine.hosts(50_001), engine.hosts(50_002)]).toEqual([[], ['127.0.0.1', '::1']])
  })

  test('any port is not one that has claims on other addresses', async () => {
    const picks = [50_001, 50_002]
    const engine = fakeEngine(
      () => undefined,
      () => picks.shift()!,
    )
    await engine.listeners.acquire(prefixOf('10.0.0.1', 50_001))
    expect(await engine.listeners.acquire(prefixOf('localhost', 0))).toBe(50_002)
    expect(engine.hosts(50_001)).toEqual(['10.0.0.1'])
    await engine.listeners.release(prefixOf('10.0.0.1', 50_001), 50_001)
    expect(engine.hosts(50_001)).toEqual([])
  })

  test('any port that can not be had for another reason is an error, and nothing stays bound', async () => {
    const engine = fakeEngine(({ host }) => (host === '::1' ? 'EMFILE' : undefined))
    await expect(engine.listeners.acquire(prefixOf('localhost', 0))).rejects.toMatchObject({
      code: 'EINVAL',
      reason: 'the operating system refuses to listen (EMFILE)',
    })
    expect(engine.bound).toEqual([])
  })

  test('an address that is lost while narrowing is no failure of the release, and comes back with the next claim', async () => {
    let isStolen = false
    const engine = fakeEngine(({ host }) => (isStolen && host === '127.0.0.1' ? 'EADDRINUSE' : undefined))
    await engine.listeners.acquire(prefixOf('localhost', 80, '/a/'))
    await engine.listeners.acquire(prefixOf('*', 80))
    isStolen = true
    await engine.listeners.release(prefixOf('*', 80), 80)
    expect(engine.listeners.has(80)).toBe(true)
    isStolen = false
    await engine.listeners.acquire(prefixOf('localhost', 80, '/b/'))
    expect(engine.hosts(80)).toEqual(['127.0.0.1', '::1'])
  })

  test('a claim that fails while others are lost is told the reason of its own failure', async () => {
    let isStolen = false
    const engine = fakeEngine(({ host }) => {
      if (host === '::') return 'EACCES'
      return isStolen ? 'EADDRINUSE' : undefined
    })
    await engine.listeners.acquire(prefixOf('localhost', 80))
    isStolen = true
    await expect(engine.listeners.acquire(prefixOf('*', 80))).rejects.toMatchObject({ code: 'EACCES' })
    isStolen = false
    await engine.listeners.acquire(prefixOf('127.0.0.1', 80))
    expect(engine.hosts(80)).toEqual(['127.0.0.1', '::1'])
  })
})
