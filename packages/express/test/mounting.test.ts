import { once } from 'node:events'
import type { Request } from 'express'
import { describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import httpsys from '../src/index.ts'
import { listenOnTcp, mount, mounted, portOf, useBroker, versions } from './support/mount.ts'

useBroker()

const textOf = async (url: string): Promise<string> => (await fetch(url)).text()

describe.each(versions)('an unmodified app of %s', (_version, express) => {
  test('sees URLs as if it were mounted at the prefix', async () => {
    const app = express()
    const nested = express.Router()
    nested.get('/b/:id', (req, res) => {
      const { baseUrl, url, originalUrl, path, params } = req
      res.json({ baseUrl, url, originalUrl, path, params })
    })
    app.use('/a', nested)
    expect(await (await fetch(`${await mount(app)}/a/b/7?x=1`)).json()).toEqual({
      baseUrl: '/2/a',
      url: '/b/7?x=1',
      originalUrl: '/2/a/b/7?x=1',
      path: '/b/7',
      params: { id: '7' },
    })
  })

  test.each([
    ['an app', (child: ReturnType<typeof express>) => express().use('/sub', child)],
    ['a router', (child: ReturnType<typeof express>) => express().use('/sub', express.Router().use('/', child))],
  ])('mounts an app below %s, and goes on behind it with URLs as they were', async (_where, around) => {
    const child = express().get('/x', (req, res, next) => {
      res.setHeader('Child', `${req.baseUrl}|${req.url}|${req.originalUrl}`)
      next()
    })
    const app = around(child).use((req, res) => void res.send(`${req.baseUrl}|${req.url}|${req.originalUrl}`))
    const response = await fetch(`${await mount(app)}/sub/x`)
    expect(response.headers.get('child')).toBe('/2/sub|/x|/2/sub/x')
    expect(await response.text()).toBe('/2|/sub/x|/2/sub/x')
  })

  test('may rewrite req.url, as on TCP', async () => {
    const app = express()
      .use((req, _res, next) => {
        req.url = req.url.replace('/old', '/new')
        next()
      })
      .get('/new', (req, res) => void res.send(`${req.path} was ${req.originalUrl}`))
    expect(await textOf(`${await mount(app)}/old`)).toBe('/new was /2/old')
  })

  test('answers at the prefix itself, with and without the slash', async () => {
    const app = express().get('/', (req, res) => void res.send(`root ${req.originalUrl}`))
    const base = await mount(app)
    expect(await textOf(base)).toBe('root /2')
    expect(await textOf(`${base}/?q`)).toBe('root /2/?q')
  })

  test('sees the base as the client wrote it, also of a prefix of several segments', async () => {
    const app = express().get('/x', (req, res) => void res.send(`${req.baseUrl} ${req.url}`))
    const base = await mount(app, '/Team/Ä/')
    expect(await textOf(`${new URL(base).origin}/TEAM/%C3%84/x`)).toBe('/TEAM/%C3%84 /x')
  })

  test('hands WebSockets to a server on what listen returns, with URLs below the prefix', async () => {
    const app = express().get('/', (_req, res) => void res.send('page'))
    const server = app.listen(httpsys.prefix('http://localhost:0/2/'))
    const sockets = new WebSocketServer({ server, path: '/live' })
    sockets.on('connection', (socket, req) => socket.send(`${req.url} of ${(req as Request).originalUrl}`))
    const base = await mounted(server)
    const client = new WebSocket(`${base.replace('http', 'ws')}/live?x`)
    const [message] = (await once(client, 'message')) as [Buffer]
    expect(String(message)).toBe('/live?x of /2/live?x')
    client.close()
    await once(client, 'close')
    expect(await textOf(base)).toBe('page')
  })

  test('keeps the whole path with strip: false', async () => {
    const app = express().get('/2/x', (req, res) => void res.send(`${req.baseUrl}|${req.url}`))
    expect(await textOf(`${await mount(app, '/2/', { strip: false })}/x`)).toBe('|/2/x')
  })

  test('shares a process with another app, and with itself on TCP, while requests to all are under way', async () => {
    const appNamed = (name: string) => {
      const app = express()
      // Express exchanges the prototypes of requests and responses for those of the app.
      Object.assign(app.request, { appName: name })
      app.get('/', async (req, res) => {
        await new Promise((resolve) => setImmediate(resolve))
        res.send(`${(req as unknown as { appName: string }).appName} ${req.baseUrl}`)
      })
      return app
    }
    const one = appNamed('one')
    const base = await mount(one, '/1/')
    const second = await mount(appNamed('two'), '/2/', {}, portOf(base))
    const tcp = await listenOnTcp(one)
    const rounds = Array.from({ length: 20 }, () => [base, second, tcp]).flat()
    const expected = rounds.map((url) => (url === base ? 'one /1' : url === second ? 'two /2' : 'one '))
    expect(await Promise.all(rounds.map(textOf))).toEqual(expected)
  })
})
