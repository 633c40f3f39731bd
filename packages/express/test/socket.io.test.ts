import { once } from 'node:events'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import { describe, expect, test } from 'vitest'
import httpsys from '../src/index.ts'
import { mounted, useBroker, versions } from './support/mount.ts'

useBroker()

describe.each(versions)('Socket.IO beside %s', (_version, express) => {
  test.each([['polling'], ['websocket']])('keeps its own path below the prefix over %s', async (transport) => {
    const app = express().get('/', (_req, res) => void res.send('page'))
    const server = app.listen(httpsys.prefix('http://localhost:0/2/'))
    const sockets = new Server(server)
    sockets.on('connection', (socket) => void socket.on('say', (text: string) => sockets.emit('said', text)))
    const base = await mounted(server)
    const client = io(new URL(base).origin, { path: '/2/socket.io/', transports: [transport] })
    await once(client as never, 'connect')
    const said = once(client as never, 'said')
    client.emit('say', 'hello')
    expect(await said).toEqual(['hello'])
    expect(await (await fetch(base)).text()).toBe('page')
    client.disconnect()
    sockets.disconnectSockets(true)
  })
})
