import { once } from 'node:events'
import { Server, createServer } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import httpsys from '../../../src/index.ts'
import { Site, codeOf, describeCompat, describePrivateCompat, get } from './hosts.ts'

describeCompat('server', (host) => {
  test('address() tells the port in the tick of listen(0), and null after close', async () => {
    const server = createServer()
    host.listen(server)
    expect(server.listening).toBe(true)
    const { port } = server.address() as AddressInfo
    expect(port).toBeGreaterThan(0)
    await once(server, 'listening')
    expect((server.address() as AddressInfo).port).toBe(port)
    server.close()
    expect([server.listening, server.address()]).toEqual([false, null])
    await once(server, 'close')
  })

  test('a client may connect in the tick of listen(0)', async () => {
    const server = createServer((_request, response) => response.end('here'))
    host.listen(server)
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    expect(await response.text()).toBe('here')
    server.close()
    server.closeAllConnections()
  })

  test('a second listen throws ERR_SERVER_ALREADY_LISTEN', async () => {
    await using site = await Site.open(host)
    expect(codeOf(() => host.listen(site.server))).toBe('ERR_SERVER_ALREADY_LISTEN')
  })

  test('close calls back, a second time with ERR_SERVER_NOT_RUNNING', async () => {
    await using site = await Site.open(host)
    const outcome = (): Promise<string | undefined> =>
      new Promise((resolve) =>
        site.server.close((error) => resolve((error as NodeJS.ErrnoException | undefined)?.code)),
      )
    expect(await outcome()).toBeUndefined()
    expect(await outcome()).toBe('ERR_SERVER_NOT_RUNNING')
  })

  test('a closed server listens again', async () => {
    const server = createServer((_request, response) => response.end('again'))
    for (let round = 0; round < 2; round++) {
      host.listen(server)
      await once(server, 'listening')
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      expect(await (await fetch(url, { headers: { connection: 'close' } })).text()).toBe('again')
      server.close()
      await once(server, 'close')
    }
  })

  test('disposing closes', async () => {
    await using site = await Site.open(host)
    await site.server[Symbol.asyncDispose]()
    expect(site.server.listening).toBe(false)
  })

  test('getConnections counts clients under way', async () => {
    await using site = await Site.open(host)
    const client = await site.client()
    const arrived = once(site.server, 'request')
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await arrived
    const count = await new Promise((resolve) => site.server.getConnections((_error, found) => resolve(found)))
    expect(count).toBe(1)
  })

  test('closeAllConnections breaks requests under way', async () => {
    await using site = await Site.open(host)
    const client = await site.client()
    const arrived = once(site.server, 'request')
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await arrived
    site.server.closeAllConnections()
    expect(await client.untilEnd()).toBe('')
  })

  test('close waits for a request under way', async () => {
    await using site = await Site.open(host)
    const client = await site.client()
    const arrived = once(site.server, 'request')
    client.write(get())
    const [, response] = await arrived
    let isClosed = false
    const closed = new Promise<void>((resolve) => {
      site.server.close(() => {
        isClosed = true
        resolve()
      })
    })
    expect(isClosed).toBe(false)
    response.end('last')
    expect(await client.untilEnd()).toMatch(/last$/)
    await closed
  })

  test('connection is emitted with the socket of the request', async () => {
    await using site = await Site.open(host, (_request, response) => response.end())
    const sockets: Duplex[] = []
    site.server.on('connection', (socket) => sockets.push(socket))
    site.server.on('request', (request) => sockets.push(request.socket))
    await site.exchange(get())
    expect(sockets).toHaveLength(2)
    expect(sockets[0]).toBe(sockets[1])
  })

  test('checkContinue takes the place of request', async () => {
    await using site = await Site.open(host)
    site.server.on('checkContinue', (request, response) => {
      response.writeContinue()
      request.resume().on('end', () => response.end('continued'))
    })
    const client = await site.client()
    client.write(
      'POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n',
    )
    await client.until('HTTP/1.1 100 Continue\r\n\r\n')
    client.write('hi')
    expect(await client.untilEnd()).toMatch(/continued$/)
  })

  test('checkExpectation sees other expectations, which are refused with 417 otherwise', async () => {
    await using site = await Site.open(host)
    expect(await site.exchange(get('/', 'Expect: gold\r\n'))).toMatch(/^HTTP\/1\.1 417 /)
    site.server.on('checkExpectation', (_request, response) => response.end('met'))
    expect(await site.exchange(get('/', 'Expect: gold\r\n'))).toMatch(/met$/)
  })

  test('setTimeout closes connections on which nothing happens', async () => {
    await using site = await Site.open(host, () => {})
    site.server.setTimeout(20)
    expect(await site.exchange('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')).toBe('')
  })

  test('timeout hands the socket to the listener, who decides', async () => {
    await using site = await Site.open(host, () => {})
    site.server.setTimeout(20, (socket) => socket.destroy())
    expect(site.server.timeout).toBe(20)
    expect(await site.exchange('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')).toBe('')
  })

  test('maxHeadersCount bounds the headers of a request', async () => {
    await using site = await Site.open(host, (request, response) => {
      response.end(Object.keys(request.headers).join())
    })
    site.server.maxHeadersCount = 2
    // Newer releases of node:http refuse the request, older ones and ours leave the others out.
    expect(await site.exchange(get('/', 'X-Third: 3\r\n'))).toMatch(/\r\n\r\nhost,connection$|^HTTP\/1\.1 431 /)
  })

  test('options of createServer are followed: joined fields, unique fields, high-water marks', async () => {
    const options = { joinDuplicateHeaders: true, uniqueHeaders: ['X-Once'], highWaterMark: 12_345 }
    const marks: number[] = []
    await using site = await Site.open(
      host,
      (request, response) => {
        marks.push(request.readableHighWaterMark, response.writableHighWaterMark, request.socket.writableHighWaterMark)
        // Without its socket a response has only its own to tell.
        response.on('close', () => marks.push(response.writableHighWaterMark))
        response.setHeader('X-Once', ['1', '2']).setHeader('X-Twice', ['1', '2']).end(`<${request.headers.from}>`)
      },
      options,
    )
    const answer = await site.exchange(get('/', 'From: a\r\nFrom: b\r\n'))
    expect(answer).toMatch(/\r\nX-Once: 1; 2\r\nX-Twice: 1\r\nX-Twice: 2\r\n[^]*<a, b>/)
    await expect.poll(() => marks).toEqual([12_345, 12_345, 12_345, 12_345])
  })

  test('maxRequestsPerSocket is announced and kept', async () => {
    await using site = await Site.open(host, (_request, response) => response.end(), { keepAliveTimeout: 7000 })
    site.server.maxRequestsPerSocket = 2
    const client = await site.client()
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect(await client.until('\r\n\r\n')).toMatch(
      /Connection: keep-alive\r\nKeep-Alive: timeout=7, max=2\r\n|Keep-Alive: timeout=7, max=2\r\n(.*\r\n)*Connection: keep-alive/,
    )
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect(await client.until('\r\n\r\n', 2)).toMatch(/Connection: close/)
  })

  test('keepAliveTimeout is announced', async () => {
    await using site = await Site.open(host, (_request, response) => response.end(), { keepAliveTimeout: 33_000 })
    const client = await site.client()
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect(await client.until('\r\n\r\n')).toMatch(/Keep-Alive: timeout=33\r\n/)
  })

  test('is a http.Server', async () => {
    await using site = await Site.open(host)
    expect(site.server).toBeInstanceOf(Server)
  })
})

