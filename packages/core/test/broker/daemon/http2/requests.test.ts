import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import { DISCONNECT_RESET, FRAME_DISCONNECT } from '../../../../src/broker/protocol/frames.ts'
import { Http2Site } from '../../../support/http2-site.ts'

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}

test('an app sees a request of HTTP/2 as it sees others, with its version', async () => {
  await using site = await Http2Site.open()
  await site.serve('/2/', (request, response) => {
    const { method, url, httpVersion, httpVersionMajor, httpVersionMinor, rawHeaders, headers } = request
    const { encrypted, alpnProtocol } = request.socket as TLSSocket
    const seen = { method, url, httpVersion, httpVersionMajor, httpVersionMinor, rawHeaders, encrypted, alpnProtocol }
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify({ ...seen, cookie: headers.cookie }))
  })
  const client = await site.client()
  const response = await client.fetch({ ':path': '/2/a?b=c', 'x-seen': '\xe9', cookie: ['a=1', 'b=2'] })
  expect(response.headers).toMatchObject({
    ':status': 200,
    'content-type': 'application/json',
    'content-length': String(response.body.length),
    date: expect.stringMatching(/GMT$/) as string,
  })
  expect(response.headers).not.toHaveProperty('connection')
  expect(JSON.parse(response.text)).toEqual({
    method: 'GET',
    url: '/2/a?b=c',
    httpVersion: '2.0',
    httpVersionMajor: 2,
    httpVersionMinor: 0,
    encrypted: true,
    alpnProtocol: 'h2',
    rawHeaders: ['host', `localhost:${site.port}`, 'x-seen', '\xe9', 'cookie', 'a=1; b=2'],
    cookie: 'a=1; b=2',
  })
})

test('streams of one connection go to the owners of their prefixes, all at once', async () => {
  await using site = await Http2Site.open()
  const waiting: (() => void)[] = []
  for (const name of ['/1/', '/2/', '/3/']) {
    await site.serve(name, (_request, response) => waiting.push(() => response.end(`by ${name}`)))
  }
  const client = await site.client()
  const paths = ['/1/a', '/2/a', '/3/a', '/2/b', '/1/b']
  const responses = paths.map((path) => client.begin({ ':path': path }))
  await expect.poll(() => waiting.length).toBe(5)
  // Answered the other way round: no stream waits for another.
  for (const answer of waiting.reverse()) answer()
  await Promise.all(responses.map((response) => response.closed))
  expect(responses.map((response) => response.text)).toEqual(['by /1/', 'by /2/', 'by /3/', 'by /2/', 'by /1/'])
  expect(site.fixture.broker.status().connections).toBe(1)
})

test('a thousand requests over one connection, forty at a time, each get their own answer', async () => {
  await using site = await Http2Site.open()
  for (const name of ['/1/', '/2/']) {
    await site.serve(name, (request, response) => {
      void textOf(request).then((text) => response.end(`${name} ${request.url!} ${text}`))
    })
  }
  const client = await site.client()
  let next = 0
  const work = Array.from({ length: 40 }, async () => {
    while (next < 1000) {
      const number = next++
      const path = `/${(number % 2) + 1}/${number}`
      const body = number % 3 === 0 ? `body ${number}` : undefined
      const { text } = await client.fetch({ ':method': body === undefined ? 'GET' : 'POST', ':path': path }, body)
      expect(text).toBe(`/${(number % 2) + 1}/ ${path} ${body ?? ''}`)
    }
  })
  await Promise.all(work)
  // Carriers are used again: owners know of no more connections than there were streams at once.
  expect(site.fixture.broker.status().queues.map((queue) => queue.connections)).toEqual([1, 1])
})

test('bodies of known and unknown length, and their trailers, reach the app', async () => {
  await using site = await Http2Site.open()
  await site.serve('/2/', (request, response) => {
    void textOf(request).then((text) => {
      const { 'content-length': length, 'transfer-encoding': coding } = request.headers
      response.end(JSON.stringify({ text, length, coding, trailers: request.trailers }))
    })
  })
  const client = await site.client()
  const known = await client.fetch({ ':method': 'POST', ':path': '/2/', 'content-length': 4 }, 'body')
  expect(JSON.parse(known.text)).toEqual({ text: 'body', length: '4', trailers: {} })
  const unknown = client.begin({ ':method': 'POST', ':path': '/2/' }, true)
  unknown.stream.write('one ')
  unknown.stream.end('two')
  await unknown.closed
  expect(JSON.parse(unknown.text)).toEqual({ text: 'one two', coding: 'chunked', trailers: {} })
  const stream = client.session.request({ ':method': 'POST', ':path': '/2/' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '12' }))
  stream.end('x')
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  expect(JSON.parse(text)).toEqual({ text: 'x', coding: 'chunked', trailers: { 'x-sum': '12' } })
  const empty = await client.fetch({ ':method': 'POST', ':path': '/2/', 'content-length': 0 }, '')
  expect(JSON.parse(empty.text)).toEqual({ text: '', length: '0', trailers: {} })
})

