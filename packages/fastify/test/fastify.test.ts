import { Readable } from 'node:stream'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startBroker } from '../../core/test/support/broker-fixture.ts'
import type { BrokerFixture } from '../../core/test/support/broker-fixture.ts'
import httpsys from '../src/index.ts'

let fixture: BrokerFixture
const apps: FastifyInstance[] = []

beforeAll(async () => {
  fixture = await startBroker()
})
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
})
afterAll(async () => {
  expect(fixture.violations).toEqual([])
  await fixture.close()
})

async function mount(app: FastifyInstance, port = 0): Promise<string> {
  apps.push(app)
  await app.listen(httpsys.prefix(`http://localhost:${port}/f/`))
  return `http://localhost:${(app.server.address() as { port: number }).port}/f`
}

test('an unmodified app sees URLs without the prefix', async () => {
  const app = fastify()
  app.get('/room/:id', (request) => {
    const { url, originalUrl, ip, params, hostname } = request
    return { url, originalUrl, ip, params, hostname }
  })
  expect(await (await fetch(`${await mount(app)}/room/7?x=1`)).json()).toEqual({
    url: '/room/7?x=1',
    originalUrl: '/f/room/7?x=1',
    ip: '127.0.0.1',
    params: { id: '7' },
    hostname: 'localhost',
  })
})

test('bodies, schema errors, streams, hooks, 404 and inject work', async () => {
  const app = fastify()
  const hooks: string[] = []
  app.addHook('onRequest', async (request) => void hooks.push(request.url))
  app.addHook('onResponse', async (_request, reply) => void hooks.push(String(reply.statusCode)))
  const schema = { body: { type: 'object', required: ['a'], properties: { a: { type: 'number' } } } }
  app.post('/json', { schema }, (request) => request.body)
  app.get('/stream', (_request, reply) => reply.send(Readable.from([Buffer.from('a'), Buffer.from('b')])))
  const base = await mount(app)
  const post = (body: string) =>
    fetch(`${base}/json`, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
  expect(await (await post('{"a":1}')).json()).toEqual({ a: 1 })
  expect((await post('{"b":1}')).status).toBe(400)
  expect((await post('{"b"')).status).toBe(400)
  expect(await (await fetch(`${base}/stream`)).text()).toBe('ab')
  expect((await fetch(`${base}/missing`)).status).toBe(404)
  expect((await app.inject({ method: 'POST', url: '/json', payload: { a: 2 } })).json()).toEqual({ a: 2 })
  await expect.poll(() => hooks.slice(0, 2)).toEqual(['/json', '200'])
})

test('close gives the prefix back at once', async () => {
  const holder = fastify()
  const base = await mount(holder)
  const port = Number(new URL(base).port)
  await holder.close()
  const heir = fastify()
  heir.get('/', () => 'heir')
  expect(await (await fetch(await mount(heir, port))).text()).toBe('heir')
})

test('a taken prefix rejects listen with its name', async () => {
  const base = await mount(fastify())
  const second = mount(fastify(), Number(new URL(base).port))
  await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE', subject: `${base}/` })
})
