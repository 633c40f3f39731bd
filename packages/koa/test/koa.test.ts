import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import Koa from 'koa'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startBroker } from '../../core/test/support/broker-fixture.ts'
import type { BrokerFixture } from '../../core/test/support/broker-fixture.ts'
import httpsys from '../src/index.ts'

let fixture: BrokerFixture
const servers: Server[] = []

beforeAll(async () => {
  fixture = await startBroker()
})
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close()
    await once(server, 'close')
  }
})
afterAll(async () => {
  expect(fixture.violations).toEqual([])
  await fixture.close()
})

async function mount(app: Koa, options: { strip?: boolean } = {}): Promise<string> {
  const server = app.listen(httpsys.prefix('http://localhost:0/k/', options))
  servers.push(server)
  await once(server, 'listening')
  return `http://localhost:${(server.address() as AddressInfo).port}/k`
}

const describeContext: Koa.Middleware = (ctx) => {
  const { url, path, originalUrl, ip, query } = ctx
  const { mountPath } = ctx as unknown as { mountPath?: string }
  ctx.body = { url, path, originalUrl, mountPath, ip, query, whole: ctx.request.originalUrl }
}

test('an unmodified app sees URLs as if it were mounted at the prefix', async () => {
  const app = new Koa()
  app.use(describeContext)
  expect(await (await fetch(`${await mount(app)}/a/b?c=d`)).json()).toEqual({
    url: '/a/b?c=d',
    path: '/a/b',
    originalUrl: '/k/a/b?c=d',
    whole: '/k/a/b?c=d',
    mountPath: '/k',
    ip: '127.0.0.1',
    query: { c: 'd' },
  })
})

test('strip: false, and TCP beside it, leave URLs alone', async () => {
  const app = new Koa()
  app.use(describeContext)
  const whole = { url: '/k/a', originalUrl: '/k/a' }
  expect(await (await fetch(`${await mount(app, { strip: false })}/a`)).json()).toMatchObject(whole)
  const tcp = app.listen(0)
  servers.push(tcp)
  const response = await fetch(`http://localhost:${(tcp.address() as AddressInfo).port}/k/a`, {
    headers: { connection: 'close' },
  })
  expect(await response.json()).toMatchObject(whole)
})

test('streams, errors, empty bodies and a response of the app’s own work', async () => {
  const app = new Koa()
  app.silent = true
  app.use(async (ctx) => {
    await Promise.resolve()
    if (ctx.path === '/stream') ctx.body = Readable.from(['a', 'b', 'c'])
    else if (ctx.path === '/throw') ctx.throw(418, 'short and stout')
    else if (ctx.path === '/none') ctx.status = 204
    else if (ctx.path === '/own') {
      ctx.respond = false
      ctx.res.end('own')
    }
  })
  const base = await mount(app)
  expect(await (await fetch(`${base}/stream`)).text()).toBe('abc')
  const thrown = await fetch(`${base}/throw`)
  expect([thrown.status, await thrown.text()]).toEqual([418, 'short and stout'])
  expect((await fetch(`${base}/none`)).status).toBe(204)
  expect(await (await fetch(`${base}/own`)).text()).toBe('own')
  expect((await fetch(`${base}/stream`, { method: 'HEAD' })).status).toBe(200)
  expect((await fetch(`${base}/missing`)).status).toBe(404)
})