test.each([
  ['a trailer that frames', { 'content-length': '1' }],
  ['a trailer that is longer than all may be', { 'x-long': 'x'.repeat(17_000) }],
])('%s is refused with 400, and the connection goes on', async (_name, trailers) => {
  await using site = await Http2Site.open()
  await site.serve('/2/', (request, response) => {
    request.on('error', () => {})
    request.resume().on('end', () => response.end('ok'))
  })
  const client = await site.client()
  const stream = client.session.request({ ':method': 'POST', ':path': '/2/' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers(trailers as unknown as Record<string, string>))
  stream.on('error', () => {})
  const responded = once(stream, 'response').then(
    ([headers]) => (headers as { ':status': number })[':status'],
    () => 0,
  )
  stream.end('x')
  await once(stream.resume(), 'close')
  // node:http2 itself takes a Content-Length among trailers for an attack.
  expect(await responded).toBeOneOf([400, 0])
  expect((await client.fetch({ ':path': '/2/' })).text).toBe('ok')
})

test('what an app does with fields, statuses and bodies is said as HTTP/2 says it', async () => {
  await using site = await Http2Site.open()
  await site.serve('/2/', (request, response) => {
    const path = request.url!
    if (path === '/2/fields') {
      response.setHeader('Set-Cookie', ['a=1', 'b=2'])
      response.setHeader('X-List', ['1', '2'])
      response.setHeader('Etag', ['"a"', '"b"'])
      response.setHeader('Keep-Alive', 'timeout=5')
      response.setHeader('Connection', 'close')
      response.setHeader('Upgrade', 'h3')
      response.end('ok')
    } else if (path === '/2/600') response.writeHead(600).end()
    else if (path === '/2/trailers') {
      response.setHeader('Trailer', 'X-Sum')
      response.write('a')
      response.addTrailers({ 'X-Sum': '1' })
      response.end('b')
    } else if (path === '/2/pieces') {
      response.write('a')
      response.write('b')
      response.end()
    } else response.writeHead(Number(path.slice(3)), { 'Content-Length': '4' }).end('body')
  })
  const client = await site.client()
  const get = (path: string, method = 'GET') => client.fetch({ ':method': method, ':path': `/2/${path}` })
  const { headers, text } = await get('fields')
  expect(headers).toMatchObject({ 'set-cookie': ['a=1', 'b=2'], 'x-list': '1, 2', etag: '"b"' })
  expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['keep-alive']))
  expect([headers['connection'], headers['upgrade'], text]).toEqual([undefined, undefined, 'ok'])
  expect(await get('200', 'HEAD')).toMatchObject({ status: 200, text: '', headers: { 'content-length': '4' } })
  for (const status of [204, 304]) expect(await get(String(status))).toMatchObject({ status, text: '' })
  expect(await get('404')).toMatchObject({ status: 404, text: 'body' })
  expect(await get('trailers')).toMatchObject({ status: 200, text: 'ab', trailers: { 'x-sum': '1' } })
  expect(await get('pieces')).toMatchObject({ status: 200, text: 'ab', trailers: {} })
  // node:http2 has no way to send it.
  expect((await get('600')).stream.rstCode).toBe(2)
  expect((await get('404')).status).toBe(404)
})

test('informational responses come before the final one', async () => {
  await using site = await Http2Site.open()
  await site.serve('/2/', (request, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    request.resume().on('end', () => response.end('ok'))
  })
  const client = await site.client()
  const response = client.begin({ ':method': 'POST', ':path': '/2/', expect: '100-continue' }, true)
  await response.until(() => response.informational.length > 0)
  expect(response.informational[0]![':status']).toBe(100)
  response.stream.end('body')
  await response.closed
  expect(response.informational[1]).toMatchObject({ ':status': 103, link: '</style.css>; rel=preload' })
  expect(response).toMatchObject({ status: 200, text: 'ok' })
})

test('a range is asked for and answered by the app', async () => {
  await using site = await Http2Site.open()
  await site.serve('/2/', (request, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    const part = 'abcdefghij'.slice(Number(from), Number(to) + 1)
    response.writeHead(206, { 'Content-Range': `bytes ${from}-${to}/10` }).end(part)
  })
  const client = await site.client()
  const response = await client.fetch({ ':path': '/2/', range: 'bytes=2-4' })
  expect(response).toMatchObject({ status: 206, text: 'cde', headers: { 'content-range': 'bytes 2-4/10' } })
})

test('a client that resets its stream is gone for the app, and only there', async () => {
  await using site = await Http2Site.open()
  const events: string[] = []
  await site.serve('/2/', (request, response) => {
    if (request.url === '/2/next') return void response.end('next')
    request.on('aborted', () => events.push('aborted'))
    request.on('error', () => {})
    response.on('close', () => events.push(`close, ${response.writableFinished ? 'finished' : 'unfinished'}`))
    response.write('begun')
  })
  const client = await site.client()
  const response = client.begin({ ':method': 'POST', ':path': '/2/' }, true)
  await response.until(() => response.text === 'begun')
  response.stream.close(8)
  await expect.poll(() => events).toEqual(['aborted', 'close, unfinished'])
  expect((await client.fetch({ ':path': '/2/next' })).text).toBe('next')
})

