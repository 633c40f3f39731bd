import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { constants, gunzipSync } from 'node:zlib'
import compression from 'compression'
import bodyParser from 'body-parser'
import express from 'express'
import type { Express } from 'express'
import multer from 'multer'
import serveStatic from 'serve-static'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startBroker } from '../../core/test/support/broker-fixture.ts'
import type { BrokerFixture } from '../../core/test/support/broker-fixture.ts'
import httpsys from '../src/index.ts'

let fixture: BrokerFixture
const directory = mkdtempSync(join(tmpdir(), 'httpsys-express-'))
const servers: Server[] = []

beforeAll(async () => {
  fixture = await startBroker()
  mkdirSync(join(directory, 'sub'))
  writeFileSync(join(directory, 'file.txt'), '0123456789')
  writeFileSync(join(directory, 'sub', 'index.html'), '<p>index</p>')
})
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
})
afterAll(async () => {
  expect(fixture.violations).toEqual([])
  await fixture.close()
  rmSync(directory, { recursive: true })
})

/** Starts the app on `/2/` of a free port; returns the URL of the prefix without its final slash. */
async function mount(app: Express, path = '/2/', options: { strip?: boolean } = {}, port = 0): Promise<string> {
  const server = app.listen(httpsys.prefix(`http://localhost:${port}${path}`, options))
  servers.push(server)
  await once(server, 'listening')
  return `http://localhost:${(server.address() as AddressInfo).port}${path.slice(0, -1)}`
}

/** A request without what fetch adds to conditional ones (`Cache-Control: no-cache`). */
async function get(url: string, headers: Record<string, string>): Promise<IncomingMessage> {
  const outgoing = request(url, { headers, agent: false }).end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return response
}

describe('an unmodified app', () => {
  test('sees URLs as if it were mounted at the prefix', async () => {
    const app = express()
    const nested = express.Router()
    nested.get('/b/:id', (req, res) => {
      const { baseUrl, url, originalUrl, path, hostname, ip, protocol, params } = req
      res.json({ baseUrl, url, originalUrl, path, hostname, ip, protocol, params })
    })
    app.use('/a', nested)
    const base = await mount(app)
    expect(await (await fetch(`${base}/a/b/7?x=1`)).json()).toEqual({
      baseUrl: '/2/a',
      url: '/b/7?x=1',
      originalUrl: '/2/a/b/7?x=1',
      path: '/b/7',
      hostname: 'localhost',
      ip: '127.0.0.1',
      protocol: 'http',
      params: { id: '7' },
    })
  })

  test('answers at the prefix itself, with and without the slash', async () => {
    const app = express()
    app.get('/', (req, res) => void res.send(`root ${req.originalUrl}`))
    const base = await mount(app)
    expect(await (await fetch(base)).text()).toBe('root /2')
    expect(await (await fetch(`${base}/?q`)).text()).toBe('root /2/?q')
  })

  test('keeps the whole path with strip: false', async () => {
    const app = express()
    app.get('/2/x', (req, res) => void res.send(`${req.baseUrl}|${req.url}`))
    expect(await (await fetch(`${await mount(app, '/2/', { strip: false })}/x`)).text()).toBe('|/2/x')
  })

  test('shares a process with another, and with itself on TCP', async () => {
    const one = express().get('/', (req, res) => void res.send(`one ${req.baseUrl}`))
    const two = express().get('/', (req, res) => void res.send(`two ${req.baseUrl}`))
    const base = await mount(one, '/1/')
    const second = await mount(two, '/2/', {}, Number(new URL(base).port))
    const tcp = one.listen(0)
    servers.push(tcp)
    await once(tcp, 'listening')
    const texts = [base, second, `http://localhost:${(tcp.address() as AddressInfo).port}/`].map(async (url) =>
      (await fetch(url)).text(),
    )
    expect(await Promise.all(texts)).toEqual(['one /1', 'two /2', 'one '])
  })

  test('redirects, sets cookies, sends JSON, and answers 404, 304, 204 and HEAD', async () => {
    const app = express()
    app.get('/to', (req, res) => res.cookie('a', '1').cookie('b', '2').redirect(`${req.baseUrl}/json`))
    app.get('/json', (_req, res) => void res.json({ fine: true }))
    app.get('/none', (_req, res) => void res.status(204).end())
    const base = await mount(app)
    const redirect = await fetch(`${base}/to`, { redirect: 'manual' })
    expect([redirect.status, redirect.headers.get('location'), redirect.headers.getSetCookie()]).toEqual([
      302,
      '/2/json',
      ['a=1; Path=/', 'b=2; Path=/'],
    ])
    const json = await fetch(`${base}/json`)
    expect(await json.json()).toEqual({ fine: true })
    const again = await get(`${base}/json`, { 'If-None-Match': json.headers.get('etag')! })
    expect([again.statusCode, await again.toArray()]).toEqual([304, []])
    const head = await fetch(`${base}/json`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '13', ''])
    expect((await fetch(`${base}/none`)).status).toBe(204)
    expect((await fetch(`${base}/nothing`)).status).toBe(404)
  })

  test('handles errors of sync and async handlers', async () => {
    const app = express()
    app.get('/sync', () => {
      throw new Error('sync')
    })
    app.get('/async', async () => {
      await Promise.resolve()
      throw new Error('async')
    })
    app.use(
      ((error: Error, _req, res, _next) =>
        void res.status(500).send(`caught ${error.message}`)) as express.ErrorRequestHandler,
    )
    const base = await mount(app)
    for (const kind of ['sync', 'async']) {
      const response = await fetch(`${base}/${kind}`)
      expect([response.status, await response.text()]).toEqual([500, `caught ${kind}`])
    }
  })
})

