import { once } from 'node:events'
import websocket from '@fastify/websocket'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { baseOf, closing, onPort, useBroker, ways } from './support/mount.ts'

useBroker()

describe.each(ways)('@fastify/websocket on an app by %s', (_name, way) => {
  async function openApp(): Promise<{ url: string; app: ReturnType<typeof way.create> }> {
    const app = closing(way.create(onPort()))
    app.register(websocket)
    app.register(async (child) => {
      child.addHook('preValidation', async (request, reply) => {
        if (request.headers['x-guest'] === 'unwanted') await reply.code(403).send('not you')
      })
      child.get('/room/:id', { websocket: true }, (socket, request) => {
        socket.on('message', (data: Buffer, isBinary) => socket.send(data, { binary: isBinary }))
        socket.send(`${(request.params as { id: string }).id} ${request.url} ${request.originalUrl}`)
      })
      child.get('/page', () => 'page')
    })
    await way.listen(app, onPort())
    return { url: baseOf(app).replace('http', 'ws'), app }
  }

  const message = async (socket: WebSocket) => String(((await once(socket, 'message')) as [Buffer])[0])

  test('routes WebSockets by the URL below the prefix, and echoes', async () => {
    const { url } = await openApp()
    const socket = new WebSocket(`${url}/room/7`)
    expect(await message(socket)).toBe('7 /room/7 /f/room/7')
    const long = 'x'.repeat(300_000)
    socket.send(long)
    expect(await message(socket)).toBe(long)
    socket.close()
    await once(socket, 'close')
    expect(await (await fetch(`${url.replace('ws', 'http')}/page`)).text()).toBe('page')
  })

  test.each([
    ['a hook turns away', '/room/7', { 'X-Guest': 'unwanted' }, 403],
    ['no route takes', '/elsewhere', {}, 404],
  ])('answers a WebSocket that %s as a request', async (_why, path, headers, status) => {
    const { url } = await openApp()
    const socket = new WebSocket(url + path, { headers })
    const [error] = (await once(socket, 'error')) as [Error]
    expect(error.message).toBe(`Unexpected server response: ${status}`)
  })

  test('closes its WebSockets with the app', async () => {
    const { url, app } = await openApp()
    const socket = new WebSocket(`${url}/room/7`)
    await message(socket)
    const closed = once(socket, 'close')
    await app.close()
    expect((await closed)[0]).toBe(1005)
  })
})
