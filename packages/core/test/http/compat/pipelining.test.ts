import { once } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { Site, describeCompat, describePrivateCompat } from './hosts.ts'
import type { Host } from './hosts.ts'

type Pair = [request: IncomingMessage, response: ServerResponse]

/** Whether this release of Node closes a response at once that is destroyed before its turn: 24.22 does, 22.23 and 20 do not. */
function closesBeforeTurn(): boolean {
  const response = new ServerResponse(new IncomingMessage(new Socket()))
  response.destroy()
  return response.listenerCount('socket') === 0
}

/** Requests of a connection that stays, sent at once. */
function pipelined(...paths: string[]): string {
  return paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`).join('')
}

/** A site whose requests the test answers itself. */
async function openSite(host: Host): Promise<{ site: Site; next: () => Promise<Pair> }> {
  const site = await Site.open(host)
  const pairs: Pair[] = []
  let wake: () => void = () => {}
  site.server.on('request', (request, response) => {
    pairs.push([request, response])
    wake()
  })
  const next = async (): Promise<Pair> => {
    while (pairs.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return pairs.shift()!
  }
  return { site, next }
}

/** Resolves when the request, whose client is gone, has been closed. */
function closeOf(request: IncomingMessage): Promise<void> {
  request.on('error', () => {})
  return new Promise((resolve) => request.once('close', resolve))
}

function bodiesOf(text: string): string[] {
  return [...text.matchAll(/<(.*?)>/g)].map((match) => match[1]!)
}

describePrivateCompat('requests that are pipelined', (host) => {
  test('pipelined requests are emitted at once, and answered in their order', async () => {
    const { site, next } = await openSite(host)
    await using _ = site
    const client = await site.client()
    client.write(pipelined('/a', '/b', '/c'))
    const [a, b, c] = [await next(), await next(), await next()]
    expect([a, b, c].map(([request]) => request.url)).toEqual(['/a', '/b', '/c'])
    c[1].end('<c>')
    b[1].write('<b1>')
    a[1].end('<a>')
    await client.until('<b1>')
    b[1].end('<b2>')
    await client.until('<c>')
    expect(bodiesOf(client.text)).toEqual(['a', 'b1', 'b2', 'c'])
    expect(client.text.match(/HTTP\/1\.1 200 OK\r\n/g)).toHaveLength(3)
  })

  test('a response whose turn has not come has no socket, and is not finished when it has ended', async () => {
    const { site, next } = await openSite(host)
    await using _ = site
    const client = await site.client()
    client.write(pipelined('/a', '/b'))
    const [[, a], [request, b]] = [await next(), await next()]
    const events: string[] = []
    for (const [name, response] of Object.entries({ a, b })) {
      for (const event of ['socket', 'prefinish', 'finish', 'close'])
        response.on(event, () => events.push(name + event))
    }
    b.end('<b>')
    expect([b.socket, b.writableEnded, b.writableFinished, b.headersSent]).toEqual([null, true, false, true])
    expect([request.socket === a.socket, a.socket === null]).toEqual([true, false])
    await new Promise(setImmediate)
    expect(events).toEqual([])
    a.end('<a>')
    await Promise.all([once(a, 'close'), once(b, 'close')])
    expect(events.filter((event) => /finish$|close$/.test(event) && !event.endsWith('prefinish'))).toEqual([
      'afinish',
      'aclose',
      'bfinish',
      'bclose',
    ])
    expect(events).toContain('bsocket')
    await client.until('<b>')
    expect(b.writableFinished).toBe(true)
  })

  test('what is written before its turn waits: 1xx, head, trailers, callbacks, and drain', async () => {
    const { site, next } = await openSite(host)
    await using _ = site
    const client = await site.client()
    client.write(pipelined('/a', '/b'))
    const [[, a], [, b]] = [await next(), await next()]
    b.writeEarlyHints({ link: '</style.css>; rel=preload' })
    b.writeHead(203, { Trailer: 'Sum' })
    let isWritten = false
    expect(b.write('<b1>', () => (isWritten = true))).toBe(true)
    expect(b.write(`<${'x'.repeat(b.writableHighWaterMark)}>`)).toBe(false)
    expect(b.writableNeedDrain).toBe(true)
    await new Promise(setImmediate)
    expect([isWritten, client.text]).toEqual([false, ''])
    const drained = once(b, 'drain')
    a.end('<a>')
    await drained
    expect(isWritten).toBe(true)
    b.addTrailers({ Sum: '7' })
    b.end('<b2>')
    await client.until('Sum: 7\r\n\r\n')
    expect(client.text).toMatch(
      /^HTTP\/1\.1 200 .*?<a>.*?HTTP\/1\.1 103 Early Hints\r\nLink: .*?HTTP\/1\.1 203 .*?<b1>/is,
    )
    // A large piece may be cut into several chunks.
    const text = client.text.replace('</style.css>', '').replaceAll(/\r\n[\da-f]+\r\n/g, '')
    expect(bodiesOf(text).map((body) => body.slice(0, 2))).toEqual(['a', 'b1', 'xx', 'b2'])
  })

  test('bodies without length of pipelined responses stay in order, however large', async () => {
    const { site, next } = await openSite(host)
    await using _ = site
    const client = await site.client()
    client.write(pipelined('/a', '/b'))
    const [[, a], [, b]] = [await next(), await next()]
    const large = (name: string): string => `<${name.repeat(700_000)}>`
    b.write(large('b'))
    b.end()
    a.write(large('a'))
    a.end()
    await client.until('0\r\n\r\n', 2)
    const text = client.text.replaceAll(/\r\n[\da-f]+\r\n/g, '')
    expect(text.indexOf('<b')).toBeGreaterThan(text.lastIndexOf('a>'))
    expect(text.split('b').length).toBeGreaterThan(700_000)
  })

  test('a client that leaves aborts all of its pipelined requests', async () => {
    const { site, next } = await openSite(host)
    await using _ = site
    const client = await site.client()
    client.write(pipelined('/a', '/b', '/c'))
    const pairs = [await next(), await next(), await next()]
    const closed = pairs.map(([request]) => closeOf(request))
    client.socket.destroy()
    await Promise.all(closed)
    expect(pairs.map(([request]) => request.aborted)).toEqual([true, true, true])
    const isDestroyed = closesBeforeTurn()
    expect(pairs.map(([, response]) => response.destroyed)).toEqual([true, isDestroyed, isDestroyed])
    const errors = pairs.map(([, response]) => (response as { errored?: Error | null }).errored)
    const reset = isDestroyed ? expect.objectContaining({ message: 'aborted', code: 'ECONNRESET' }) : null
    expect(errors.slice(1).map((error) => error ?? null)).toEqual([reset, reset])
    pairs[1]![1].on('error', () => {}).end('to nobody')
  })

  test('the last response of a connection ends it, and requests behind it are aborted', async () => {
    const { site, next } = await openSite(host)
    await using _ = site
    const client = await site.client()
    client.write(pipelined('/a', '/b'))
    const [[, a], [request, b]] = [await next(), await next()]
    const closed = closeOf(request)
    b.end('<b>')
    a.setHeader('Connection', 'close')
    a.end('<a>')
    await closed
    expect(request.aborted).toBe(true)
    expect(bodiesOf(await client.untilEnd())).toEqual(['a'])
  })

  test('a pipelined request that says close is the last', async () => {
    const { site, next } = await openSite(host)
    await using _ = site
    const client = await site.client()
    client.write(`${pipelined('/a')}GET /b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    const [[, a], [, b]] = [await next(), await next()]
    b.end('<b>')
    a.end('<a>')
    expect(bodiesOf(await client.untilEnd())).toEqual(['a', 'b'])
    expect(client.text).toMatch(/Connection: keep-alive.*Connection: close/s)
  })

  test('a socket that is destroyed takes all of its pipelined requests along', async () => {
    const { site, next } = await openSite(host)
    await using _ = site
    const client = await site.client()
    client.write(pipelined('/a', '/b', '/c'))
    const [[first], [second], [third]] = [await next(), await next(), await next()]
    const closed = [first, second, third].map(closeOf)
    second.socket.destroy()
    await Promise.all(closed)
    expect(await client.untilEnd()).toBe('')
  })

  test('a response that is destroyed before its turn is closed at once, or ends the connection when it comes', async () => {
    const { site, next } = await openSite(host)
    await using _ = site
    const client = await site.client()
    client.write(pipelined('/a', '/b'))
    const [[, a], [request, b]] = [await next(), await next()]
    request.on('error', () => {})
    let isClosed = false
    b.on('close', () => (isClosed = true))
    b.destroy()
    await new Promise(setImmediate)
    expect(isClosed).toBe(closesBeforeTurn())
    a.end('<a>')
    await client.until('<a>')
    // Newer releases leave the connection to its client, which waits for ever.
    if (isClosed) site.server.closeAllConnections()
    expect(bodiesOf(await client.untilEnd())).toEqual(['a'])
  })

  test('requests that come in pieces behind one under way are emitted when they are complete', async () => {
    const { site, next } = await openSite(host)
    await using _ = site
    const client = await site.client()
    client.write(pipelined('/a').slice(0, -1))
    client.write('\n')
    const [, a] = await next()
    for (const character of pipelined('/b')) client.write(character)
    const [request, b] = await next()
    expect(request.url).toBe('/b')
    b.end('<b>')
    a.end('<a>')
    await client.until('<b>')
    expect(bodiesOf(client.text)).toEqual(['a', 'b'])
  })

  test('a pipelined request is emitted before its body has come', async () => {
    const { site, next } = await openSite(host)
    await using _ = site
    const client = await site.client()
    client.write(`${pipelined('/a')}POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000\r\n\r\n`)
    const [[, a], [request, b]] = [await next(), await next()]
    let length = 0
    request.on('data', (piece: Buffer) => (length += piece.length))
    client.write('b'.repeat(300_000) + pipelined('/c'))
    const [, c] = await next()
    expect([length, request.complete]).toEqual([300_000, true])
    c.end('<c>')
    b.end('<b>')
    a.end('<a>')
    await client.until('<c>')
    expect(bodiesOf(client.text)).toEqual(['a', 'b', 'c'])
  })

  test('what follows a request for another protocol is no request', async () => {
    const { site } = await openSite(host)
    await using _ = site
    const client = await site.client()
    const early = once(site.server, 'upgrade') as Promise<[IncomingMessage, Socket, Buffer]>
    client.write(
      `GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n${pipelined('/not-a-request')}`,
    )
    const [, socket, head] = await early
    expect(head.toString()).toBe(pipelined('/not-a-request'))
    socket.end()
  })
})

describeCompat('connections with several requests', (host) => {
  test('a hundred requests at once are answered in their order', async () => {
    let count = 0
    await using site = await Site.open(host, (request, response) => {
      // Later ones are ready first.
      setTimeout(() => response.end(`<${request.url}>`), 20 - (count++ % 20))
    })
    const client = await site.client()
    const paths = Array.from({ length: 100 }, (_each, index) => `/${index}`)
    client.write(pipelined(...paths))
    await client.until('</99>')
    expect(bodiesOf(client.text)).toEqual(paths)
  })

  test('requests with bodies take their turn among others', async () => {
    await using site = await Site.open(host, (request, response) => {
      let body = ''
      request.setEncoding('latin1').on('data', (piece: string) => (body += piece))
      request.on('end', () => setImmediate(() => response.end(`<${request.url}${body}>`)))
    })
    const client = await site.client()
    const post = 'POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello'
    client.write(`${pipelined('/a')}${post}${pipelined('/c')}`)
    await client.until('</c>')
    expect(bodiesOf(client.text)).toEqual(['/a', '/bhello', '/c'])
  })
})
