import { once } from 'node:events'
import { Agent, createServer, get, request } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import httpsys, { HttpSysError } from '../../src/index.ts'
import { startBroker } from '../support/broker-fixture.ts'
import type { BrokerFixture } from '../support/broker-fixture.ts'
import { RawClient } from '../support/raw-client.ts'

let fixture: BrokerFixture
beforeAll(async () => {
  fixture = await startBroker()
})
afterAll(async () => {
  expect(fixture.violations).toEqual([])
  await fixture.close()
})

interface Listening extends AsyncDisposable {
  readonly server: Server
  readonly port: number
}

/** A server on `/app/` of a free port. */
async function serve(handler: RequestListener, text = 'http://localhost:0/app/'): Promise<Listening> {
  const server = createServer(handler)
  server.listen(httpsys.prefix(text))
  await once(server, 'listening')
  const dispose = async (): Promise<void> => {
    if (!server.listening) return
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  return { server, port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: dispose }
}

async function fetchText(
  port: number,
  path: string,
  init?: RequestInit,
): Promise<{ status: number; text: string; headers: Headers }> {
  const response = await fetch(`http://localhost:${port}${path}`, init)
  return { status: response.status, text: await response.text(), headers: response.headers }
}

describe('listen on a prefix', () => {
  test('calls back, emits listening, and shows where it listens', async () => {
    const server = createServer()
    let isCalled = false
    expect(server.listen(httpsys.prefix('http://localhost:0/app/'), () => (isCalled = true))).toBe(server)
    expect(server.listening).toBe(true)
    await once(server, 'listening')
    expect(isCalled).toBe(true)
    const address = server.address() as AddressInfo & { prefix: string }
    expect(address).toMatchObject({
      address: '127.0.0.1',
      family: 'IPv4',
      prefix: `http://localhost:${address.port}/app/`,
    })
    server.close()
    await once(server, 'close')
    expect([server.listening, server.address()]).toEqual([false, null])
  })

  test('keeps the full path on plain http, and strips it when asked to', async () => {
    await using full = await serve((req, res) => res.end(req.url))
    expect((await fetchText(full.port, '/app/a?b')).text).toBe('/app/a?b')
    const stripped = createServer((req, res) =>
      res.end(JSON.stringify([req.url, (req as { originalUrl?: string }).originalUrl])),
    )
    stripped.listen(httpsys.prefix(`http://localhost:${full.port}/Strip/Me/`, { strip: true }))
    await once(stripped, 'listening')
    expect((await fetchText(full.port, '/strip/ME/x?y')).text).toBe('["/x?y","/strip/ME/x?y"]')
    expect((await fetchText(full.port, '/strip/me?y')).text).toBe('["/?y","/strip/me?y"]')
    stripped.close()
    await once(stripped, 'close')
  })

  test('twice on one server throws as node:http does', async () => {
    await using one = await serve(() => {})
    expect(() => one.server.listen(httpsys.prefix('/other/'))).toThrow(
      expect.objectContaining({ code: 'ERR_SERVER_ALREADY_LISTEN' }),
    )
  })

  test('a taken prefix is an error event that names it', async () => {
    await using one = await serve(() => {})
    const second = createServer().listen(httpsys.prefix(`http://localhost:${one.port}/APP/`))
    const [error] = (await once(second, 'error')) as [HttpSysError]
    expect(error).toBeInstanceOf(HttpSysError)
    expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'listen', subject: `http://localhost:${one.port}/APP/` })
    expect(second.listening).toBe(false)
  })

  test('a taken TCP port is an error event that names the port', async () => {
    const holder = createTcpServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as AddressInfo
    const [error] = (await once(createServer().listen(httpsys.prefix(`http://localhost:${port}/`)), 'error')) as [
      HttpSysError,
    ]
    expect(error).toMatchObject({ code: 'EADDRINUSE', subject: `port ${port}` })
    holder.close()
  })

  test('leaves listen on TCP alone', async () => {
    const server = createServer((_req, res) => res.end('tcp')).listen(0)
    await once(server, 'listening')
    expect((await fetchText((server.address() as AddressInfo).port, '/')).text).toBe('tcp')
    server.close()
    server.closeAllConnections()
  })
})