describePrivateCompat('server with its own connections', (host) => {
  test('connection is emitted when a client connects', async () => {
    await using site = await Site.open(host)
    const connected = once(site.server, 'connection')
    await site.client()
    const [socket] = await connected
    expect(socket.remoteAddress).toBe('::ffff:127.0.0.1')
  })

  test('closeIdleConnections closes connections without a request, and no others', async () => {
    await using site = await Site.open(host)
    site.server.on('request', (request, response) => {
      if (request.url === '/idle') response.end()
    })
    const [idle, busy] = [await site.client(), await site.client()]
    idle.write('GET /idle HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await idle.until('\r\n\r\n')
    const arrived = once(site.server, 'request')
    busy.write(get('/busy'))
    const [, response] = await arrived
    site.server.closeIdleConnections()
    await idle.untilEnd()
    // Also while the client does not close its side.
    const count = (): Promise<number> =>
      new Promise((resolve) => site.server.getConnections((_error, found) => resolve(found)))
    await expect.poll(count).toBe(1)
    response.end('not idle')
    expect(await busy.untilEnd()).toMatch(/not idle$/)
  })

  test('keepAliveTimeout ends idle connections', async () => {
    await using site = await Site.open(host, (_request, response) => response.end('x'), { keepAliveTimeout: 30 })
    const client = await site.client()
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect(await client.untilEnd()).toMatch(/x$/)
  })

  test('keepAliveTimeoutBuffer is added to it', async () => {
    await using site = await Site.open(host, (_request, response) => response.end('x'), { keepAliveTimeout: 30 })
    Object.assign(site.server, { keepAliveTimeoutBuffer: 300 })
    const client = await site.client()
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await client.until(/x$/)
    const since = performance.now()
    await client.untilEnd()
    // What has come to the client has left a moment before.
    expect(performance.now() - since).toBeGreaterThan(250)
  })

  test('headersTimeout is answered with 408', async () => {
    const options = { headersTimeout: 1000, requestTimeout: 5000, connectionsCheckingInterval: 100 }
    await using site = await Site.open(host, undefined, options)
    const answer = await site.exchange('GET / HTTP/1.1\r\nHost: localhost\r\n')
    expect(answer).toBe('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n')
  })

  test('limits that are no numbers are no limits', async () => {
    const server = createServer((_request, response) => response.end('served'))
    Object.assign(server, { headersTimeout: undefined, requestTimeout: Infinity })
    host.listen(server)
    await once(server, 'listening')
    expect(await (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)).text()).toBe('served')
    server.close()
    server.closeAllConnections()
  })

  test('requestTimeout is answered with 408', async () => {
    const options = { headersTimeout: 1000, requestTimeout: 1000, connectionsCheckingInterval: 100 }
    await using site = await Site.open(host, () => {}, options)
    const answer = await site.exchange('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf')
    expect(answer).toBe('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n')
  })

  test.each([
    ['a request that is none', 'what?\r\n\r\n', '400 Bad Request'],
    ['an unknown method', 'BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n', '400 Bad Request'],
    [
      'a head that is too long',
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      '431 Request Header Fields Too Large',
    ],
    ['a head that ends too early', 'GET / HT', '400 Bad Request'],
  ])('%s is answered as node:http does', async (_what, request, status) => {
    await using site = await Site.open(host, (_request, response) => response.end())
    const client = await site.client()
    client.write(request)
    client.socket.end()
    expect(await client.untilEnd()).toBe(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`)
  })

  test.each([
    ['another method', 'FOO / HTTP/1.1\r\nHost: x\r\n\r\n', 'HPE_INVALID_METHOD', 'Invalid method encountered', 1],
    ['another method, and no version', 'BREW /\r\n\r\n', 'HPE_INVALID_METHOD', 'Invalid method encountered', 1],
    ['a word', 'what?\r\n\r\n', 'HPE_INVALID_METHOD', 'Invalid method encountered', 0],
    ['another protocol', 'GET / FTP/1.1\r\nHost: x\r\n\r\n', 'HPE_INVALID_CONSTANT', 'Expected HTTP/, RTSP/ or ICE/'],
    ['another version', 'GET / HTTP/9.1\r\nHost: x\r\n\r\n', 'HPE_INVALID_VERSION', 'Invalid HTTP version'],
    [
      'a carriage return alone',
      'GET / HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n',
      'HPE_LF_EXPECTED',
      'Missing expected LF after header value',
    ],
    [
      'a space in a name',
      'GET / HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n',
      'HPE_INVALID_HEADER_TOKEN',
      'Invalid header token',
    ],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      'HPE_UNEXPECTED_CONTENT_LENGTH',
      'Duplicate Content-Length',
    ],
    [
      'a length that is none',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n',
      'HPE_INVALID_CONTENT_LENGTH',
      'Invalid character in Content-Length',
    ],
  ])('clientError is told what is wrong with %s', async (_what, request, code, reason, bytesParsed?: number) => {
    await using site = await Site.open(host)
    const told = once(site.server, 'clientError')
    const client = await site.client()
    client.write(request)
    const [error, socket] = (await told) as [Error & { rawPacket: Buffer }, Socket]
    expect(error).toMatchObject({ code, reason, message: `Parse Error: ${reason}` })
    expect(error.rawPacket.toString()).toBe(request)
    if (bytesParsed !== undefined) expect(error).toMatchObject({ bytesParsed })
    socket.destroy()
  })

  test('a port that is closed refuses clients and can be listened on, both at once', async () => {
    await using first = await Site.open(host, (_request, response) => response.end('first'))
    const { port } = first
    first.server.close()
    const [error] = (await once(connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNREFUSED')
    const second = createServer((_request, response) => response.end('second'))
    host.listen(second, port)
    await once(second, 'listening')
    const third = createServer((_request, response) => response.end('third'))
    second.close()
    host.listen(third, port)
    await once(third, 'listening')
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('third')
    third.close()
    third.closeAllConnections()
    await once(third, 'close')
  })

  test.each([
    ['a server', (server: Server) => server],
    ['an app with a server', (server: Server) => ({ server, close: () => server.close() })],
  ])('the port of %s that retires refuses clients, and its successor can listen on it', async (_what, appOf) => {
    await using first = await Site.open(host)
    const { port } = first
    httpsys.retire(appOf(first.server))
    await once(first.server, 'close')
    const [error] = (await once(connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNREFUSED')
    const second = createServer((_request, response) => response.end('second'))
    host.listen(second, port)
    await once(second, 'listening')
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('second')
    second.close()
    second.closeAllConnections()
    await once(second, 'close')
  })

  test('clientError lets the app answer', async () => {
    await using site = await Site.open(host)
    let found: NodeJS.ErrnoException & { rawPacket?: Buffer } = new Error()
    site.server.on('clientError', (error, socket) => {
      found = error
      socket.end('HTTP/1.1 418 Teapot\r\nX-Mine: yes\r\n\r\n')
    })
    const answer = await site.exchange('GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n')
    expect(answer).toBe('HTTP/1.1 418 Teapot\r\nX-Mine: yes\r\n\r\n')
    expect(found.code).toBe('HPE_INVALID_CONTENT_LENGTH')
    expect(found.rawPacket?.toString()).toMatch(/^GET \/ HTTP/)
  })

  test('a request without a Host field is refused unless the server allows it', async () => {
    const bare = 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n'
    await using strict = await Site.open(host, (_request, response) => response.end('served'))
    expect(await strict.exchange(bare)).toMatch(/^HTTP\/1\.1 400 /)
    await using lax = await Site.open(host, (_request, response) => response.end('served'), {
      requireHostHeader: false,
    })
    expect(await lax.exchange(bare)).toMatch(/served$/)
  })

  test('connect gives the app the connection', async () => {
    await using site = await Site.open(host)
    site.server.on('connect', (request, socket) => {
      socket.write(`HTTP/1.1 200 Connection Established\r\n\r\n${request.url} `)
      socket.pipe(socket)
    })
    const client = await site.client()
    client.write('CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n')
    await client.until('HTTP/1.1 200 Connection Established\r\n\r\nexample.com:443 ')
    client.write('echo')
    await client.until(/echo$/)
  })

  test('what answers an upgrade reaches the client unchanged', async () => {
    await using site = await Site.open(host)
    site.server.on('upgrade', (_request, socket) =>
      socket.end('HTTP/1.1 101 Yes\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nraw'),
    )
    const client = await site.client()
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
    expect(await client.untilEnd()).toBe('HTTP/1.1 101 Yes\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nraw')
  })

  test('a port that is taken is an asynchronous EADDRINUSE', async () => {
    await using site = await Site.open(host)
    const second = createServer()
    let isSynchronous = true
    const failed = once(second, 'error').then(([error]) => [(error as NodeJS.ErrnoException).code, isSynchronous])
    const { port } = site
    host.listen(second, port)
    isSynchronous = false
    expect(await failed).toEqual(['EADDRINUSE', false])
    expect(second.listening).toBe(false)
  })
})
