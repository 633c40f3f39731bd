import { connect } from 'node:net'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { AGE, CachedSite, numbered, readResponse, requestOf } from '../../../support/cached-site.ts'
import { RawClient } from '../../../support/raw-client.ts'

// What the kernel's cache of HTTP.SYS asks of a request and of its response, one by one, on the wire.

describe('a response with a policy', () => {
  test('answers the next request without the app, with its age and the date when it was made', async () => {
    await using site = await CachedSite.open(numbered(['X-App', 'yes']))
    const first = await site.ask('/2/a')
    const second = await site.ask('/2/a')
    expect(second).toEqual({ ...first, headers: { ...first.headers, age: AGE } })
    expect(second.headers['x-app']).toBe('yes')
    expect(site.seen).toEqual(['/2/a'])
    expect(site.cache).toMatchObject({ responses: 1, hits: 1, stored: 1 })
  })

  test('is kept until it is told otherwise, with { untilInvalidated: true }', async () => {
    await using site = await CachedSite.open((_request, response) => {
      response.cachePolicy = { untilInvalidated: true }
      response.end('for ever')
    })
    for (let count = 0; count < 3; count++) expect((await site.ask('/2/')).body).toBe('for ever')
    expect(site.seen).toHaveLength(1)
  })

  test('is not kept beyond its time to live', async () => {
    let count = 0
    await using site = await CachedSite.open((_request, response) => {
      response.cachePolicy = { ttl: 1 }
      response.end(`answer ${++count}`)
    })
    const start = performance.now()
    expect((await site.ask('/2/')).body).toBe('answer 1')
    let last = await site.ask('/2/')
    while (last.body === 'answer 1') last = await site.ask('/2/')
    const lived = performance.now() - start
    expect(last.body).toBe('answer 2')
    expect(lived).toBeGreaterThan(990)
  })

  test.each([undefined, { ttl: 0 }])('is not kept with the policy %j', async (policy) => {
    await using site = await CachedSite.open((_request, response) => {
      response.cachePolicy = policy
      response.end('x')
    })
    for (let count = 0; count < 2; count++) await site.ask('/2/')
    expect(site.seen).toHaveLength(2)
    expect(site.cache.stored).toBe(0)
  })

  test('is not kept when it was sent in more than one piece', async () => {
    await using site = await CachedSite.open((_request, response) => {
      response.cachePolicy = { ttl: 60 }
      response.write('one ')
      response.end('two')
    })
    for (let count = 0; count < 2; count++) await site.ask('/2/')
    expect(site.seen).toHaveLength(2)
  })

  test.each([
    ['Set-Cookie', 'a=b'],
    ['Cache-Control', 'private'],
    ['Cache-Control', 'public, no-store'],
    ['Vary', '*'],
  ])('is not kept with %s: %s', async (name, value) => {
    await using site = await CachedSite.open(numbered([name, value]))
    for (let count = 0; count < 2; count++) await site.ask('/2/')
    expect(site.seen).toHaveLength(2)
  })

  test.each([201, 206, 304, 400, 403, 500, 503])('is not kept with status %d', async (status) => {
    await using site = await CachedSite.open((_request, response) => {
      response.cachePolicy = { ttl: 60 }
      response.writeHead(status).end()
    })
    for (let count = 0; count < 2; count++) expect((await site.ask('/2/')).status).toBe(status)
    expect(site.seen).toHaveLength(2)
  })

  test.each([203, 204, 301, 302, 404, 410])('is kept with status %d', async (status) => {
    await using site = await CachedSite.open((_request, response) => {
      response.cachePolicy = { ttl: 60 }
      response.statusCode = status
      response.setHeader('Location', '/2/b')
      response.end()
    })
    const first = await site.ask('/2/', ['If-None-Match: *'])
    const second = await site.ask('/2/', ['If-None-Match: *'])
    expect(second).toEqual({ ...first, headers: { ...first.headers, age: AGE } })
    expect(site.seen).toHaveLength(1)
  })

  test('keeps its own reason phrase and loses what is of one connection', async () => {
    await using site = await CachedSite.open((_request, response) => {
      response.cachePolicy = { ttl: 60 }
      response.writeHead(200, 'Very Fine', { 'Keep-Alive': 'timeout=7', Connection: 'close' }).end('x')
    })
    await site.ask('/2/')
    using client = await RawClient.open(site.port)
    client.write(requestOf('/2/'))
    const text = await client.until(/\r\n\r\nx$/)
    expect(text).toMatch(/^HTTP\/1\.1 200 Very Fine\r\n/)
    expect(readResponse(text).headers).toMatchObject({ connection: 'keep-alive', 'keep-alive': 'timeout=119' })
    expect(text).not.toContain('timeout=7')
  })

  test('goes on counting the age that the app gave it', async () => {
    await using site = await CachedSite.open(numbered(['Age', '100']))
    await site.ask('/2/')
    expect((await site.ask('/2/')).headers['age']).toMatch(/^10\d$/)
  })
})