describe('close', () => {
  test('gives the prefix back at once, and twice is an error for the second callback only', async () => {
    const one = await serve(() => {})
    const first = new Promise((resolve) => one.server.close(resolve))
    const second = new Promise((resolve) => one.server.close(resolve))
    expect(await first).toBeUndefined()
    expect(await second).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' })
    const again = await serve(() => {}, `http://localhost:${one.port}/app/`)
    await again[Symbol.asyncDispose]()
  })

  test('before the claim was answered lets go of it', async () => {
    await using anchor = await serve(() => {})
    const early = createServer().listen(httpsys.prefix(`http://localhost:${anchor.port}/early/`))
    early.close()
    await once(early, 'close')
    const next = await serve(() => {}, `http://localhost:${anchor.port}/early/`)
    await next[Symbol.asyncDispose]()
  })

  test('waits for what is under way', async () => {
    let finish = (): void => {}
    await using anchor = await serve(() => {})
    const one = await serve((_req, res) => (finish = () => res.end('late')), `http://localhost:${anchor.port}/late/`)
    const answer = fetchText(one.port, '/late/')
    await once(one.server, 'request')
    let isClosed = false
    const closed = new Promise<void>((resolve) => {
      one.server.close(() => {
        isClosed = true
        resolve()
      })
    })
    // The prefix is free before the server is closed.
    await expect.poll(() => fetchText(anchor.port, '/late/').then(({ status }) => status)).toBe(404)
    expect(isClosed).toBe(false)
    finish()
    expect((await answer).text).toBe('late')
    await closed
  })

  test('closeAllConnections breaks what is under way', async () => {
    const one = await serve(() => {})
    const answer = fetchText(one.port, '/app/')
    answer.catch(() => {})
    await once(one.server, 'request')
    one.server.close()
    one.server.closeAllConnections()
    await expect(answer).rejects.toThrow('fetch failed')
  })
})