test('an app that gives a response up resets its stream, and no other', async () => {
  await using site = await Http2Site.open()
  await site.serve('/2/', (request, response) => {
    if (request.url === '/2/next') return void response.end('next')
    response.write('begun')
    setImmediate(() => response.destroy())
  })
  const client = await site.client()
  const response = await client.fetch({ ':path': '/2/' })
  expect(response.stream.rstCode).toBe(2)
  expect((await client.fetch({ ':path': '/2/next' })).text).toBe('next')
})

test('a body that the app does not want is not waited for', async () => {
  await using site = await Http2Site.open()
  await site.serve('/2/', (_request, response) => response.end('enough'))
  const client = await site.client()
  const response = client.begin({ ':method': 'POST', ':path': '/2/' }, true)
  response.stream.write('a little')
  await response.closed
  expect([response.text, response.stream.rstCode]).toEqual(['enough', 0])
  expect((await client.fetch({ ':path': '/2/' })).text).toBe('enough')
})

test('a body that the app reads on after its answer comes to its end', async () => {
  await using site = await Http2Site.open()
  const bodies: string[] = []
  await site.serve('/2/', (request, response) => {
    void textOf(request).then((text) => bodies.push(text))
    response.end('early')
  })
  const client = await site.client()
  const response = client.begin({ ':method': 'POST', ':path': '/2/' }, true)
  await response.until(() => response.isEnded)
  response.stream.write('one ')
  response.stream.end('two')
  await response.closed
  await expect.poll(() => bodies).toEqual(['one two'])
})

test('a request that its owner died with goes to the next one, body and all', async () => {
  await using site = await Http2Site.open()
  await site.serve('/other/', (_request, response) => response.end('other'))
  const first = await site.own('/2/')
  const client = await site.client()
  const put = client.begin({ ':method': 'PUT', ':path': '/2/' }, true)
  put.stream.write('half and ')
  const post = client.begin({ ':method': 'POST', ':path': '/2/' }, true)
  await first.request()
  await first.request()
  expect(await first.body()).toBe('half and ')
  first.die()
  await post.closed
  expect(post).toMatchObject({
    status: 502,
    text: expect.stringContaining('Connection_Abandoned_By_AppPool') as string,
  })
  put.stream.end('half')
  await site.serve('/2/', (request, response) => void textOf(request).then((text) => response.end(`got ${text}`)))
  await put.closed
  expect(put).toMatchObject({ status: 200, text: 'got half and half' })
})

test('a client that resets a stream which waits for an owner leaves the queue', async () => {
  await using site = await Http2Site.open()
  await site.serve('/other/', (_request, response) => response.end('other'))
  const first = await site.own('/2/')
  const client = await site.client()
  first.die()
  await expect.poll(() => site.fixture.broker.status().queues.some(({ state }) => state === 'orphaned')).toBe(true)
  const waiting = (): number => site.fixture.broker.status().queues.reduce((sum, queue) => sum + queue.waiting, 0)
  const response = client.begin({ ':path': '/2/' })
  await expect.poll(waiting).toBe(1)
  response.stream.close(8)
  await expect.poll(waiting).toBe(0)
  expect((await client.fetch({ ':path': '/other/' })).text).toBe('other')
})

test('a reset after the whole request was read is told to the owner', async () => {
  await using site = await Http2Site.open()
  const owner = await site.own('/2/')
  const client = await site.client()
  const response = client.begin({ ':path': '/2/' })
  const { id } = await owner.request()
  response.stream.close(8)
  expect(await owner.next(FRAME_DISCONNECT)).toMatchObject({ id, aux: DISCONNECT_RESET })
})

test('a cached response answers streams and connections, whole, in part, and not at all', async () => {
  await using site = await Http2Site.open()
  let asked = 0
  await site.serve('/2/', (_request, response) => {
    asked++
    ;(response as unknown as { cachePolicy: object }).cachePolicy = { ttl: 60 }
    response.setHeader('Etag', '"a"').end('0123456789'.repeat(5000))
  })
  const client = await site.client()
  const first = await client.fetch({ ':path': '/2/' })
  const again = await client.fetch({ ':path': '/2/' })
  expect(again.body.equals(first.body)).toBe(true)
  expect(again.headers).toMatchObject({ age: '0', 'content-length': '50000', date: first.headers['date'] })
  const unchanged = await client.fetch({ ':path': '/2/', 'if-none-match': '"a"' })
  expect([unchanged.status, unchanged.text]).toEqual([304, ''])
  const part = await client.fetch({ ':path': '/2/', range: 'bytes=3-5' })
  expect(part).toMatchObject({ status: 206, text: '345', headers: { 'content-range': 'bytes 3-5/50000' } })
  const head = await client.fetch({ ':method': 'HEAD', ':path': '/2/' })
  expect(head).toMatchObject({ status: 200, text: '', headers: { 'content-length': '50000' } })
  const other = await site.client()
  const streams = Array.from({ length: 20 }, () => other.fetch({ ':path': '/2/' }))
  expect((await Promise.all(streams)).every(({ body }) => body.equals(first.body))).toBe(true)
  expect(asked).toBe(1)
})
