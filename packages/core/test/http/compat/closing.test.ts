import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { RawClient } from '../../support/raw-client.ts'
import { Site, describePrivateCompat } from './hosts.ts'
import type { Host } from './hosts.ts'

/** A request after which the connection stays. */
function keep(path = '/'): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`
}

/** A site that answers with the path in angle brackets, but what asks for `/held`. */
function openSite(host: Host): Promise<Site> {
  return Site.open(host, (request, response) => {
    if (!request.url!.startsWith('/held')) response.end(`<${request.url}>`)
  })
}

/** A client whose request the app has yet to answer, and the response. */
async function openBusy(site: Site, pipelined = ''): Promise<[RawClient, ServerResponse, Socket]> {
  const client = await site.client()
  const arrived = once(site.server, 'request') as Promise<[IncomingMessage, ServerResponse]>
  client.write(keep('/held') + pipelined)
  const [request, response] = await arrived
  return [client, response, request.socket]
}

/** What `close` has come to: `'closed'` is resolved when it has called back. */
function close(server: Server): { closed: Promise<void>; isClosed: () => boolean } {
  let isClosed = false
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      isClosed = true
      resolve()
    })
  })
  return { closed, isClosed: () => isClosed }
}

function countOf(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count)))
}

describePrivateCompat('a server that has been closed', (host) => {
  test('a connection that is busy when the server closes stays, and its later requests are served', async () => {
    await using site = await openSite(host)
    const [client, response] = await openBusy(site)
    const { closed, isClosed } = close(site.server)
    expect([site.server.listening, site.server.address()]).toEqual([false, null])
    response.end('<held>')
    await client.until('<held>')
    expect(client.text).toMatch(/\r\nConnection: keep-alive\r\n/)
    for (const path of ['/second', '/third']) {
      client.write(keep(path))
      await client.until(`<${path}>`)
    }
    expect([isClosed(), await countOf(site.server)]).toEqual([false, 1])
    client.socket.end()
    await closed
  })

  test('close waits for a connection without a request, and serves it', async () => {
    await using site = await openSite(host)
    const connected = once(site.server, 'connection')
    const client = await site.client()
    await connected
    const { closed, isClosed } = close(site.server)
    client.write(keep('/first'))
    await client.until('</first>')
    expect(isClosed()).toBe(false)
    client.socket.destroy()
    await closed
  })

  test('close waits for a connection with half a head, and serves it', async () => {
    await using site = await openSite(host)
    const client = await site.client()
    client.write(keep('/first') + keep('/second').slice(0, 12))
    await client.until('</first>')
    const { closed, isClosed } = close(site.server)
    client.write(keep('/second').slice(12))
    await client.until('</second>')
    expect(isClosed()).toBe(false)
    client.socket.destroy()
    await closed
  })

  test('pipelined requests are served when the server closes meanwhile, also those that come later', async () => {
    await using site = await openSite(host)
    const [client, response] = await openBusy(site, keep('/second'))
    const { closed } = close(site.server)
    client.write(keep('/third'))
    await once(site.server, 'request')
    response.end('<held>')
    await client.until('</third>')
    expect([...client.text.matchAll(/<(.*?)>/g)].map(([, path]) => path)).toEqual(['held', '/second', '/third'])
    client.socket.destroy()
    await closed
  })

  test('close ends a connection whose response has just ended, and idle ones', async () => {
    await using site = await openSite(host)
    const idle = await site.client()
    idle.write(keep('/idle'))
    await idle.until('</idle>')
    const [client, response] = await openBusy(site)
    response.end('<held>')
    const { closed } = close(site.server)
    expect(await client.untilEnd()).toMatch(/<held>$/)
    await idle.untilEnd()
    await closed
  })

  test('keepAliveTimeout ends connections for which close waits', async () => {
    await using site = await openSite(host)
    site.server.keepAliveTimeout = 30
    const [client, response] = await openBusy(site)
    const { closed } = close(site.server)
    response.end('<held>')
    expect(await client.untilEnd()).toMatch(/<held>$/)
    await closed
  })

  test('closeAllConnections after close ends what it waits for', async () => {
    await using site = await openSite(host)
    const connected = once(site.server, 'connection')
    const fresh = await site.client()
    await connected
    const half = await site.client()
    half.write(keep('/first') + keep().slice(0, 12))
    await half.until('</first>')
    const [busy] = await openBusy(site)
    const { closed } = close(site.server)
    site.server.closeAllConnections()
    await Promise.all([fresh, half, busy].map((client) => client.untilEnd()))
    await closed
  })

  test('close waits for a connection that has left HTTP', async () => {
    await using site = await openSite(host)
    site.server.on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 101 Yes\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')
      socket.on('data', (bytes: Buffer) => socket.write(`<${bytes.toString()}>`)).on('end', () => socket.end())
    })
    const client = await site.client()
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
    await client.until('\r\n\r\n')
    const { closed, isClosed } = close(site.server)
    client.write('echo')
    await client.until('<echo>')
    expect(isClosed()).toBe(false)
    client.socket.end()
    await closed
  })

  test('close does not wait for the end of a client whose broken request has been answered', async () => {
    await using site = await openSite(host)
    const client = await site.client()
    client.write('POST /held HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nno size')
    expect(await client.untilEnd()).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    await close(site.server).closed
    expect(client.isClosed).toBe(false)
  })

  test('close does not wait for the end of a client that has left HTTP, when the app has ended and destroyed', async () => {
    await using site = await openSite(host)
    site.server.on('upgrade', (_request, socket) => {
      socket.end('HTTP/1.1 101 Yes\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nthe last word', () => socket.destroy())
    })
    const client = await site.client()
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
    expect(await client.untilEnd()).toMatch(/the last word$/)
    await close(site.server).closed
    expect(client.isClosed).toBe(false)
  })

  test('a server that listens again has still the connections from before', async () => {
    await using site = await openSite(host)
    const { port } = site
    const [client] = await openBusy(site)
    const { closed } = close(site.server)
    host.listen(site.server, port)
    await once(site.server, 'listening')
    expect(await countOf(site.server)).toBe(1)
    site.server.closeAllConnections()
    expect(await client.untilEnd()).toBe('')
    site.server.close()
    await closed
  })

  test('the next server on the port leaves the connections of the closed one alone', async () => {
    await using site = await openSite(host)
    const { port } = site
    const [client, response] = await openBusy(site)
    const { closed } = close(site.server)
    const next = createServer((_request, answer) => answer.end('<next>'))
    host.listen(next, port)
    await once(next, 'listening')
    response.end('<held>')
    await client.until('<held>')
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('<next>')
    next.close()
    next.closeAllConnections()
    await once(next, 'close')
    const [error] = (await once(connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNREFUSED')
    client.write(keep('/mine'))
    await client.until('</mine>')
    client.socket.destroy()
    await closed
  })
})
