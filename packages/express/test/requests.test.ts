import { describe, expect, test } from 'vitest'
import { get, listenOnTcp, mount, useBroker, versions } from './support/mount.ts'

useBroker()

const FORWARDED = {
  'X-Forwarded-For': '203.0.113.7, 198.51.100.9',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'shop.example:8443',
}

describe.each(versions)('requests of %s', (_version, express) => {
  test.each([
    ['nobody', false, { protocol: 'http', secure: false, ip: '127.0.0.1', ips: [], hostname: 'localhost' }],
    [
      'loopback',
      'loopback',
      { protocol: 'https', secure: true, ip: '198.51.100.9', ips: ['198.51.100.9'], hostname: 'shop.example' },
    ],
    ['everybody', true, { ip: '203.0.113.7', ips: ['203.0.113.7', '198.51.100.9'], secure: true }],
  ])('tell where they come from when %s is trusted, the same as on TCP', async (_who, trust, expected) => {
    const app = express()
    app.set('trust proxy', trust)
    app.get('/', (req, res) => {
      const { protocol, secure, ip, ips, hostname } = req
      // On TCP the address of an IPv4 client is an IPv6 one when Node listens on both.
      res.json({ protocol, secure, ip: ip?.replace('::ffff:', ''), ips, hostname })
    })
    const seen: unknown[] = []
    for (const url of [await mount(app), await listenOnTcp(app)]) {
      const response = await get(url, FORWARDED)
      seen.push(JSON.parse(Buffer.concat(await response.toArray()).toString()))
    }
    expect(seen[0]).toMatchObject(expected)
    expect(seen[0]).toEqual(seen[1])
  })

  test('carry bodies that express.json, urlencoded, text and raw read', async () => {
    const app = express()
    app.post(
      '/',
      express.json({ limit: '1kb' }),
      express.urlencoded({ extended: true }),
      express.text(),
      express.raw(),
      (req, res) => void res.json({ body: req.body }),
    )
    const base = await mount(app)
    const post = (body: string, type: string) =>
      fetch(base, { method: 'POST', body, headers: { 'content-type': type } })
    expect(await (await post('{"a":[1]}', 'application/json')).json()).toEqual({ body: { a: [1] } })
    expect(await (await post('a[b]=1', 'application/x-www-form-urlencoded')).json()).toEqual({
      body: { a: { b: '1' } },
    })
    expect(await (await post('grüße', 'text/plain')).json()).toEqual({ body: 'grüße' })
    expect(await (await post('ab', 'application/octet-stream')).json()).toEqual({
      body: { type: 'Buffer', data: [97, 98] },
    })
    expect((await post('{"a"', 'application/json')).status).toBe(400)
    expect((await post(JSON.stringify('x'.repeat(2000)), 'application/json')).status).toBe(413)
  })

  test('can be asked for what they accept, and whether they are fresh', async () => {
    const app = express().get('/', (req, res) => {
      res.set('ETag', '"v1"')
      res.json({ type: req.accepts(['json', 'html']), ajax: req.xhr, fresh: req.fresh, range: req.range(100) })
    })
    const response = await get(await mount(app), {
      Accept: 'text/html',
      'X-Requested-With': 'XMLHttpRequest',
      Range: 'bytes=0-9',
    })
    expect(JSON.parse(Buffer.concat(await response.toArray()).toString())).toMatchObject({
      type: 'html',
      ajax: true,
      fresh: false,
      range: [{ start: 0, end: 9 }],
    })
    expect((await get(await mount(app), { 'If-None-Match': '"v1"' })).statusCode).toBe(304)
  })
})
