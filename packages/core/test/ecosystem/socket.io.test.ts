import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { io } from 'socket.io-client'
import type { Socket } from 'socket.io-client'
import { afterEach, describe, expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { Site } from '../e2e/processes.ts'

const script = fileURLToPath(new URL('socket.io-owner.mjs', import.meta.url))
const sockets: Socket[] = []

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.disconnect()
})

/** A client that has been welcomed, with the pid of the process that did. */
async function connect(site: Site, path: string, transports: string[]): Promise<{ socket: Socket; pid: number }> {
  const socket = io(site.base, { path: `${path}socket.io/`, transports, forceNew: true, reconnection: false })
  sockets.push(socket)
  const [pid] = await next(socket, 'welcome')
  return { socket, pid: pid as number }
}

function next(socket: Socket, event: string): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    socket.once('connect_error', reject)
    socket.once(event, (...values: unknown[]) => resolve(values))
  })
}

describe('Socket.IO in two processes on one port', () => {
  test.each([
    ['long polling', ['polling'], 'polling'],
    ['WebSocket', ['websocket'], 'websocket'],
    ['long polling that is upgraded', ['polling', 'websocket'], 'websocket'],
  ])('clients stay with their process over %s, and a broadcast with its clients', async (_how, transports, final) => {
    await using site = new Site(script)
    const owners = [await site.listen('/a/'), await site.listen('/b/')]
    const clients = await Promise.all(
      ['/a/', '/a/', '/b/', '/b/'].map(async (path, index) => {
        const client = await connect(site, path, transports)
        const { engine } = client.socket.io
        if (engine.transport.name !== final) await once(engine as never, 'upgrade')
        expect(engine.transport.name).toBe(final)
        expect(client.pid).toBe(owners[index >> 1]!.pid)
        return client
      }),
    )
    const heard = clients.map(({ socket }) => {
      const texts: string[] = []
      socket.on('said', (text: string) => texts.push(text))
      return texts
    })
    for (const [index, { socket }] of clients.entries()) socket.emit('say', `hello ${index}`)
    for (const [index, { pid }] of clients.entries()) {
      const mates = index < 2 ? [0, 1] : [2, 3]
      const expected = mates.map((mate) => `hello ${mate} in ${pid}`)
      await expect.poll(() => heard[index]!.toSorted()).toEqual(expected)
    }
  })

  test('the server sees why a client is gone', async () => {
    await using site = new Site(script)
    const owner = await site.listen('/a/')
    const polite = await connect(site, '/a/', ['websocket'])
    const { id } = polite.socket
    polite.socket.disconnect()
    expect(await owner.next('left')).toMatchObject({ id, reason: 'client namespace disconnect' })
    const rude = await connect(site, '/a/', ['websocket'])
    const { ws } = rude.socket.io.engine.transport as unknown as { ws: WebSocket }
    ws.terminate()
    expect(await owner.next('left')).toMatchObject({ reason: 'transport close' })
  })

  test('a client sees at once that its process has died, and the other process never notices', async () => {
    await using site = new Site(script)
    const victim = await site.listen('/a/')
    await site.listen('/b/')
    const bereft = await connect(site, '/a/', ['websocket'])
    const other = await connect(site, '/b/', ['websocket'])
    const lost = next(bereft.socket, 'disconnect')
    await victim.kill()
    expect((await lost)[0]).toBe('transport close')
    other.socket.emit('say', 'still here')
    expect(await next(other.socket, 'said')).toEqual([`still here in ${other.pid}`])
  })

  test.each([['polling'], ['websocket']])('acknowledgements carry binary both ways over %s', async (transport) => {
    await using site = new Site(script)
    await site.listen('/a/')
    const { socket } = await connect(site, '/a/', [transport])
    const sent = Buffer.alloc(500_000, 'binary')
    const [length, bytes] = await new Promise<[number, Buffer]>((resolve) => {
      socket.emit('measure', sent, (...answer: [number, Buffer]) => resolve(answer))
    })
    expect(length).toBe(sent.length)
    expect(sent.equals(bytes)).toBe(true)
  })

  test('the script for browsers is served below the prefix', async () => {
    await using site = new Site(script)
    await site.listen('/a/')
    const response = await fetch(`${site.base}/a/socket.io/socket.io.js`)
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('Socket.IO')
  })
})
