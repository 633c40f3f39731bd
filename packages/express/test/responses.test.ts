import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import serveStatic from 'serve-static'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { get, mount, useBroker, versions } from './support/mount.ts'

useBroker()

const directory = mkdtempSync(join(tmpdir(), 'httpsys-express-'))

beforeAll(() => {
  mkdirSync(join(directory, 'sub'))
  writeFileSync(join(directory, 'file.txt'), '0123456789')
  writeFileSync(join(directory, 'sub', 'index.html'), '<p>index</p>')
})
afterAll(() => rmSync(directory, { recursive: true }))

describe.each(versions)('responses of %s', (_version, express) => {
  test.each([
    ['login', '/2/login', 'a relative path stays within the prefix'],
    ['./login?next=1', '/2/login?next=1', 'so does one with a dot'],
    ['/login', '/login', 'an absolute path is left as it is and leaves the prefix, as in a mounted app'],
    ['../login', '/login', 'and so does a relative one that goes up'],
  ])('redirect to %j lands on %j: %s', async (target, path, _why) => {
    const app = express().get('/from', (_req, res) => res.redirect(target))
    const base = await mount(app)
    const response = await fetch(`${base}/from`, { redirect: 'manual' })
    expect([response.status, response.headers.get('location')]).toEqual([302, target])
    expect(new URL(response.headers.get('location')!, `${base}/from`).href).toBe(new URL(path, base).href)
  })

  test('redirects to req.baseUrl + path, and to other origins, with any status', async () => {
    const app = express()
      .get('/from', (req, res) => res.redirect(303, `${req.baseUrl}/login`))
      .get('/away', (_req, res) => res.redirect(308, 'https://example.org/ä'))
    const base = await mount(app)
    const within = await fetch(`${base}/from`, { redirect: 'manual' })
    expect([within.status, within.headers.get('location')]).toEqual([303, '/2/login'])
    const away = await fetch(`${base}/away`, { redirect: 'manual' })
    expect([away.status, away.headers.get('location')]).toEqual([308, 'https://example.org/%C3%A4'])
  })

  test('set and clear cookies, for the whole origin unless a path is given', async () => {
    const app = express().get('/', (req, res) => {
      res.cookie('all', '1').cookie('own', 'ä', { path: req.baseUrl, httpOnly: true, sameSite: 'lax' })
      res.clearCookie('gone', { path: req.baseUrl }).send()
    })
    expect((await fetch(await mount(app))).headers.getSetCookie()).toEqual([
      'all=1; Path=/',
      'own=%C3%A4; Path=/2; HttpOnly; SameSite=Lax',
      'gone=; Path=/2; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
    ])
  })

  test('send JSON, 304 for what the client has, 204, HEAD, and 404', async () => {
    const app = express()
    app.get('/json', (_req, res) => void res.json({ fine: true }))
    app.get('/none', (_req, res) => void res.status(204).end())
    const base = await mount(app)
    const json = await fetch(`${base}/json`)
    expect(await json.json()).toEqual({ fine: true })
    const again = await get(`${base}/json`, { 'If-None-Match': json.headers.get('etag')! })
    expect([again.statusCode, await again.toArray()]).toEqual([304, []])
    const head = await fetch(`${base}/json`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '13', ''])
    expect((await fetch(`${base}/none`)).status).toBe(204)
    const missing = await fetch(`${base}/nothing`)
    expect([missing.status, await missing.text()]).toEqual([404, expect.stringContaining('Cannot GET /2/nothing')])
  })

  test('send files whole, in ranges, as downloads, and not again to who has them', async () => {
    const app = express()
    const file = join(directory, 'file.txt')
    app.get('/file', (_req, res) => res.sendFile(file))
    app.get('/from-root', (_req, res) => res.sendFile('file.txt', { root: directory }))
    app.get('/download', (_req, res) => res.download(file, '€.txt'))
    app.get('/missing', (_req, res) => {
      res.sendFile(`${file}.not`, (error) => void res.status(404).send((error as NodeJS.ErrnoException).code))
    })
    const base = await mount(app)
    expect(await (await fetch(`${base}/file`)).text()).toBe('0123456789')
    expect(await (await fetch(`${base}/from-root`)).text()).toBe('0123456789')
    const range = await fetch(`${base}/file`, { headers: { Range: 'bytes=2-4' } })
    expect([range.status, range.headers.get('content-range'), await range.text()]).toEqual([206, 'bytes 2-4/10', '234'])
    const beyond = await fetch(`${base}/file`, { headers: { Range: 'bytes=20-' } })
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */10'])
    const download = await fetch(`${base}/download`)
    expect(download.headers.get('content-disposition')).toBe(
      `attachment; filename="?.txt"; filename*=UTF-8''%E2%82%AC.txt`,
    )
    expect(await (await fetch(`${base}/missing`)).text()).toBe('ENOENT')
    const etag = (await get(`${base}/file`)).headers.etag!
    expect((await get(`${base}/file`, { 'If-None-Match': etag })).statusCode).toBe(304)
  })

  test.each([
    ['express.static', () => express.static(directory)],
    ['serve-static', () => serveStatic(directory)],
  ])('%s redirects directories to URLs that carry the prefix', async (_which, files) => {
    const app = express()
    app.use('/static', files())
    const base = await mount(app)
    const redirect = await fetch(`${base}/static/sub`, { redirect: 'manual' })
    expect([redirect.status, redirect.headers.get('location')]).toEqual([301, '/2/static/sub/'])
    expect(await (await fetch(`${base}/static/sub/`)).text()).toBe('<p>index</p>')
    const modified = (await get(`${base}/static/file.txt`)).headers['last-modified']!
    expect((await get(`${base}/static/file.txt`, { 'If-Modified-Since': modified })).statusCode).toBe(304)
    expect((await fetch(`${base}/static/%2e%2e%2fpackage.json`)).status).toBeGreaterThanOrEqual(400)
  })
})
