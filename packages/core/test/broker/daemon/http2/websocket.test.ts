import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { Http2Site } from '../../../support/http2-site.ts'

/** A WebSocket is asked for by extended CONNECT (RFC 8441). */
const CONNECT = { ':method': 'CONNECT', ':protocol': 'websocket', 'sec-websocket-version': '13' }

/** A frame as a client sends it: masked, with a mask that changes nothing. */
function clientFrame(opcode: number, payload: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]),
    Buffer.from(payload, 'latin1'),
  ])
}

test('WebSockets of several owners share one connection', async () => {
  await using site = await Http2Site.open()
  for (const path of ['/1/', '/2/']) {
    const server = createServer()
    new WebSocketServer({ server }).on('connection', (socket, request) => {
      socket.send(`${path} HTTP/${request.httpVersion}`)
      socket.on('message', (data) => socket.send(`${path} ${String(data as Buffer)}`))
    })
    await site.listen(server, path)
  }
  const client = await site.client()
  expect(client.session.remoteSettings.enableConnectProtocol).toBe(true)
  for (const path of ['/1/', '/2/']) {
    const socket = client.begin({ ...CONNECT, ':path': path }, true)
    await socket.until(() => socket.body.includes('HTTP/2.0'))
    expect(socket.status).toBe(200)
    expect(Object.keys(socket.headers)).not.toEqual(expect.arrayContaining(['upgrade']))
    socket.stream.write(clientFrame(1, 'hello'))
    await socket.until(() => socket.body.includes(`${path} hello`))
    socket.stream.write(clientFrame(8, '\x03\xe8'))
    socket.stream.end()
    await socket.closed
    // An unmasked Close with the same code.
    expect(socket.body.subarray(-4)).toEqual(Buffer.from([0x88, 2, 3, 0xe8]))
    expect(socket.stream.rstCode).toBe(0)
  }
})

test('an app that refuses the upgrade says so, and the connection goes on', async () => {
  await using site = await Http2Site.open()
  const server = createServer((_request, response) => response.end('plain'))
  server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'))
  await site.listen(server, '/2/')
  await site.serve('/3/', (request, response) => response.end(`${request.headers.upgrade} is left alone`))
  const client = await site.client()
  const refused = client.begin({ ...CONNECT, ':path': '/2/' }, true)
  await refused.closed
  expect(refused).toMatchObject({ status: 403, text: 'no' })
  const ignored = client.begin({ ...CONNECT, ':path': '/3/' }, true)
  await ignored.closed
  expect(ignored).toMatchObject({ status: 200, text: 'websocket is left alone' })
  expect((await client.fetch({ ':path': '/2/' })).text).toBe('plain')
})

test('other protocols, and a CONNECT that ends at once, are refused with 501', async () => {
  await using site = await Http2Site.open()
  await site.serve('/2/', (_request, response) => response.end('ok'))
  const client = await site.client()
  for (const protocol of ['connect-udp', 'webtransport']) {
    const refused = client.begin({ ':method': 'CONNECT', ':protocol': protocol, ':path': '/2/' }, true)
    await refused.closed
    expect(refused.status).toBe(501)
  }
  const ended = client.begin({ ...CONNECT, ':path': '/2/' })
  await ended.closed
  expect(ended.status).toBe(501)
})

test('a WebSocket whose owner dies is closed with 1012, and the other streams go on', async () => {
  await using site = await Http2Site.open()
  const owner = await site.own('/2/')
  await site.serve('/3/', (_request, response) => response.end('ok'))
  const client = await site.client()
  const socket = client.begin({ ...CONNECT, ':path': '/2/' }, true)
  const { id, head } = await owner.request()
  expect(head).toMatch(
    /^GET \/2\/ HTTP\/1\.1\r\nhost: localhost:\d+\r\nconnection: Upgrade\r\n|\r\nupgrade: websocket\r\n/,
  )
  expect(head).toMatch(/\r\nsec-websocket-key: [\w+/]{22}==\r\n/)
  owner.switchProtocols(id, 'websocket')
  await socket.until(() => socket.status === 200)
  owner.die()
  await socket.until(() => socket.isEnded)
  expect(socket.body).toEqual(Buffer.from([0x88, 2, 1012 >> 8, 1012 & 255]))
  expect((await client.fetch({ ':path': '/3/' })).text).toBe('ok')
})

test('what a client sends before the app has agreed reaches it afterwards, and is no body', async () => {
  await using site = await Http2Site.open()
  const owner = await site.own('/2/')
  const client = await site.client()
  const socket = client.begin({ ...CONNECT, ':path': '/2/' }, true)
  socket.stream.write(clientFrame(1, 'early'))
  const { id, body } = await owner.request()
  expect(body).toBe('')
  owner.switchProtocols(id, 'websocket')
  expect(await owner.body()).toBe(clientFrame(1, 'early').toString('latin1'))
})
