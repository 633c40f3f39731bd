import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { Readable } from 'node:stream'
import fastify from 'fastify'
import { expect, test } from 'vitest'
import httpsys from '../src/index.ts'
import { closing, mount, onPort, useBroker } from './support/mount.ts'

useBroker()

test('hooks run in their order, for an answer and for an error', async () => {
  const app = fastify()
  const hooks: string[] = []
  const note = (name: string) => async () => void hooks.push(name)
  app.addHook('onRequest', note('onRequest'))
  app.addHook('preParsing', note('preParsing'))
  app.addHook('preValidation', note('preValidation'))
  app.addHook('preHandler', note('preHandler'))
  app.addHook('preSerialization', note('preSerialization'))
  app.addHook('onSend', note('onSend'))
  app.addHook('onError', note('onError'))
  app.addHook('onResponse', note('onResponse'))
  app.post('/fine', (request) => request.body)
  app.post('/failed', () => Promise.reject(new Error('failed')))
  const base = await mount(app)
  const before = ['onRequest', 'preParsing', 'preValidation', 'preHandler']
  const post = (path: string) =>
    fetch(base + path, { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } })
  expect(await (await post('/fine')).json()).toEqual({ a: 1 })
  await expect.poll(() => hooks).toEqual([...before, 'preSerialization', 'onSend', 'onResponse'])
  hooks.length = 0
  const failed = await post('/failed')
  expect([failed.status, await failed.json()]).toEqual([
    500,
    { statusCode: 500, error: 'Internal Server Error', message: 'failed' },
  ])
  await expect.poll(() => hooks).toEqual([...before, 'onError', 'onSend', 'onResponse'])
})

test('onRequestAbort tells of a client that leaves', async () => {
  const app = fastify()
  const aborted = new Promise<string>((resolve) => {
    app.addHook('onRequestAbort', async (request) => resolve(request.originalUrl))
  })
  const arrived = new Promise<void>((resolve) => {
    app.get('/slow', async (_request, reply) => {
      resolve()
      await once(reply.raw, 'close')
      return reply
    })
  })
  const outgoing = httpRequest(`${await mount(app)}/slow`, { agent: false }).end()
  outgoing.on('error', () => {})
  await arrived
  outgoing.destroy()
  expect(await aborted).toBe('/f/slow')
})

test('an app that retires has given its prefix away before it closes: no request meets one that answers 503', async () => {
  const next = closing(fastify())
  next.get('/', () => 'next')
  const app = fastify()
  const closed = new Promise<void>((resolve) => app.addHook('onClose', async () => resolve()))
  // From before this on Fastify takes no more requests.
  app.addHook('preClose', async () => void (await next.listen(httpsys.prefix(onPort(Number(new URL(base).port))))))
  app.get('/', () => 'first')
  const base = await mount(app)
  expect(await (await fetch(`${base}/`)).text()).toBe('first')
  httpsys.retire(app)
  await closed
  expect(await (await fetch(`${base}/`)).text()).toBe('next')
})

test('schemas, bad bodies, limits and unknown routes are answered by Fastify', async () => {
  const app = fastify({ bodyLimit: 1000 })
  const schema = { body: { type: 'object', required: ['a'], properties: { a: { type: 'number' } } } }
  app.post('/json', { schema }, (request) => request.body)
  const base = await mount(app)
  const post = async (body: string, type = 'application/json') => {
    const response = await fetch(`${base}/json`, { method: 'POST', body, headers: { 'content-type': type } })
    return [response.status, ((await response.json()) as { code?: string }).code]
  }
  expect(await post('{"a":1}')).toEqual([200, undefined])
  expect(await post('{"b":1}')).toEqual([400, 'FST_ERR_VALIDATION'])
  expect(await post('{"b"')).toEqual([400, 'FST_ERR_CTP_INVALID_JSON_BODY'])
  expect(await post(`"${'x'.repeat(2000)}"`)).toEqual([413, 'FST_ERR_CTP_BODY_TOO_LARGE'])
  expect(await post('a', 'image/png')).toEqual([415, 'FST_ERR_CTP_INVALID_MEDIA_TYPE'])
  const missing = await fetch(`${base}/missing`)
  expect([missing.status, await missing.json()]).toMatchObject([404, { message: 'Route GET:/missing not found' }])
})

test('streams, hijacked replies, trailers, redirects and HEAD', async () => {
  const app = fastify()
  app.get('/stream', (_request, reply) => reply.send(Readable.from([Buffer.from('a'), Buffer.from('b')])))
  app.get('/web', () => new Response('web', { status: 202, headers: { 'X-Web': 'yes' } }))
  app.get('/hijacked', (_request, reply) => {
    reply.hijack()
    reply.raw.end('by hand')
  })
  app.get('/relative', (_request, reply) => reply.redirect('login'))
  app.get('/absolute', (_request, reply) => reply.redirect('/login', 303))
  const base = await mount(app)
  expect(await (await fetch(`${base}/stream`)).text()).toBe('ab')
  const web = await fetch(`${base}/web`)
  expect([web.status, web.headers.get('x-web'), await web.text()]).toEqual([202, 'yes', 'web'])
  expect(await (await fetch(`${base}/hijacked`)).text()).toBe('by hand')
  const head = await fetch(`${base}/stream`, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
  const redirect = async (path: string) => {
    const response = await fetch(base + path, { redirect: 'manual' })
    return [response.status, response.headers.get('location')]
  }
  expect(await redirect('/relative')).toEqual([302, 'login'])
  expect(await redirect('/absolute')).toEqual([303, '/login'])
})

test('trustProxy believes what a proxy in front of the port says', async () => {
  const app = fastify({ trustProxy: true })
  app.get('/', ({ ip, ips, protocol, host }) => ({ ip, ips, protocol, host }))
  const headers = {
    'X-Forwarded-For': '203.0.113.7, 198.51.100.9',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': 'shop.example',
  }
  expect(await (await fetch(await mount(app), { headers })).json()).toEqual({
    ip: '203.0.113.7',
    ips: ['127.0.0.1', '198.51.100.9', '203.0.113.7'],
    protocol: 'https',
    host: 'shop.example',
  })
})
