import { HttpSysError } from '@httpsys/core'
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import type { FastifyHttpOptions, FastifyInstance } from 'fastify'
import type { Server } from 'node:http'
import { describe, expect, test } from 'vitest'
import httpsys from '../src/index.ts'
import { baseOf, closing, onPort, useBroker, ways } from './support/mount.ts'

useBroker()

const [, ...waysByPort] = ways

describe.each(waysByPort)('listen of an app with %s', (_name, way) => {
  test.each([
    ['nothing', undefined],
    ['a port', { port: 3000 }],
    ['a host', { port: 0, host: '0.0.0.0' }],
    ['localhost', { port: 0, host: 'localhost' }],
  ])('given %s claims the prefix and nothing else', async (_what, options) => {
    const app = closing(way.create(onPort()))
    app.get('/', () => 'here')
    const address = await app.listen(options)
    const base = baseOf(app)
    expect(address).toBe(new URL(base).origin.replace('localhost', '127.0.0.1'))
    expect(await (await fetch(base)).text()).toBe('here')
    expect(app.addresses()).toHaveLength(1)
  })

  test.each([
    ['a promise', (app: FastifyInstance) => app.listen()],
    [
      'a callback',
      (app: FastifyInstance) =>
        new Promise<void>((resolve, reject) => {
          app.listen({ port: 0 }, (error) => (error === null ? resolve() : reject(error)))
        }),
    ],
  ])('by %s leaves to the prefix which addresses are bound', async (_how, listen) => {
    // By itself Fastify listens on all addresses of localhost.
    const app = closing(way.create('http://[::1]:0/f/'))
    await listen(app)
    const { port } = app.server.address() as AddressInfo
    expect(app.addresses()).toMatchObject([{ address: '::1', port }])
    await expect(fetch(`http://127.0.0.1:${port}/f/`)).rejects.toThrow('fetch failed')
  })

  test('onTimeout runs for a request that takes longer than connectionTimeout', async () => {
    const app = closing(way.create(onPort(), { connectionTimeout: 100 }))
    const timedOut = new Promise<string>((resolve) => {
      app.addHook('onTimeout', async (request) => resolve(request.url))
    })
    app.get('/slow', () => new Promise(() => {}))
    await app.listen()
    await expect(fetch(`${baseOf(app)}/slow`)).rejects.toThrow('fetch failed')
    expect(await timedOut).toMatch(/slow$/)
  })

  test('logs with listenTextResolver, and stops when its signal is aborted', async () => {
    const logged: string[] = []
    const stream = { write: (line: string) => void logged.push((JSON.parse(line) as { msg: string }).msg) }
    const app = closing(way.create(onPort(), { logger: { stream } }))
    const closed = new Promise<void>((resolve) => app.addHook('onClose', async () => resolve()))
    const stop = new AbortController()
    await app.listen({ port: 0, signal: stop.signal, listenTextResolver: (address) => `open at ${address}` })
    expect(logged).toEqual([`open at http://127.0.0.1:${new URL(baseOf(app)).port}`])
    stop.abort()
    await closed
    expect(app.server.listening).toBe(false)
  })

  test('given a prefix of its own claims that one', async () => {
    const app = closing(way.create('http://localhost:0/one/'))
    app.get('/', (request) => request.originalUrl)
    await app.listen(httpsys.prefix('http://localhost:0/two/'))
    expect(await (await fetch(baseOf(app))).text()).toBe('/two')
  })
})

describe('the plugin', () => {
  test('puts its prefix in front of no route, wherever it is registered', async () => {
    const app = closing(fastify())
    app.register(async (child) => {
      child.register(httpsys.plugin, { prefix: onPort() })
      child.get('/child', () => 'child')
    })
    app.register(async (other) => void other.get('/x', () => 'other'), { prefix: '/other' })
    await app.listen()
    expect(app.hasPlugin('@httpsys/fastify')).toBe(false)
    expect(await (await fetch(`${baseOf(app)}/child`)).text()).toBe('child')
    expect(await (await fetch(`${baseOf(app)}/other/x`)).text()).toBe('other')
  })

  test('is known to Fastify by its name', async () => {
    const app = closing(fastify()).register(httpsys.plugin, { prefix: '/f/' })
    await app.ready()
    expect(app.hasPlugin('@httpsys/fastify')).toBe(true)
    expect(app.printPlugins()).toContain('@httpsys/fastify')
  })

  test.each<[string, () => FastifyInstance, Partial<HttpSysError>]>([
    [
      'a prefix that breaks a rule',
      () => fastify().register(httpsys.plugin, { prefix: 'f' }) as never,
      { subject: 'f', remedy: 'Write "/f/".' },
    ],
    ['no prefix', () => fastify().register(httpsys.plugin, {} as never) as never, { subject: 'undefined' }],
    [
      'a second prefix',
      () => fastify().register(httpsys.plugin, { prefix: '/f/' }).register(httpsys.plugin, { prefix: '/g/' }) as never,
      {
        subject: 'http://localhost:8080/g/',
        reason: 'the app has been given the prefix http://localhost:8080/f/ before',
      },
    ],
    [
      'http2',
      () => fastify({ http2: true } as never).register(httpsys.plugin, { prefix: '/f/' }) as never,
      { reason: 'the app has been made with https or http2, but the broker speaks with the clients' },
    ],
  ])('rejects listen with %s', async (_what, create, error) => {
    const app = closing(create())
    await expect(app.listen()).rejects.toMatchObject({ name: 'HttpSysError', code: 'EINVAL', ...error })
  })
})

describe('the server factory', () => {
  const OPTIONS = {
    connectionTimeout: 1234,
    keepAliveTimeout: 2345,
    requestTimeout: 3456,
    maxRequestsPerSocket: 45,
    http: { headersTimeout: 5678, maxHeaderSize: 20_000 },
  } satisfies FastifyHttpOptions<Server>

  test.each<[string, FastifyHttpOptions<Server>]>([
    ['by default', {}],
    ['with options', OPTIONS],
  ])('makes the server that Fastify would have made, %s', (_how, options) => {
    const settingsOf = ({ server }: FastifyInstance) => {
      const { timeout, keepAliveTimeout, requestTimeout, maxRequestsPerSocket, headersTimeout } = server
      return { timeout, keepAliveTimeout, requestTimeout, maxRequestsPerSocket, headersTimeout }
    }
    const app = fastify({ ...options, serverFactory: httpsys.serverFactory('/f/') })
    expect(settingsOf(app)).toEqual(settingsOf(fastify(options)))
  })

  test.each([
    ['https', { https: {} }],
    ['http2', { http2: true }],
  ])('refuses an app with %s', (_what, options) => {
    const create = () => fastify({ ...options, serverFactory: httpsys.serverFactory('/f/') } as never)
    expect(create).toThrow(expect.objectContaining({ code: 'EINVAL', remedy: 'Leave both options out.' }))
  })

  test('names the rule that its prefix breaks', () => {
    expect(() => httpsys.serverFactory('f')).toThrow(HttpSysError)
  })
})
