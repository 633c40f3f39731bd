import { AsyncLocalStorage } from 'node:async_hooks'
import { expect, test } from 'vitest'
import { RawClient } from '../../support/raw-client.ts'
import { Site, codeOf, describeCompat, get } from './hosts.ts'

describeCompat('an end() that is all of the response', (host) => {
  test('finished and closed are told to whom listens only after the end, too', async () => {
    const seen: unknown[] = []
    await using site = await Site.open(host, (_request, response) => {
      response.end('x')
      response.on('finish', () => seen.push(['finish', response.writableFinished]))
      response.on('close', () => seen.push(['close', response.destroyed]))
    })
    await site.exchange(get())
    await expect
      .poll(() => seen)
      .toEqual([
        ['finish', true],
        ['close', true],
      ])
  })

  test('a response that nobody listens to is finished, then closed', async () => {
    let response: { writableFinished: boolean; destroyed: boolean; writableEnded: boolean } | undefined
    await using site = await Site.open(host, (_request, native) => {
      response = native
      native.end('x')
    })
    await site.exchange(get())
    await expect
      .poll(() => [response?.writableEnded, response?.writableFinished, response?.destroyed])
      .toEqual([true, true, true])
  })

  test('an emit of the app’s own sees finish and close', async () => {
    const seen: string[] = []
    await using site = await Site.open(host, (_request, response) => {
      const emit = response.emit.bind(response) as (event: string) => boolean
      response.emit = ((event: string) => {
        seen.push(event)
        return emit(event)
      }) as typeof response.emit
      response.end('x')
    })
    await site.exchange(get())
    await expect.poll(() => seen.filter((event) => event !== 'socket')).toEqual(['prefinish', 'finish', 'close'])
  })

  test('the callback of a second end() is called', async () => {
    let calls = 0
    await using site = await Site.open(host, (_request, response) => {
      response.end('x')
      response.end(() => calls++)
    })
    await site.exchange(get())
    await expect.poll(() => calls).toBe(1)
  })

  test('finish listeners run in the context of the call that ended the response', async () => {
    const storage = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    const waiting: (() => void)[] = []
    await using site = await Site.open(host, (request, response) => {
      response.on('finish', () => seen.push([request.url, storage.getStore()]))
      waiting.push(() => storage.run(request.url!, () => response.end()))
      // All in one turn.
      if (waiting.length === 3) for (const end of waiting) end()
    })
    await Promise.all(['/a', '/b', '/c'].map((path) => site.exchange(get(path))))
    await expect.poll(() => seen).toHaveLength(3)
    expect(seen.toSorted()).toEqual([
      ['/a', '/a'],
      ['/b', '/b'],
      ['/c', '/c'],
    ])
  })

  test('a finish listener that throws harms no other response', async () => {
    const seen: unknown[] = []
    const thrown: unknown[] = []
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => thrown.push(error.message))
    try {
      await using site = await Site.open(host, (request, response) => {
        response.end()
        response.on('finish', () => {
          if (request.url === '/bad') throw new Error('mine')
          seen.push(request.url)
        })
      })
      await Promise.all(['/bad', '/a', '/b'].map((path) => site.exchange(get(path))))
      await expect.poll(() => [thrown, seen.length]).toEqual([['mine'], 2])
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of listeners) process.on('uncaughtException', listener)
    }
  })

  test('a writeHead of the app’s own adds to the head', async () => {
    await using site = await Site.open(host, (_request, response) => {
      const native = response.writeHead.bind(response) as (...args: unknown[]) => typeof response
      response.writeHead = ((...args: unknown[]) => {
        response.setHeader('X-Late', '1')
        return native(...args)
      }) as typeof response.writeHead
      response.end('late')
    })
    expect(await site.exchange(get())).toMatch(/^HTTP\/1\.1 200 OK\r\nX-Late: 1\r\n[^]*Content-Length: 4\r\n[^]*late$/)
  })

  test('a writeHead of the app’s own may end the response itself', async () => {
    await using site = await Site.open(host, (_request, response) => {
      const native = response.writeHead.bind(response) as (...args: unknown[]) => typeof response
      response.writeHead = (() => native(503, { 'Content-Length': '0' })) as typeof response.writeHead
      response.end()
    })
    expect(await site.exchange(get())).toMatch(/^HTTP\/1\.1 503 [^]*\r\n\r\n$/)
  })

  test.each([
    ['HEAD', 200, 'hello', 'HTTP/1.1 200', ''],
    ['GET', 204, 'hello', 'HTTP/1.1 204', ''],
    ['GET', 304, 'hello', 'HTTP/1.1 304', ''],
    ['GET', 200, '', 'Content-Length: 0', ''],
    ['GET', 200, 'é', 'Content-Length: 2', 'Ã©'],
    ['GET', 200, new Uint8Array([104, 105]), 'Content-Length: 2', 'hi'],
  ])('%s answered with %s and %j has the body that it may have', async (method, status, chunk, line, body) => {
    await using site = await Site.open(host, (_request, response) => {
      response.statusCode = status
      response.end(chunk)
    })
    const answer = await site.exchange(get().replace('GET', method))
    expect(answer).toContain(line)
    expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toBe(body)
  })

  test('an encoding is kept to', async () => {
    await using site = await Site.open(host, (_request, response) => response.end('aGk=', 'base64'))
    expect(await site.exchange(get())).toMatch(/Content-Length: 2\r\n[^]*hi$/)
  })

  test('rejectNonStandardBodyWrites refuses a body where there is none', async () => {
    let seen: unknown
    const options = { rejectNonStandardBodyWrites: true }
    const handler = (_request: unknown, response: import('node:http').ServerResponse): void => {
      response.statusCode = 204
      seen = codeOf(() => response.end('x'))
      response.destroy()
    }
    await using site = await Site.open(host, handler, options)
    await site.exchange(get())
    expect(seen).toBe('ERR_HTTP_BODY_NOT_ALLOWED')
  })

  test('an end() while corked sends all of it', async () => {
    await using site = await Site.open(host, (_request, response) => {
      response.cork()
      response.end('corked')
    })
    const client: RawClient = await site.client()
    client.write(get())
    expect(await client.untilEnd()).toMatch(/corked$/)
  })
})
