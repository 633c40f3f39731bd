import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import type { IncomingMessage, Server } from 'node:http'
import { text } from 'node:stream/consumers'
import fastify from 'fastify'
import type { FastifyHttpOptions, FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import httpsys from '../src/index.ts'
import { baseOf, closing, deferred, mount, onPort, useBroker, ways } from './support/mount.ts'
import type { Way } from './support/mount.ts'

useBroker()

async function start(way: Way, app: FastifyInstance, prefix = onPort()): Promise<string> {
  await way.listen(closing(app), prefix)
  return baseOf(app)
}

const open = (way: Way, options: FastifyHttpOptions<Server> = {}) => way.create(onPort(), options)

describe.each(ways)('an app on a prefix by %s', (_name, way) => {
  test('sees URLs without the prefix, and the whole one in originalUrl', async () => {
    const app = open(way)
    app.get('/room/:id', (request) => {
      const { url, originalUrl, ip, ips, params, hostname, host, protocol } = request
      return { url, originalUrl, ip, ips, params, hostname, host, protocol, routeUrl: request.routeOptions.url }
    })
    const base = await start(way, app)
    expect(await (await fetch(`${base}/room/7?x=1`)).json()).toEqual({
      url: '/room/7?x=1',
      originalUrl: '/f/room/7?x=1',
      ip: '127.0.0.1',
      params: { id: '7' },
      hostname: 'localhost',
      host: new URL(base).host,
      protocol: 'http',
      routeUrl: '/room/:id',
    })
  })

  test('sees whole URLs with strip: false', async () => {
    const app = way.create(onPort(), {}, { strip: false })
    app.get('/f/x', (request) => request.originalUrl)
    await way.listen(closing(app), onPort(), { strip: false })
    expect(await (await fetch(`${baseOf(app)}/x`)).text()).toBe('/f/x')
  })

  test('is listening there and nowhere else, and says so', async () => {
    const app = open(way)
    const heard: string[] = []
    app.addHook('onListen', async () => void heard.push('onListen'))
    const base = await start(way, app)
    const { port } = new URL(base)
    expect(app.addresses()).toEqual([
      { address: '127.0.0.1', family: 'IPv4', port: Number(port), prefix: `http://localhost:${port}/f/` },
    ])
    expect(app.server.listening).toBe(true)
    expect(heard).toEqual(['onListen'])
    await expect(app.listen()).rejects.toMatchObject({ code: 'FST_ERR_REOPENED_SERVER' })
  })

  test('is reached by IPv6 too, as localhost says', async () => {
    const app = open(way)
    app.get('/', (request) => request.ip)
    const port = Number(new URL(await start(way, app)).port)
    const outgoing = httpRequest({ host: '::1', port, path: '/f/', agent: false }).end()
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    expect(await text(response)).toBe('::1')
  })

  test('a taken prefix rejects listen with its name, and listen can be tried again', async () => {
    const holder = open(way)
    const base = await start(way, holder)
    const prefix = onPort(Number(new URL(base).port))
    const second = closing(way.create(prefix))
    second.get('/', () => 'second')
    await expect(way.listen(second, prefix)).rejects.toMatchObject({ code: 'EADDRINUSE', subject: prefix })
    await holder.close()
    await way.listen(second, prefix)
    expect(await (await fetch(base)).text()).toBe('second')
  })

  test('gives the prefix back when it is closed', async () => {
    const holder = open(way)
    const prefix = onPort(Number(new URL(await start(way, holder)).port))
    await holder.close()
    const heir = way.create(prefix)
    heir.get('/', () => 'heir')
    expect(await (await fetch(await start(way, heir, prefix))).text()).toBe('heir')
  })

  test.each<[boolean | 'idle' | undefined, string]>([
    [undefined, 'is answered'],
    ['idle', 'is answered'],
    [false, 'is answered'],
    [true, 'is broken off'],
  ])('closed with forceCloseConnections %j, what is under way %s', async (forceCloseConnections, outcome) => {
    const app = open(way, forceCloseConnections === undefined ? {} : { forceCloseConnections })
    const arrived = deferred()
    const goOn = deferred()
    app.get('/slow', async () => {
      arrived.resolve()
      await goOn.promise
      return 'answered'
    })
    const base = await start(way, app)
    // Without it the port would be closed with its only prefix.
    await closing(fastify()).listen(httpsys.prefix(`${base}/neighbour/`))
    const outgoing = httpRequest(`${base}/slow`, { agent: false }).end()
    const result = once(outgoing, 'response').then(
      async ([response]) => await text(response as IncomingMessage),
      (error: NodeJS.ErrnoException) => error.code,
    )
    await arrived.promise
    const closed = app.close()
    // A request that arrives now finds nobody.
    await expect.poll(async () => (await fetch(`${base}/slow`)).status).toBe(404)
    if (outcome === 'is answered') goOn.resolve()
    expect(await result).toBe(outcome === 'is answered' ? 'answered' : 'ECONNRESET')
    goOn.resolve()
    await closed
  })

  test('answers 503 while its preClose hooks run', async () => {
    const app = open(way)
    app.get('/', () => 'open')
    const isClosing = deferred()
    const goOn = deferred()
    app.addHook('preClose', async () => {
      isClosing.resolve()
      await goOn.promise
    })
    const base = await start(way, app)
    const closed = app.close()
    await isClosing.promise
    expect((await fetch(base)).status).toBe(503)
    goOn.resolve()
    await closed
  })

  test('can be injected into, listening or not', async () => {
    const app = closing(open(way))
    app.post('/json', (request) => ({ got: request.body, url: request.url, originalUrl: request.originalUrl }))
    const inject = async () => (await app.inject({ method: 'POST', url: '/json', payload: { a: 1 } })).json<unknown>()
    const expected = { got: { a: 1 }, url: '/json', originalUrl: '/json' }
    expect(await inject()).toEqual(expected)
    await way.listen(app, onPort())
    expect(await inject()).toEqual(expected)
  })
})

test('apps in one process, on prefixes and on TCP, do not disturb each other', async () => {
  const create = (name: string) => fastify().get('/', (request) => `${name} ${request.originalUrl}`)
  const base = await mount(create('one'))
  await closing(create('two')).listen(httpsys.prefix(`${base}/two/`))
  const tcp = await closing(create('tcp')).listen({ port: 0 })
  const texts = [base, `${base}/two/`, tcp].map(async (url) => (await fetch(url)).text())
  expect(await Promise.all(texts)).toEqual(['one /f', 'two /f/two/', 'tcp /'])
})
