import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { Site, describeCompat, get } from './hosts.ts'
import { USED } from './used-members.ts'

const STREAM_STATE = ['endEmitted', 'length', 'finished', 'errorEmitted']

/** The members that are not what the table says. */
function differences(subject: object, table: Record<string, string>): string[] {
  return Object.entries(table).flatMap(([type, names]) =>
    names
      .split(' ')
      .filter((name) => typeof (subject as Record<string, unknown>)[name] !== type)
      .map((name) => `${name} is ${typeof (subject as Record<string, unknown>)[name]}`),
  )
}

describeCompat('what people’s code touches', (host) => {
  test('is there, and of its kind', async () => {
    let found: string[] | undefined
    await using site = await Site.open(host, (request: IncomingMessage, response: ServerResponse) => {
      const { socket } = request
      found = [
        ...differences(request, USED.request),
        ...differences(response, USED.response),
        ...differences(site.server, USED.server),
        ...differences(socket, USED.socket),
      ]
      response.end()
    })
    await site.exchange(get())
    expect(found).toEqual([])
  })

  test('an upgraded socket takes bytes back, and tells the state that ws reads', async () => {
    let states: unknown[] | undefined
    await using site = await Site.open(host)
    site.server.on('upgrade', (_request, stream, head: Buffer) => {
      const socket = stream as Socket
      socket.write('HTTP/1.1 101 Yes\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')
      socket.unshift(Buffer.concat([Buffer.from('first '), head]))
      socket.setTimeout(0).setNoDelay().setKeepAlive()
      socket.on('data', (chunk: Buffer) => socket.write(chunk))
      socket.on('end', () => {
        const { _readableState, _writableState } = stream as unknown as Record<string, Record<string, unknown>>
        states = STREAM_STATE.map((name) => _readableState![name] ?? _writableState![name])
        socket.end()
      })
    })
    const client = await site.client()
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
    await client.until('first ')
    client.write('second')
    await client.until('first second')
    client.socket.end()
    await client.untilEnd()
    expect(states).toEqual([true, 0, false, false])
  })

  test('resetAndDestroy breaks an upgraded connection at once', async () => {
    await using site = await Site.open(host)
    site.server.on('upgrade', (_request, stream) => {
      const socket = stream as Socket
      socket.write('HTTP/1.1 101 Yes\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')
      socket.once('data', () => socket.resetAndDestroy())
    })
    const client = await site.client()
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
    await client.until('\r\n\r\n')
    client.write('now')
    const [error] = (await once(client.socket, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNRESET')
    expect(client.text).not.toContain('now')
  })

  test('resetAndDestroy in the turn of the first write resets, and nothing of the response is sent', async () => {
    await using site = await Site.open(host, (request, response) => {
      response.write('never')
      request.socket.resetAndDestroy()
    })
    const client = await site.client()
    const broken = once(client.socket, 'error')
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const [error] = (await Promise.race([broken, once(client.socket, 'end')])) as [NodeJS.ErrnoException]
    expect([error.code, client.text]).toEqual(['ECONNRESET', ''])
  })

  test('a connection that the app emits itself is served by node:http', async () => {
    const { Duplex, PassThrough } = await import('node:stream')
    await using site = await Site.open(host, (request, response) => response.end(`served ${request.url}`))
    const [incoming, outgoing] = [new PassThrough(), new PassThrough()]
    const connection = Duplex.from({ readable: incoming, writable: outgoing })
    site.server.emit('connection', connection as Socket)
    incoming.write(get('/made'))
    let text = ''
    for await (const chunk of outgoing) {
      text += String(chunk)
      if (text.includes('served /made')) break
    }
    expect(text).toMatch(/^HTTP\/1.1 200 OK\r\n/)
  })
})
