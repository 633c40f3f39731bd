import { createServer, request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { json } from 'node:stream/consumers'
import Koa from 'koa'
import Koa2 from 'koa2'
import mountAt from 'koa-mount'
import { describe, expect, test } from 'vitest'
import httpsys from '../src/index.ts'
import { listenOnTcp, mount, mounted, useBroker, versions } from './support/mount.ts'

useBroker()

const describeUrls: Koa.Middleware = (ctx) => {
  const { url, path, originalUrl, query, href, mountPath } = ctx
  ctx.body = { url, path, originalUrl, whole: ctx.request.originalUrl, query, href, mountPath: mountPath as unknown }
}

const jsonOf = async (url: string): Promise<unknown> => (await fetch(url)).json()

describe.each(versions)('contexts of %s', (_version, Koa) => {
  test('of an unmodified app tell URLs as if it were mounted at the prefix', async () => {
    const base = await mount(new Koa().use(describeUrls))
    expect(await jsonOf(`${base}/a/b?c=d`)).toEqual({
      url: '/a/b?c=d',
      path: '/a/b',
      originalUrl: '/k/a/b?c=d',
      whole: '/k/a/b?c=d',
      href: `${base}/a/b?c=d`,
      query: { c: 'd' },
      mountPath: '/k',
    })
    expect(await jsonOf(`${base.replace('/k', '/K')}`)).toMatchObject({ url: '/', originalUrl: '/K', mountPath: '/K' })
  })

  test('leave URLs alone with strip: false, and on TCP beside a prefix', async () => {
    const app = new Koa().use(describeUrls)
    const whole = { url: '/k/a', originalUrl: '/k/a', whole: '/k/a' }
    for (const url of [`${await mount(app, { strip: false })}/a`, `${await listenOnTcp(app)}/k/a`]) {
      const seen = await jsonOf(url)
      expect(seen).toMatchObject(whole)
      expect(seen).not.toHaveProperty('mountPath')
    }
  })

  test('of a prefix for everything have the mount path /', async () => {
    const server = new Koa().use(describeUrls).listen(httpsys.prefix('http://localhost:0/'))
    expect(await jsonOf(`${await mounted(server)}/a`)).toMatchObject({ url: '/a', originalUrl: '/a', mountPath: '/' })
  })

  test('tell the same in an app that is given to a server by hand, and in a subclass', async () => {
    class Shop extends Koa {}
    const callback = new Shop().use(describeUrls).callback()
    const server = createServer((req, res) => void callback(req, res))
    server.listen(httpsys.prefix('http://localhost:0/k/'))
    expect(await jsonOf(`${await mounted(server)}/a`)).toMatchObject({
      url: '/a',
      originalUrl: '/k/a',
      mountPath: '/k',
    })
  })

  test('pass through koa-mount, and come back from it as they were', async () => {
    const inner = new Koa().use(async (ctx, next) => {
      await next()
      const { path, originalUrl, mountPath } = ctx
      ctx.body = { inner: { path, originalUrl, mountPath: mountPath as unknown }, outer: ctx.body }
    })
    const app = new Koa().use(mountAt('/sub', inner)).use(describeUrls)
    expect(await jsonOf(`${await mount(app)}/sub/x`)).toMatchObject({
      inner: { path: '/x', originalUrl: '/k/sub/x', mountPath: '/sub' },
      outer: { path: '/sub/x', originalUrl: '/k/sub/x' },
    })
  })

  test.each([
    ['nobody', false, { ip: '127.0.0.1', ips: [], protocol: 'http', secure: false, hostname: 'localhost' }],
    [
      'proxies',
      true,
      {
        ip: '203.0.113.7',
        ips: ['203.0.113.7', '198.51.100.9'],
        protocol: 'https',
        secure: true,
        hostname: 'shop.example',
      },
    ],
  ])('tell where a request comes from when %s are trusted, the same as on TCP', async (_who, proxy, expected) => {
    const app = new Koa({ proxy }).use((ctx) => {
      const { ip, ips, protocol, secure, hostname } = ctx
      // On TCP the address of an IPv4 client is an IPv6 one when Node listens on both.
      ctx.body = { ip: ip.replace('::ffff:', ''), ips, protocol, secure, hostname }
    })
    const headers = {
      'X-Forwarded-For': '203.0.113.7, 198.51.100.9',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': 'shop.example',
    }
    for (const url of [await mount(app), await listenOnTcp(app)]) {
      const outgoing = httpRequest(url, { headers, agent: false, family: 4 }).end()
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
      expect(await json(response)).toEqual(expected)
    }
  })
})

test('apps of both versions share a process and a port', async () => {
  const base = await mount(new Koa().use(describeUrls))
  const second = new Koa2().use(describeUrls as unknown as Koa2.Middleware)
  const secondBase = await mounted(second.listen(httpsys.prefix(`${base}/two/`)))
  expect(await jsonOf(`${base}/a`)).toMatchObject({ url: '/a', originalUrl: '/k/a', mountPath: '/k' })
  expect(await jsonOf(`${secondBase}/a`)).toMatchObject({ url: '/a', originalUrl: '/k/two/a', mountPath: '/k/two' })
})
