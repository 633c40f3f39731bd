import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { constants, gunzipSync } from 'node:zlib'
import bodyParser from 'body-parser'
import compression from 'compression'
import multer from 'multer'
import { describe, expect, test } from 'vitest'
import { get, mount, useBroker, versions } from './support/mount.ts'

useBroker()

describe.each(versions)('middleware on %s', (_version, express) => {
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