describe('files', () => {
  test('sendFile, download and ranges', async () => {
    const app = express()
    app.get('/file', (_req, res) => res.sendFile(join(directory, 'file.txt')))
    app.get('/download', (_req, res) => res.download(join(directory, 'file.txt'), 'ä.txt'))
    const base = await mount(app)
    expect(await (await fetch(`${base}/file`)).text()).toBe('0123456789')
    const range = await fetch(`${base}/file`, { headers: { Range: 'bytes=2-4' } })
    expect([range.status, range.headers.get('content-range'), await range.text()]).toEqual([206, 'bytes 2-4/10', '234'])
    expect((await fetch(`${base}/download`)).headers.get('content-disposition')).toContain('attachment')
  })

  test('serve-static redirects directories to URLs that carry the prefix', async () => {
    const app = express()
    app.use('/static', serveStatic(directory))
    const base = await mount(app)
    const redirect = await fetch(`${base}/static/sub`, { redirect: 'manual' })
    expect([redirect.status, redirect.headers.get('location')]).toEqual([301, '/2/static/sub/'])
    expect(await (await fetch(`${base}/static/sub/`)).text()).toBe('<p>index</p>')
    const file = await fetch(`${base}/static/file.txt`)
    await file.text()
    const modified = file.headers.get('last-modified')!
    expect((await get(`${base}/static/file.txt`, { 'If-Modified-Since': modified })).statusCode).toBe(304)
  })
})

describe('middleware', () => {
  test('body-parser reads every kind of body and refuses bad ones', async () => {
    const app = express()
    app.post('/json', bodyParser.json({ limit: '1kb' }), (req, res) => void res.json(req.body))
    app.post('/form', bodyParser.urlencoded({ extended: true }), (req, res) => void res.json(req.body))
    app.post('/text', bodyParser.text(), (req, res) => void res.json(req.body))
    app.post(
      '/raw',
      bodyParser.raw({ type: '*/*', limit: '10mb' }),
      (req, res) => void res.json((req.body as Buffer).length),
    )
    const base = await mount(app)
    const post = (path: string, body: string | Uint8Array<ArrayBuffer>, type: string) =>
      fetch(base + path, { method: 'POST', body, headers: { 'content-type': type } })
    expect(await (await post('/json', '{"a":[1]}', 'application/json')).json()).toEqual({ a: [1] })
    expect(await (await post('/form', 'a[b]=1&c=2', 'application/x-www-form-urlencoded')).json()).toEqual({
      a: { b: '1' },
      c: '2',
    })
    expect(await (await post('/text', 'grüße', 'text/plain')).json()).toBe('grüße')
    expect(await (await post('/raw', new Uint8Array(5_000_000), 'application/octet-stream')).json()).toBe(5_000_000)
    expect((await post('/json', '{"a"', 'application/json')).status).toBe(400)
    expect((await post('/json', JSON.stringify('x'.repeat(2000)), 'application/json')).status).toBe(413)
  })

  test('compression compresses, and flushes a stream piece by piece', async () => {
    const app = express()
    app.use(compression({ threshold: 0 }))
    app.get('/all', (_req, res) => void res.type('text').send('a'.repeat(100_000)))
    let goOn = (): void => {}
    app.get('/stream', (_req, res) => {
      res.type('text')
      res.write('first')
      res.flush()
      goOn = () => res.end('second')
    })
    const base = await mount(app)
    const all = await get(`${base}/all`, { 'Accept-Encoding': 'gzip' })
    expect(all.headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(Buffer.concat(await all.toArray()))).toHaveLength(100_000)
    const stream = await get(`${base}/stream`, { 'Accept-Encoding': 'gzip' })
    const pieces: Buffer[] = []
    stream.on('data', (piece: Buffer) => pieces.push(piece))
    // The first part arrives although the response goes on.
    await expect
      .poll(() => gunzipSync(Buffer.concat(pieces), { finishFlush: constants.Z_SYNC_FLUSH }).toString())
      .toBe('first')
    goOn()
    await once(stream, 'end')
    expect(gunzipSync(Buffer.concat(pieces)).toString()).toBe('firstsecond')
  })

  test('multer takes an upload of many parts', async () => {
    const app = express()
    app.post('/upload', multer().array('files'), (req, res) => {
      res.json((req.files as Express.Multer.File[]).map((file) => [file.originalname, file.size]))
    })
    const form = new FormData()
    form.append('files', new Blob([new Uint8Array(3_000_000)]), 'a.bin')
    form.append('files', new Blob(['small']), 'b.txt')
    const response = await fetch(`${await mount(app)}/upload`, { method: 'POST', body: form })
    expect(await response.json()).toEqual([
      ['a.bin', 3_000_000],
      ['b.txt', 5],
    ])
  })

  test('a stream is piped with backpressure, and stops when the client leaves', async () => {
    const app = express()
    let produced = 0
    const source = new Readable({
      read() {
        produced += 65_536
        this.push(Buffer.alloc(65_536))
      },
    })
    const left = new Promise<void>((resolve) => {
      app.get('/endless', (_req, res) => {
        res.on('close', () => {
          source.destroy()
          resolve()
        })
        source.pipe(res)
      })
    })
    const outgoing = request(`${await mount(app)}/endless`, { agent: false }).end()
    outgoing.on('error', () => {})
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    response.on('error', () => {})
    await once(response, 'data')
    response.pause()
    await expect.poll(() => source.isPaused() || source.readableFlowing === false).toBe(true)
    expect(produced).toBeLessThan(64 * 1024 * 1024)
    outgoing.destroy()
    await left
  })
})
