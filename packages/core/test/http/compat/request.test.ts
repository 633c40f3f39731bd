import { once } from 'node:events'
import { IncomingMessage, request as httpRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { Site, describeCompat, get } from './hosts.ts'

describeCompat('request', (host) => {
  test('method, url, version and headers are as the client wrote them', async () => {
    let seen: unknown
    await using site = await Site.open(host, (request, response) => {
      const { method, url, httpVersion, rawHeaders, headers, headersDistinct } = request
      seen = { method, url, httpVersion, rawHeaders, headers: { ...headers }, twice: headersDistinct['x-twice'] }
      response.end()
    })
    await site.exchange(
      'PATCH //a/../b%2f?q=1;2 HTTP/1.1\r\nHost: localhost\r\nX-Twice: 1\r\nx-twice: 2\r\nCookie: a\r\ncookie: b\r\nSet-Cookie: c\r\nAge: 1\r\nAge: 2\r\nConnection: close\r\n\r\n',
    )
    expect(seen).toEqual({
      method: 'PATCH',
      url: '//a/../b%2f?q=1;2',
      httpVersion: '1.1',
      rawHeaders:
        'Host localhost X-Twice 1 x-twice 2 Cookie a cookie b Set-Cookie c Age 1 Age 2 Connection close'.split(' '),
      headers: {
        host: 'localhost',
        'x-twice': '1, 2',
        cookie: 'a; b',
        'set-cookie': ['c'],
        age: '1',
        connection: 'close',
      },
      twice: ['1', '2'],
    })
  })

  test('is an IncomingMessage, without a body already complete', async () => {
    let seen: unknown
    await using site = await Site.open(host, (request, response) => {
      request.resume().on('end', () => {
        seen = [request instanceof IncomingMessage, request.complete, request.readableEnded, request.aborted]
        response.end()
      })
    })
    await site.exchange(get())
    expect(seen).toEqual([true, true, true, false])
  })

  test('body and trailers arrive, setEncoding decodes', async () => {
    let seen: unknown
    await using site = await Site.open(host, (request, response) => {
      let body = ''
      request.setEncoding('utf8')
      request.on('data', (chunk: string) => (body += chunk))
      request.on('end', () => {
        seen = [body, request.trailers, request.rawTrailers, request.trailersDistinct, request.complete]
        response.end()
      })
    })
    await site.exchange(
      'POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\xc3\xa9\r\n0\r\nX-Sum: 7\r\n\r\n',
    )
    expect(seen).toEqual(['é', { 'x-sum': '7' }, ['X-Sum', '7'], { 'x-sum': ['7'] }, true])
  })

  test.each([
    ['before its body is read', 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n', false],
    ['while its body is read', 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345', true],
  ])('a client that leaves %s is seen by request, response and socket', async (_when, head, isReading) => {
    const seen: string[] = []
    let onAll: () => void
    const all = new Promise<void>((resolve) => (onAll = resolve))
    const note = (event: string): void => {
      seen.push(event)
      if (seen.filter((name) => name.endsWith('close')).length === 3) onAll()
    }
    await using site = await Site.open(host, (request, response) => {
      request.on('error', (error: NodeJS.ErrnoException) => note(`request ${error.code}`))
      request.on('aborted', () => note('request aborted'))
      request.on('close', () => note('request close'))
      response.on('close', () => note('response close'))
      request.socket.on('close', () => note('socket close'))
      if (isReading) request.on('data', () => client.socket.destroy())
      else client.socket.destroy()
    })
    const client = await site.client()
    client.write(head)
    await all
    expect(seen.toSorted()).toEqual([
      'request ECONNRESET',
      'request aborted',
      'request close',
      'response close',
      'socket close',
    ])
  })

  test('a client that leaves while the response streams is seen by the response', async () => {
    await using site = await Site.open(host, (_request, response) => response.write('first'))
    const client = await site.client()
    const arrived = once(site.server, 'request')
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const [, response] = await arrived
    await client.until('first')
    const closed = once(response, 'close')
    client.socket.destroy()
    await closed
    expect([response.writableFinished, response.destroyed]).toEqual([false, true])
  })

  test('destroy breaks the connection', async () => {
    await using site = await Site.open(host, (request) => request.destroy())
    expect(await site.exchange(get())).toBe('')
  })

  test('setTimeout tells request and its listener', async () => {
    await using site = await Site.open(host, (request) => {
      request.setTimeout(10, () => request.socket.destroy())
    })
    expect(await site.exchange('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n')).toBe('')
  })

  test('a body that nobody reads does not hold the next request up', async () => {
    await using site = await Site.open(host, (_request, response) => response.end('ok'))
    const client = await site.client()
    client.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(200_000)}`)
    await client.until('ok')
    client.write(get())
    await client.until('ok', 2)
  })

  test('pipes', async () => {
    await using site = await Site.open(host, (request, response) => void request.pipe(response))
    const client = httpRequest({ port: site.port, method: 'POST', agent: false })
    client.end('x'.repeat(300_000))
    const [answer] = await once(client, 'response')
    expect((await text(answer)).length).toBe(300_000)
  })
})

describeCompat('socket', (host) => {
  test('tells both ends of the connection', async () => {
    let seen: Record<string, unknown> = {}
    await using site = await Site.open(host, ({ socket }, response) => {
      const { remoteAddress, remotePort, localPort, encrypted, readyState } = socket as typeof socket & {
        encrypted?: boolean
      }
      seen = { remoteAddress: remoteAddress?.replace('::ffff:', ''), remotePort, localPort, encrypted, readyState }
      response.end()
    })
    const client = await site.client()
    const { localPort } = client.socket
    client.write(get())
    await client.untilEnd()
    expect(seen).toEqual({
      remoteAddress: '127.0.0.1',
      remotePort: localPort,
      localPort: site.port,
      encrypted: undefined,
      readyState: 'open',
    })
  })

  test('is a net.Socket, the same for the requests of a connection, and counts', async () => {
    const { Socket } = await import('node:net')
    const sockets: unknown[] = []
    await using site = await Site.open(host, ({ socket }, response) => {
      sockets.push(socket)
      response.end('abc', () => expect(socket.bytesWritten).toBeGreaterThan(2))
    })
    const client = await site.client()
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await client.until('abc')
    client.write(get())
    await client.untilEnd()
    expect(sockets[0]).toBeInstanceOf(Socket)
    expect(sockets[1]).toBe(sockets[0])
  })

  test('its setters return it, and setEncoding is refused', async () => {
    let seen: unknown
    await using site = await Site.open(host, ({ socket }, response) => {
      const chained = [socket.setNoDelay(true), socket.setKeepAlive(true), socket.ref(), socket.unref()]
      let code: unknown
      try {
        socket.setEncoding('utf8')
      } catch (error) {
        code = (error as NodeJS.ErrnoException).code
      }
      seen = [chained.every((value) => value === socket), code]
      socket.ref()
      response.end()
    })
    await site.exchange(get())
    expect(seen).toEqual([true, 'ERR_HTTP_SOCKET_ENCODING'])
  })

  test('destroySoon lets the response out', async () => {
    await using site = await Site.open(host, ({ socket }, response) => {
      response.end('out')
      response.on('finish', () => socket.destroySoon())
    })
    expect(await site.exchange('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')).toMatch(/out$/)
  })
})