describe('requests', () => {
  test('carry method, headers, address and connection like those of node:http', async () => {
    await using one = await serve((req, res) => {
      const { remoteAddress, remotePort, remoteFamily, localPort } = req.socket
      res.end(
        JSON.stringify({
          method: req.method,
          raw: req.rawHeaders,
          a: req.headers['x-a'],
          remoteAddress,
          remotePort,
          remoteFamily,
          localPort,
          version: req.httpVersion,
        }),
      )
    })
    using client = await RawClient.open(one.port)
    client.write('PROPFIND /app/ HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\nx-a:  2 \r\nConnection: close\r\n\r\n')
    const body = (await client.untilEnd()).split('\r\n\r\n')[1]!
    expect(JSON.parse(body)).toEqual({
      method: 'PROPFIND',
      raw: ['Host', 'localhost', 'X-A', '1', 'x-a', '2', 'Connection', 'close'],
      a: '1, 2',
      remoteAddress: '127.0.0.1',
      remotePort: client.socket.localPort,
      remoteFamily: 'IPv4',
      localPort: one.port,
      version: '1.1',
    })
  })

  test('of one connection have one socket', async () => {
    const sockets = new Set<unknown>()
    await using one = await serve((req, res) => {
      sockets.add(req.socket)
      res.end('x')
    })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let count = 0; count < 3; count++) {
      const [response] = (await once(get(`http://localhost:${one.port}/app/`, { agent }), 'response')) as [
        IncomingMessage,
      ]
      response.resume()
      await once(response, 'end')
    }
    agent.destroy()
    expect(sockets.size).toBe(1)
  })

  test.each([
    ['Content-Length', 'Content-Length: 11\r\n\r\nhello world'],
    ['chunks', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n'],
  ])('bring a body in %s', async (_what, rest) => {
    await using one = await serve((req, res) => void req.pipe(res))
    using client = await RawClient.open(one.port)
    client.write(`POST /app/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${rest}`)
    expect(await client.untilEnd()).toMatch(/hello\s*(?:6\s*)? ?world/)
  })

  test('bring trailers', async () => {
    await using one = await serve((req, res) => {
      req.resume().on('end', () => res.end(JSON.stringify([req.trailers, req.rawTrailers])))
    })
    using client = await RawClient.open(one.port)
    client.write(
      'POST /app/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n',
    )
    expect(await client.untilEnd()).toContain('[{"x-sum":"1"},["X-Sum","1"]]')
  })

  test('that nobody reads do not keep the next one from being answered', async () => {
    await using one = await serve((_req, res) => res.end('unread'))
    using client = await RawClient.open(one.port)
    const body = 'x'.repeat(500_000)
    client.write(`POST /app/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    client.write('GET /app/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await client.until('unread', 2)
  })

  test('that expect 100-continue are asked to go on, or not, by the app', async () => {
    await using one = await serve((req, res) => void req.pipe(res))
    using client = await RawClient.open(one.port)
    client.write('POST /app/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n')
    await client.until('HTTP/1.1 100 Continue\r\n\r\n')
    client.write('body')
    await client.until(/body/)
    one.server.on('checkContinue', (_req, res) => res.writeHead(413).end())
    using refused = await RawClient.open(one.port)
    refused.write('POST /app/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n')
    expect(await refused.untilEnd()).toMatch(/^HTTP\/1\.1 413 /)
    using odd = await RawClient.open(one.port)
    odd.write('GET /app/ HTTP/1.1\r\nHost: localhost\r\nExpect: magic\r\nConnection: close\r\n\r\n')
    expect(await odd.untilEnd()).toMatch(/^HTTP\/1\.1 417 /)
  })
})

/** The response to one request, from its status line on. */
async function rawResponse(
  handler: RequestListener,
  head = 'GET /app/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
): Promise<string> {
  await using one = await serve(handler)
  using client = await RawClient.open(one.port)
  client.write(head)
  return await client.untilEnd()
}

describe('responses', () => {
  test('of one end() have a length, a date and the connection', async () => {
    const text = await rawResponse((_req, res) => res.end('hello'))
    expect(text).toMatch(
      /^HTTP\/1\.1 200 OK\r\nDate: [^\r]+ GMT\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello$/,
    )
  })

  test('in pieces are chunked', async () => {
    const text = await rawResponse((_req, res) => {
      res.write('one')
      res.write('two')
      res.end()
    })
    expect(text).toMatch(/\r\nTransfer-Encoding: chunked\r\n/)
    expect(text).toMatch(/\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n$/)
  })

  test.each([
    ['HEAD', 'HEAD', 200, /\r\n\r\n$/],
    ['204', 'GET', 204, /^(?!.*Content-Length)(?!.*Transfer-Encoding).*\r\n\r\n$/s],
    ['304', 'GET', 304, /^(?!.*Transfer-Encoding).*\r\n\r\n$/s],
  ])('to %s have no body', async (_what, method, status, pattern) => {
    const text = await rawResponse((_req, res) => {
      res.statusCode = status
      res.end('hello')
    }, `${method} /app/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    expect(text).toMatch(pattern)
  })

  test.each([
    ['end()', (res: ServerResponse, done: () => void) => res.end(done)],
    ['end(data)', (res: ServerResponse, done: () => void) => res.end('x', done)],
    ['end(data, encoding)', (res: ServerResponse, done: () => void) => res.end('x', 'latin1', done)],
    ['write, then end(data)', (res: ServerResponse, done: () => void) => res.write('a') && res.end('x', done)],
    ['writeHead, then end(data)', (res: ServerResponse, done: () => void) => res.writeHead(200).end('x', done)],
    [
      'a body larger than the window',
      (res: ServerResponse, done: () => void) => res.end(Buffer.alloc(1_000_000), done),
    ],
  ])('emit finish, call back and emit close, once each, after %s', async (_what, finish) => {
    const events: string[] = []
    let flags: unknown
    await rawResponse((_req, res) => {
      res.on('finish', () => {
        events.push('finish')
        flags = [res.writableEnded, res.writableFinished, res.headersSent]
      })
      res.on('close', () => events.push('close'))
      finish(res, () => events.push('callback'))
    })
    // Node 24 calls back before it emits finish, earlier ones after.
    await expect.poll(() => events.toSorted()).toEqual(['callback', 'close', 'finish'])
    expect(events[2]).toBe('close')
    expect(flags).toEqual([true, true, true])
  })

  test('to HEAD may tell a length, and the connection goes on', async () => {
    await using one = await serve((_req, res) => res.writeHead(200, { 'Content-Length': 5 }).end())
    using client = await RawClient.open(one.port)
    client.write('HEAD /app/ HTTP/1.1\r\nHost: localhost\r\n\r\nHEAD /nobody HTTP/1.1\r\nHost: localhost\r\n\r\n')
    client.write('HEAD /app/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    const heads = (await client.untilEnd()).split('\r\n\r\n')
    expect(heads.map((head) => head.slice(9, 12))).toEqual(['200', '404', '200', ''])
    expect(heads[0]).toContain('Content-Length: 5')
  })

  test('keep the app’s header names, values and lines', async () => {
    const text = await rawResponse((_req, res) => {
      res.setHeader('X-Mixed-cAsE', 'Value')
      res.setHeader('Set-Cookie', ['a=1', 'b=2'])
      res.writeHead(299, 'Fine So Far', { 'X-Umlaut': 'ä' })
      res.end()
    })
    expect(text).toMatch(/^HTTP\/1\.1 299 Fine So Far\r\n/)
    expect(text).toContain('X-Mixed-cAsE: Value\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Umlaut: ä\r\n')
    expect(text).not.toMatch(/server:/i)
  })

  test('carry informational heads and trailers', async () => {
    const text = await rawResponse((_req, res) => {
      res.writeProcessing()
      res.writeEarlyHints({ link: '</a.css>; rel=preload' })
      res.writeHead(200, { Trailer: 'X-Sum' })
      res.write('body')
      res.addTrailers({ 'X-Sum': '42' })
      res.end()
    })
    expect(text).toMatch(
      /^HTTP\/1\.1 102 Processing\r\n\r\nHTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
    )
    expect(text).toMatch(/0\r\nX-Sum: 42\r\n\r\n$/)
  })

  test('hold the app back when the client does not read, and say when to go on', async () => {
    let hasWaited = false
    await using one = await serve((_req, res) => {
      const piece = Buffer.alloc(65_536, 'x')
      let left = 512
      const write = (): void => {
        while (left-- > 0) {
          if (res.write(piece)) continue
          hasWaited = true
          return void res.once('drain', write)
        }
        res.end()
      }
      write()
    })
    const [response] = (await once(get(`http://localhost:${one.port}/app/`, { agent: false }), 'response')) as [
      IncomingMessage,
    ]
    let size = 0
    for await (const chunk of response) size += (chunk as Buffer).length
    expect([size, hasWaited]).toEqual([512 * 65_536, true])
  })

  test('with a head that no client would read are an error of that response only', async () => {
    await using one = await serve((req, res) => {
      if (req.url === '/app/small') return res.end('small')
      try {
        res.setHeader('X-Huge', 'x'.repeat(300_000))
        res.end()
      } catch (error) {
        res.removeHeader('X-Huge')
        res.end((error as NodeJS.ErrnoException).code)
      }
    })
    expect((await fetchText(one.port, '/app/huge')).text).toBe('ERR_HTTP_HEADERS_TOO_LARGE')
    expect((await fetchText(one.port, '/app/small')).text).toBe('small')
  })

  test('with a Content-Length that is no number are framed without it', async () => {
    const whole = await rawResponse((_req, res) => res.setHeader('Content-Length', 'many').end('hello'))
    expect(whole.match(/Content-Length: .*|Transfer-Encoding: .*/g)).toEqual(['Content-Length: 5'])
    const pieces = await rawResponse((_req, res) => {
      res.writeHead(200, { 'Content-Length': 'many' })
      res.write('one')
      res.end('two')
    })
    expect(pieces.match(/Content-Length: .*|Transfer-Encoding: .*/g)).toEqual(['Transfer-Encoding: chunked'])
    expect(pieces).toMatch(/\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n$/)
  })

  test('that break their own Content-Length break the connection, not the next response', async () => {
    const more = await rawResponse((_req, res) => {
      res.writeHead(200, { 'Content-Length': '3' })
      res.end('too much')
    })
    expect(more).not.toContain('too')
    const later = await rawResponse((_req, res) => {
      res.writeHead(200, { 'Content-Length': '4' })
      res.write('ab')
      setImmediate(() => res.end('cd and too much'))
    })
    expect(later).toMatch(/ab$/)
    const less = await rawResponse((_req, res) => {
      res.writeHead(200, { 'Content-Length': '30' })
      res.end('little')
    }, 'GET /app/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect(less).toMatch(/little$/)
  })

  test('a 101 that nobody asked for is an error', async () => {
    let code: string | undefined
    const text = await rawResponse((_req, res) => {
      res.statusCode = 101
      try {
        res.end()
      } catch (error) {
        code = (error as NodeJS.ErrnoException).code
        res.statusCode = 500
        res.end()
      }
    })
    expect(text).toMatch(/^HTTP\/1.1 500 /)
    expect(code).toBe('ERR_HTTP_INVALID_STATUS_CODE')
  })

  test.each([
    ['a header value with a line break', (res: ServerResponse) => res.setHeader('X', 'a\r\nB: c'), 'ERR_INVALID_CHAR'],
    ['a header name with a space', (res: ServerResponse) => res.setHeader('X Y', 'a'), 'ERR_INVALID_HTTP_TOKEN'],
    [
      'headers after the head',
      (res: ServerResponse) => res.flushHeaders() ?? res.setHeader('X', 'y'),
      'ERR_HTTP_HEADERS_SENT',
    ],
    ['a body that is no text and no bytes', (res: ServerResponse) => res.end({}), 'ERR_INVALID_ARG_TYPE'],
    ['a status that is none', (res: ServerResponse) => res.writeHead(42), 'ERR_HTTP_INVALID_STATUS_CODE'],
    ['a bad header in writeHead', (res: ServerResponse) => res.writeHead(200, { X: 'a\nb' }), 'ERR_INVALID_CHAR'],
  ])('%s is the error that node:http gives', async (_what, misuse, code) => {
    const outcome = (res: ServerResponse): void => {
      try {
        misuse(res)
        res.end('no error')
      } catch (error) {
        res.end((error as NodeJS.ErrnoException).code)
      }
    }
    expect(await rawResponse((_req, res) => outcome(res))).toContain(code)
  })
})

/** What an app sees of a client that leaves, in order. */
function watch(req: IncomingMessage, res: ServerResponse, events: string[]): void {
  for (const event of ['aborted', 'end', 'close'] as const) req.on(event, () => events.push(`req ${event}`))
  req.on('error', (error: NodeJS.ErrnoException) => events.push(`req error ${error.code}`))
  for (const event of ['finish', 'close'] as const) res.on(event, () => events.push(`res ${event}`))
}

describe('a client that leaves is noticed as with node:http', () => {
  const cases: readonly (readonly [string, string, RequestListener])[] = [
    ['before its request is answered', 'GET /app/ HTTP/1.1\r\nHost: localhost\r\n\r\n', () => {}],
    [
      'while it sends a body',
      'POST /app/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc',
      (req) => req.resume(),
    ],
    ['before its body is read', 'POST /app/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc', () => {}],
    ['while a response streams', 'GET /app/ HTTP/1.1\r\nHost: localhost\r\n\r\n', (_req, res) => res.write('begun')],
    [
      'after its body was read',
      'POST /app/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc',
      (req) => req.resume(),
    ],
  ]

  async function observe(
    server: Server,
    port: number,
    bytes: string,
    handler: RequestListener,
    leave: 'end' | 'reset',
  ) {
    const events: string[] = []
    const seen = new Promise<[IncomingMessage, ServerResponse]>((resolve) => {
      server.once('request', (req, res) => {
        watch(req, res, events)
        handler(req, res)
        resolve([req, res])
      })
    })
    const client = await RawClient.open(port)
    client.write(bytes)
    const [req, res] = await seen
    if (bytes.includes('Content-Length: 3')) await expect.poll(() => events).toContain('req end')
    if (leave === 'end') client.socket.destroy()
    else client.socket.resetAndDestroy()
    await once(res, 'close')
    await new Promise((resolve) => setImmediate(resolve))
    return {
      events: events.toSorted(),
      destroyed: [req.destroyed, res.destroyed],
      aborted: req.aborted,
      complete: req.complete,
    }
  }

  for (const leave of ['end', 'reset'] as const) {
    test.each(cases)(`%s (${leave})`, async (_what, bytes, handler) => {
      const tcp = createServer().listen(0)
      await once(tcp, 'listening')
      const expected = await observe(tcp, (tcp.address() as AddressInfo).port, bytes, handler, leave)
      tcp.close()
      await using ours = await serve(() => {})
      expect(await observe(ours.server, ours.port, bytes, handler, leave)).toEqual(expected)
    })
  }
})

test('a request that a client sent before it left is abandoned when its turn comes', async () => {
  const seen: string[] = []
  const abandoned = new Promise<void>((resolve) => {
    void serve((req, res) => {
      seen.push(req.url!)
      if (req.url === '/app/first') return res.end('first')
      res.on('close', resolve)
    }).then(async (one) => {
      const client = await RawClient.open(one.port)
      client.write(
        'GET /app/first HTTP/1.1\r\nHost: localhost\r\n\r\nGET /app/second HTTP/1.1\r\nHost: localhost\r\n\r\n',
      )
      client.socket.end()
      await client.untilEnd()
      await one[Symbol.asyncDispose]()
    })
  })
  await abandoned
  expect(seen).toEqual(['/app/first', '/app/second'])
})

test('a client that pipelines without end is no longer read, and answered in full later', async () => {
  let release = (): void => {}
  await using one = await serve((req, res) => {
    if (req.url === '/app/first') release = () => res.end('first ')
    else res.end('next ')
  })
  using client = await RawClient.open(one.port)
  client.write('GET /app/first HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await once(one.server, 'request')
  const next = 'GET /app/next HTTP/1.1\r\nHost: localhost\r\nX-Fill: ' + 'x'.repeat(8000) + '\r\n\r\n'
  // Far more than the kernel's buffers and the broker's 64 KiB hold.
  const count = 3000
  for (let index = 0; index < count; index++) client.write(next)
  for (let index = 0; index < 50; index++) await fetchText(one.port, '/app/other')
  expect(client.socket.writableLength).toBeGreaterThan(1024 * 1024)
  release()
  await client.until('next ', count)
})

test('a connection that has left HTTP goes when the app has ended and destroyed it, whatever its client does', async () => {
  await using one = await serve(() => {})
  one.server.on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 101 Yes\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nthe last word', () => socket.destroy())
  })
  using client = await RawClient.open(one.port)
  client.write('GET /app/ HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
  expect(await client.untilEnd()).toMatch(/the last word$/)
  const { port } = one
  await expect
    .poll(() => fixture.broker.status().queues.find(({ prefix }) => prefix.includes(`:${port}/`))?.connections)
    .toBe(0)
})

test('destroying the request breaks the connection', async () => {
  await using one = await serve((req) => req.destroy())
  const outgoing = request(`http://localhost:${one.port}/app/`, { agent: false }).end()
  const [error] = (await once(outgoing, 'error')) as [NodeJS.ErrnoException]
  expect(error.code).toBe('ECONNRESET')
})
