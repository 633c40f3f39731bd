import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import Koa3 from 'koa'
import type { ParameterizedContext } from 'koa'
import { describe, expect, test } from 'vitest'
import { mount, useBroker, versions } from './support/mount.ts'

useBroker()

/** What an app tells its `'error'` listeners. */
type Reported = [Error, ParameterizedContext]

describe.each(versions)('responses of %s', (_version, Koa) => {
  test.each([
    ['a string', 'grüße', 'text/plain; charset=utf-8', 'grüße'],
    ['HTML', '<p>', 'text/html; charset=utf-8', '<p>'],
    ['an object', { a: 1 }, 'application/json; charset=utf-8', '{"a":1}'],
    ['bytes', Buffer.from('bytes'), 'application/octet-stream', 'bytes'],
    [
      'a stream',
      Readable.from([Buffer.from('a'), Buffer.from('b')], { objectMode: false }),
      'application/octet-stream',
      'ab',
    ],
  ])('send %s', async (_what, body, type, expected) => {
    const app = new Koa().use((ctx) => void (ctx.body = body))
    const response = await fetch(await mount(app))
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      200,
      type,
      expected,
    ])
  })

  test('have no body for 204, 304 and HEAD, and are 404 when nobody answers', async () => {
    const app = new Koa().use((ctx) => {
      if (ctx.path === '/none') ctx.status = 204
      else if (ctx.path === '/cached') {
        ctx.body = 'cached'
        ctx.etag = 'v1'
        if (ctx.fresh) ctx.status = 304
      }
    })
    const base = await mount(app)
    expect((await fetch(`${base}/none`)).status).toBe(204)
    const head = await fetch(`${base}/cached`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '6', ''])
    const again = await fetch(`${base}/cached`, { headers: { 'If-None-Match': '"v1"', 'Cache-Control': 'max-age=0' } })
    expect([again.status, await again.text()]).toEqual([304, ''])
    const missing = await fetch(`${base}/missing`)
    expect([missing.status, await missing.text()]).toEqual([404, 'Not Found'])
  })

  test('of a stream end when the client leaves, and the stream with it', async () => {
    const endless = new PassThrough()
    const app = new Koa().use((ctx) => void (ctx.body = endless))
    app.silent = true
    const leave = new AbortController()
    endless.write('first')
    const response = await fetch(await mount(app), { signal: leave.signal })
    await response.body!.getReader().read()
    const closed = once(endless, 'close')
    leave.abort()
    await closed
  })

  test('are the app’s own work with ctx.respond = false', async () => {
    const app = new Koa().use((ctx) => {
      ctx.respond = false
      ctx.res.writeHead(201, { 'X-Own': 'yes' })
      ctx.res.write('own ')
      setImmediate(() => ctx.res.end('work'))
    })
    const response = await fetch(await mount(app))
    expect([response.status, response.headers.get('x-own'), await response.text()]).toEqual([201, 'yes', 'own work'])
  })

  test('redirect as they are told: a path leaves the prefix unless mountPath is put in front', async () => {
    const app = new Koa().use((ctx) => {
      if (ctx.path === '/relative') ctx.redirect('login')
      else if (ctx.path === '/within') ctx.redirect(`${ctx['mountPath']}/login`)
      else ctx.redirect('/login')
    })
    const base = await mount(app)
    const locationOf = async (path: string) =>
      (await fetch(base + path, { redirect: 'manual' })).headers.get('location')
    expect(await locationOf('/relative')).toBe('login')
    expect(await locationOf('/within')).toBe('/k/login')
    expect(await locationOf('/absolute')).toBe('/login')
  })

  test('set cookies, for the whole origin unless a path is given', async () => {
    const app = new Koa({ keys: ['secret'] }).use((ctx) => {
      ctx.cookies.set('all', '1').set('own', '2', { path: ctx['mountPath'] as string, signed: true })
      ctx.body = String(ctx.cookies.get('mine'))
    })
    const response = await fetch(await mount(app), { headers: { Cookie: 'mine=3' } })
    expect(response.headers.getSetCookie()).toEqual([
      'all=1; path=/; httponly',
      'own=2; path=/k; httponly',
      expect.stringMatching(/^own\.sig=.+; path=\/k; httponly$/),
    ])
    expect(await response.text()).toBe('3')
  })

  test('to large bodies are read with backpressure', async () => {
    const app = new Koa().use(async (ctx) => void (ctx.body = String((await text(ctx.req)).length)))
    const response = await fetch(await mount(app), { method: 'POST', body: 'x'.repeat(3_000_000) })
    expect(await response.text()).toBe('3000000')
  })
})

describe.each(versions)('errors in %s', (_version, Koa) => {
  test('are answered as ctx.throw says, and in no more detail than it allows', async () => {
    const app = new Koa().use(async (ctx) => {
      await Promise.resolve()
      if (ctx.path === '/exposed') ctx.throw(418, 'short and stout', { headers: { 'X-Pot': 'tea' } })
      if (ctx.path === '/denied') ctx.throw(401, 'who are you')
      throw new Error('secret')
    })
    app.silent = true
    const base = await mount(app)
    const exposed = await fetch(`${base}/exposed`)
    expect([exposed.status, exposed.headers.get('x-pot'), await exposed.text()]).toEqual([
      418,
      'tea',
      'short and stout',
    ])
    const denied = await fetch(`${base}/denied`)
    expect([denied.status, await denied.text()]).toEqual([401, 'who are you'])
    const hidden = await fetch(`${base}/other`)
    expect([hidden.status, await hidden.text()]).toEqual([500, 'Internal Server Error'])
  })

  test('reach the listeners of the app with their context', async () => {
    const app = new Koa().use(() => {
      throw new Error('told')
    })
    const reported = once(app, 'error') as Promise<Reported>
    expect((await fetch(`${await mount(app)}/a`)).status).toBe(500)
    const [error, ctx] = await reported
    expect([error.message, ctx.originalUrl]).toEqual(['told', '/k/a'])
  })
})

test('Koa 3 breaks the connection when a stream fails on its way, so that nobody takes the half for the whole', async () => {
  const broken = new PassThrough()
  const app = new Koa3().use((ctx) => void (ctx.body = broken))
  const reported = once(app, 'error') as Promise<Reported>
  const pending = fetch(await mount(app))
  broken.write('half')
  const response = await pending
  broken.destroy(new Error('torn'))
  expect((await reported)[0].message).toBe('torn')
  await expect(response.text()).rejects.toThrow('terminated')
})