describe('the largest body that is kept', () => {
  const body = (length: number): string => 'abcdefgh'.repeat(length / 8)

  test('has 256 KiB', async () => {
    await using site = await CachedSite.open((request, response) => {
      response.cachePolicy = { ttl: 60 }
      response.end(body(Number(request.url!.slice(3))))
    })
    for (const [length, count] of [
      [262_144, 1],
      [262_152, 2],
    ] as const) {
      site.seen.length = 0
      for (let times = 0; times < 2; times++) expect((await site.ask(`/2/${length}`)).body).toBe(body(length))
      expect(site.seen).toHaveLength(count)
    }
  })

  test('can be set', async () => {
    await using site = await CachedSite.open(
      (_request, response) => {
        response.cachePolicy = { ttl: 60 }
        response.end('123456789')
      },
      { limits: { uriMaxUriBytes: 8 } },
    )
    for (let times = 0; times < 2; times++) await site.ask('/2/')
    expect(site.seen).toHaveLength(2)
  })

  test('and nothing at all is kept with HTTPSYS_RESPONSE_CACHE_BYTES=0', async () => {
    await using site = await CachedSite.open(numbered(), { limits: { responseCacheBytes: 0 } })
    for (let times = 0; times < 2; times++) await site.ask('/2/')
    expect(site.seen).toHaveLength(2)
  })
})

describe('Cache-Control', () => {
  test('counts when the prefix says so', async () => {
    for (const responseCache of [false, true]) {
      await using site = await CachedSite.open(
        (_request, response) => response.setHeader('Cache-Control', 'public, max-age=60').end('x'),
        { responseCache },
      )
      for (let times = 0; times < 2; times++) await site.ask('/2/')
      expect(site.seen).toHaveLength(responseCache ? 1 : 2)
    }
  })
})

