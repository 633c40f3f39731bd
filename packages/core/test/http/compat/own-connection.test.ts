import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { Site, describeCompat, describePrivateCompat, get } from './hosts.ts'

const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'

describePrivateCompat('an app with its port to itself', (host) => {
  test.each([
    [
      'keep-alive, in its place',
      (r: ServerResponse) => r.writeHead(200, { A: '1', Connection: 'keep-alive', B: '2' }),
      /\r\nA: 1\r\nConnection: keep-alive\r\nB: 2\r\n/,
    ],
    [
      'close, as it is written',
      (r: ServerResponse) => r.writeHead(200, { connection: 'CLOSE', b: '2' }),
      /\r\nconnection: CLOSE\r\nb: 2\r\n/,
    ],
    ['nothing', (r: ServerResponse) => r.removeHeader('Connection'), /^(?!.*(?:Connection|Keep-Alive))/s],
  ])('says what it likes of the connection: %s', async (_what, prepare, expected) => {
    await using site = await Site.open(host, (_request, response) => {
      prepare(response)
      response.end('body')
    })
    const client = await site.client()
    client.write(GET)
    expect(await client.until('body')).toMatch(expected)
    expect(client.text).toMatch(/\r\n(?:Content-Length: 4|Transfer-Encoding: chunked)\r\n/)
  })

  test('announces the end of a connection, and refuses what comes all the same', async () => {
    let drops = 0
    await using site = await Site.open(host, (_request, response) => response.end('served'))
    site.server.maxRequestsPerSocket = 1
    site.server.on('dropRequest', () => drops++)
    const client = await site.client()
    client.write(GET)
    expect(await client.until('served')).toMatch(/\r\nConnection: close\r\n/)
    client.write(GET)
    expect(await client.until('\r\n\r\n', 2)).toMatch(/served\s?.*HTTP\/1.1 503 Service Unavailable\r\n/s)
    expect(drops).toBe(1)
  })

  test('takes blank lines before the end for no request', async () => {
    await using site = await Site.open(host, (_request, response) => response.end('served'))
    const client = await site.client()
    client.write(`${GET}\r\n\r\n`)
    await client.until('served')
    client.socket.end()
    expect(await client.untilEnd()).toMatch(/served$/)
  })
})

describeCompat('the end of a connection', (host) => {
  test('that a response asks for shows on its socket when the response is finished', async () => {
    let isEnded: boolean | undefined
    await using site = await Site.open(host, (request, response) => {
      response.on('finish', () => (isEnded = request.socket.writableEnded))
      response.end('body')
    })
    expect(await site.exchange(get())).toMatch(/body$/)
    expect(isEnded).toBe(true)
  })

  test('is told to a socket that nobody reads', async () => {
    await using site = await Site.open(host)
    site.server.on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 101 Yes\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')
      socket.on('end', () => socket.end('bye'))
    })
    const client = await site.client()
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
    await client.until('\r\n\r\n')
    client.socket.end()
    expect(await client.untilEnd()).toMatch(/bye$/)
  })

  test('follows an error that the app emits on the socket', async () => {
    const seen: unknown[] = []
    await using site = await Site.open(host, (_request, response) => {
      response.on('close', () => seen.push('close'))
      response.write('begun', () => response.socket!.emit('error', new Error('kaboom')))
    })
    const text = await site.exchange(get())
    expect(text).toMatch(/5\r\nbegun\r\n$/)
    await expect.poll(() => seen).toEqual(['close'])
  })
})
