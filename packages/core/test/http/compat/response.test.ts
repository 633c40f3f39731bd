import { OutgoingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { Site, codeOf, describeCompat, get } from './hosts.ts'

/** The field lines of an answer, without those whose values differ from run to run. */
function fieldsOf(answer: string): string[] {
  const head = answer.slice(0, answer.indexOf('\r\n\r\n'))
  return head.split('\r\n').filter((line) => !/^(?:Date|Keep-Alive):/.test(line))
}

describeCompat('response', (host) => {
  test('one end() makes a head with the length', async () => {
    await using site = await Site.open(host, (_request, response) => response.end('hello'))
    expect(fieldsOf(await site.exchange(get()))).toEqual(['HTTP/1.1 200 OK', 'Connection: close', 'Content-Length: 5'])
  })

  test('names keep their case, several cookies their lines, and nothing is added', async () => {
    await using site = await Site.open(host, (_request, response) => {
      response.setHeader('X-MiXed', 'a')
      response.setHeader('Set-Cookie', ['a=1', 'b=2'])
      response.appendHeader('X-More', '1')
      response.appendHeader('X-More', '2')
      response.writeHead(201, 'Made', { 'X-Late': 'é' })
      response.end()
    })
    expect(fieldsOf(await site.exchange(get()))).toEqual([
      'HTTP/1.1 201 Made',
      'X-MiXed: a',
      'Set-Cookie: a=1',
      'Set-Cookie: b=2',
      'X-More: 1',
      'X-More: 2',
      'X-Late: \xe9',
      'Connection: close',
      'Transfer-Encoding: chunked',
    ])
  })

  test('a reason phrase may be empty', async () => {
    await using site = await Site.open(host, (_request, response) => response.writeHead(200, '', {}).end())
    expect(await site.exchange(get())).toMatch(/^HTTP\/1\.1 200 \r\n/)
  })

  test('headers can be asked for and removed until they are sent', async () => {
    let seen: unknown
    await using site = await Site.open(host, (_request, response) => {
      response.setHeader('A', '1').setHeader('B', '2')
      response.removeHeader('b')
      const before = [response.getHeader('a'), response.hasHeader('B'), response.getHeaderNames(), response.headersSent]
      response.flushHeaders()
      seen = [before, response.headersSent, codeOf(() => response.setHeader('C', '3'))]
      response.end()
    })
    await site.exchange(get())
    expect(seen).toEqual([['1', false, ['a'], false], true, 'ERR_HTTP_HEADERS_SENT'])
  })

  test('the head is what it was when writeHead was called', async () => {
    await using site = await Site.open(host, (_request, response) => {
      response.writeHead(200)
      response.statusCode = 500
      response.end()
    })
    expect(await site.exchange(get())).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  })

  test.each([
    ['writeHead twice', (r: ServerResponse) => r.writeHead(200) && r.writeHead(200), 'ERR_HTTP_HEADERS_SENT'],
    ['a status that is none', (r: ServerResponse) => r.writeHead(99), 'ERR_HTTP_INVALID_STATUS_CODE'],
    ['a line break in a value', (r: ServerResponse) => r.setHeader('a', 'b\nc'), 'ERR_INVALID_CHAR'],
    ['a name that is none', (r: ServerResponse) => r.setHeader('a b', 'c'), 'ERR_INVALID_HTTP_TOKEN'],
    ['no value', (r: ServerResponse) => r.setHeader('a', undefined as never), 'ERR_HTTP_INVALID_HEADER_VALUE'],
    ['a line break in the reason', (r: ServerResponse) => r.writeHead(200, 'a\nb'), 'ERR_INVALID_CHAR'],
    ['a chunk that is none', (r: ServerResponse) => r.write(5 as never), 'ERR_INVALID_ARG_TYPE'],
    ['null', (r: ServerResponse) => r.write(null as never), 'ERR_STREAM_NULL_VALUES'],
    [
      'trailers of a body with a length',
      (r: ServerResponse) => r.writeHead(200, { Trailer: 'x', 'Content-Length': 1 }),
      'ERR_HTTP_TRAILER_INVALID',
    ],
  ])('%s throws', async (_what, act, code) => {
    let seen: unknown
    await using site = await Site.open(host, (_request, response) => {
      seen = codeOf(() => act(response))
      response.destroy()
    })
    await site.exchange(get())
    expect(seen).toBe(code)
  })

  test('strictContentLength refuses a body of another length', async () => {
    let seen: unknown
    await using site = await Site.open(host, (_request, response) => {
      response.strictContentLength = true
      response.setHeader('Content-Length', 5)
      response.write('12345')
      seen = codeOf(() => response.write('6'))
      response.destroy()
    })
    await site.exchange(get())
    expect(seen).toBe('ERR_HTTP_CONTENT_LENGTH_MISMATCH')
  })

  test('a write after the end is an error, and returns false', async () => {
    let seen: unknown
    await using site = await Site.open(host, (_request, response) => {
      response.end('done')
      response.on('error', (error: NodeJS.ErrnoException) => (seen = error.code))
      expect(response.write('late')).toBe(false)
    })
    expect(await site.exchange(get())).toMatch(/done$/)
    expect(seen).toBe('ERR_STREAM_WRITE_AFTER_END')
  })

  test('ended, finished and closed come one after the other', async () => {
    const seen: unknown[] = []
    await using site = await Site.open(host, (_request, response) => {
      const note = (event: string): unknown =>
        seen.push([event, response.writableEnded, response.writableFinished, response.destroyed])
      response.on('finish', () => note('finish')).on('close', () => note('close'))
      note('start')
      response.end(() => note('callback'))
      note('end')
    })
    const client = await site.client()
    client.write(get())
    await client.untilEnd()
    await expect.poll(() => seen).toHaveLength(5)
    expect(seen).toEqual([
      ['start', false, false, false],
      ['end', true, seen[1] instanceof Array && seen[1][2], false],
      // Releases of Node differ in which of the two comes first.
      expect.toSatisfy((entry: unknown[]) => /^(?:finish|callback)$/.test(String(entry[0]))),
      expect.toSatisfy((entry: unknown[]) => entry[1] === true && entry[2] === true && entry[3] === false),
      ['close', true, true, true],
    ])
  })

  test('a write beyond the high-water mark wants a drain', async () => {
    await using site = await Site.open(host, (_request, response) => {
      const hasRoom = response.write('x'.repeat(response.writableHighWaterMark + 1))
      const needed = response.writableNeedDrain
      response.once('drain', () => response.end(`${hasRoom} ${needed} ${response.writableNeedDrain}`))
    })
    expect(await site.exchange(get())).toMatch(/false true false\r\n0\r\n\r\n$/)
  })

  test('informational responses go before', async () => {
    await using site = await Site.open(host, (_request, response) => {
      response.writeProcessing()
      response.writeEarlyHints({ link: '</a.css>; rel=preload', 'x-more': '1' }, () => response.end('final'))
    })
    const answer = await site.exchange(get())
    expect(answer).toMatch(
      /^HTTP\/1\.1 102 Processing\r\n\r\nHTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\nx-more: 1\r\n\r\nHTTP\/1\.1 200 OK/,
    )
  })

  test('trailers end a chunked body', async () => {
    await using site = await Site.open(host, (_request, response) => {
      response.writeHead(200, { Trailer: 'X-Sum' })
      response.write('abc')
      response.addTrailers({ 'X-Sum': '7' })
      response.end()
    })
    expect(await site.exchange(get())).toMatch(/\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n$/)
  })

  test.each([
    ['HEAD', 'HEAD', 200],
    ['204', 'GET', 204],
    ['304', 'GET', 304],
  ])('%s has no body', async (_what, method, status) => {
    await using site = await Site.open(host, (_request, response) => {
      response.statusCode = status
      response.end('body')
    })
    const answer = await site.exchange(get().replace('GET', method))
    expect(answer).toMatch(/\r\n\r\n$/)
    expect(answer).not.toContain('body')
  })

  test('an HTTP/1.0 client gets a body that ends with the connection', async () => {
    await using site = await Site.open(host, (_request, response) => {
      response.write('a')
      response.end('b')
    })
    expect(fieldsOf(await site.exchange('GET / HTTP/1.0\r\nHost: localhost\r\n\r\n'))).toEqual([
      'HTTP/1.1 200 OK',
      'Connection: close',
    ])
  })

  test('sendDate and setHeaders', async () => {
    await using site = await Site.open(host, (_request, response) => {
      response.sendDate = false
      response.setHeaders(new Map([['x-a', '1']]))
      response.end()
    })
    expect(await site.exchange(get())).toBe(
      'HTTP/1.1 200 OK\r\nx-a: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    )
  })

  test('works with another prototype, and with the methods of the native ones', async () => {
    await using site = await Site.open(host, (_request, response) => {
      const own = Object.create(ServerResponse.prototype) as object
      Object.setPrototypeOf(response, own)
      ServerResponse.prototype.writeHead.call(response, 200, { 'X-By': 'prototype' })
      OutgoingMessage.prototype.write.call(response, 'a', 'utf8', () => {})
      OutgoingMessage.prototype.end.call(response, 'b', 'utf8', () => {})
    })
    const answer = await site.exchange(get())
    expect(answer).toContain('X-By: prototype\r\n')
    // Newer releases of node:http make one chunk of what is written in one turn.
    expect(answer).toMatch(/\r\n\r\n(?:1\r\na\r\n1\r\nb|2\r\nab)\r\n0\r\n\r\n$/)
  })

  test('destroy with an error breaks the connection and is kept', async () => {
    let seen: unknown
    await using site = await Site.open(host, (_request, response) => {
      const error = new Error('mine')
      response.destroy(error)
      seen = [response.destroyed, response.errored === error]
    })
    expect(await site.exchange(get())).toBe('')
    expect(seen).toEqual([true, true])
  })

  test('write calls back before the response lets go of its socket', async () => {
    const sockets: unknown[] = []
    await using site = await Site.open(host, (_request, response) => {
      response.write('a piece', () => sockets.push(response.socket))
      response.end()
    })
    await site.exchange(get())
    expect(sockets).toEqual([expect.any(Socket)])
  })

  test('cork holds writes back', async () => {
    await using site = await Site.open(host, (_request, response) => {
      response.cork()
      response.write('a')
      response.write('b')
      expect(response.writableCorked).toBe(1)
      response.uncork()
      response.end()
    })
    expect(await site.exchange(get())).toMatch(/\r\n\r\n2\r\nab\r\n0\r\n\r\n$|\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n$/)
  })

  test('setTimeout tells the response', async () => {
    await using site = await Site.open(host)
    const client = await site.client()
    const arrived = once(site.server, 'request')
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const [, response] = await arrived
    response.setTimeout(10)
    await once(response, 'timeout')
    response.end('late')
    await client.until('late')
  })

  test('a status below 200 can be the last', async () => {
    const seen: string[] = []
    await using site = await Site.open(host, (_request, response) => {
      for (const event of ['finish', 'close']) response.on(event, () => seen.push(event))
      response.statusCode = 102
      response.setHeader('X-Step', 1)
      response.end('no body')
    })
    const client = await site.client()
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect(await client.until('\r\n\r\n')).toMatch(/^HTTP\/1.1 102 Processing\r\nX-Step: 1\r\n/)
    await expect.poll(() => seen).toEqual(['finish', 'close'])
    expect(client.text).not.toContain('no body')
  })
})