describe('a request goes to the app, and its response is kept from no one else,', () => {
  test.each<[string, readonly string[], string?]>([
    ['with Authorization', ['Authorization: Basic YTpi']],
    ['with Proxy-Authorization', ['Proxy-Authorization: Basic YTpi']],
    ['with Translate: f', ['Translate: F']],
    ['with If-Match', ['If-Match: "a"']],
    ['with If-Unmodified-Since', ['If-Unmodified-Since: Wed, 25 Nov 2020 00:00:00 GMT']],
    ['that wants to override its method', ['X-HTTP-Method-Override: DELETE']],
    ['that wants to override its URL', ['X-Original-URL: /2/admin']],
    ['with the method OPTIONS', [], 'OPTIONS'],
  ])('%s', async (_, fields, method = 'GET') => {
    await using site = await CachedSite.open(numbered())
    expect((await site.ask('/2/a', fields, method)).body).toBe('answer 1')
    expect((await site.ask('/2/a')).body).toBe('answer 2')
    expect((await site.ask('/2/a', fields, method)).body).toBe('answer 3')
    expect((await site.ask('/2/a')).body).toBe('answer 2')
  })

  test.each([
    ['a body', 'GET /2/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi'],
    [
      'a chunked body',
      'GET /2/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['an absolute target', 'GET http://localhost/2/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'],
    ['no Host', 'GET /2/a HTTP/1.0\r\n\r\n'],
    ['an expectation', 'GET /2/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n'],
  ])('with %s', async (_, text) => {
    await using site = await CachedSite.open(numbered())
    const send = async (): Promise<string> => {
      using client = await RawClient.open(site.port)
      client.write(text)
      return (await client.untilEnd()).slice(-8)
    }
    expect(await send()).toBe('answer 1')
    expect((await site.ask('/2/a')).body).toBe('answer 2')
    expect(await send()).toBe('answer 3')
    expect((await site.ask('/2/a')).body).toBe('answer 2')
  })

  test('with Range or HEAD as long as there is nothing to take it from', async () => {
    await using site = await CachedSite.open(numbered())
    expect((await site.ask('/2/a', ['Range: bytes=0-1'])).body).toBe('answer 1')
    expect((await site.ask('/2/a', [], 'HEAD')).body).toBe('')
    expect((await site.ask('/2/a')).body).toBe('answer 3')
  })
})

describe('one connection', () => {
  test('mixes cached and other requests, pipelined and in order', async () => {
    await using site = await CachedSite.open((request, response) => {
      if (request.url === '/2/cached') response.cachePolicy = { ttl: 60 }
      response.end(`<${request.method} ${request.url}>`)
    })
    await site.ask('/2/cached')
    using client = await RawClient.open(site.port)
    const post = 'POST /2/post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody'
    client.write(
      `${requestOf('/2/cached')}${requestOf('/2/other')}${post}${requestOf('/2/cached')}${requestOf('/2/cached', [], 'HEAD')}${requestOf('/2/other', ['Connection: close'])}`,
    )
    const text = await client.untilEnd()
    expect(text.match(/<.*?>/g)).toEqual([
      '<GET /2/cached>',
      '<GET /2/other>',
      '<POST /2/post>',
      '<GET /2/cached>',
      '<GET /2/other>',
    ])
    expect(text.match(/HTTP\/1\.1 200 OK\r/g)).toHaveLength(6)
    expect(site.seen).toEqual(['/2/cached', '/2/other', '/2/post', '/2/other'])
  })

  test('of HTTP/1.0 gets a cached response, and ends or stays as the client wants', async () => {
    await using site = await CachedSite.open(numbered())
    await site.ask('/2/a')
    using client = await RawClient.open(site.port)
    client.write('GET /2/a HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n')
    expect(readResponse(await client.until('answer 1')).headers).toMatchObject({ connection: 'keep-alive', age: AGE })
    client.write('GET /2/a HTTP/1.0\r\nHost: localhost\r\n\r\n')
    const text = await client.untilEnd()
    expect(text).toContain('Connection: close')
    expect(text.split('answer 1')).toHaveLength(3)
  })

  test('that ended its side gets the cached response all the same', async () => {
    await using site = await CachedSite.open(numbered())
    await site.ask('/2/a')
    using client = await RawClient.open(site.port)
    client.socket.end(requestOf('/2/a'))
    expect(await client.untilEnd()).toMatch(/answer 1$/)
  })

  test('takes a head that comes byte by byte out of the cache', async () => {
    await using site = await CachedSite.open(numbered())
    await site.ask('/2/a')
    using client = await RawClient.open(site.port)
    for (const character of requestOf('/2/a')) {
      client.write(character)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await client.until('answer 1')
    expect(site.seen).toHaveLength(1)
  })
})

test('clients that pipeline requests for large responses and read nothing do not fill the memory', async () => {
  const body = 'x'.repeat(262_144)
  await using site = await CachedSite.open((_request, response) => {
    response.cachePolicy = { ttl: 60 }
    response.end(body)
  })
  await site.ask('/2/')
  const socket = connect(site.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.pause()
  const requests = 400
  socket.write(requestOf('/2/').repeat(requests))
  // Others are served meanwhile; by then the broker has taken as many of those requests as it ever will.
  for (let times = 0; times < 20; times++) await site.ask('/2/', [], 'HEAD')
  expect(site.cache.hits - 20).toBeLessThan(100)
  let received = 0
  socket.on('data', (chunk) => (received += chunk.length))
  socket.resume()
  while (received < requests * body.length) await once(socket, 'data')
  expect(site.seen).toHaveLength(1)
  socket.destroy()
})
