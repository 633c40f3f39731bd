import 'reflect-metadata'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import connect from 'connect'
import express from 'express'
import fastify from 'fastify'
import { H3 } from 'h3'
import { Hono } from 'hono'
import Koa from 'koa'
import { serve, toNodeHandler } from 'srvx/node'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import httpsys from '../../src/index.ts'
import { startBroker } from '../support/broker-fixture.ts'
import type { BrokerFixture } from '../support/broker-fixture.ts'

let fixture: BrokerFixture
const servers: Server[] = []

beforeAll(async () => {
  fixture = await startBroker()
})
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
})
afterAll(async () => {
  expect(fixture.violations).toEqual([])
  await fixture.close()
})

/** Mounts an app on `/app/` of a free port; returns the URL of the prefix. */
async function mounted(app: unknown, text = 'http://localhost:0/app/'): Promise<string> {
  const server = await httpsys.mount(app, text)
  expect(server.listening).toBe(true)
  servers.push(server)
  return `http://localhost:${(server.address() as AddressInfo).port}/app`
}

async function textOf(url: string, init?: RequestInit): Promise<string> {
  return (await fetch(url, init)).text()
}

function echo(request: IncomingMessage & { originalUrl?: string }, response: ServerResponse): void {
  response.end(`${request.url} ${request.originalUrl ?? ''}`)
}

describe('mount serves', () => {
  test('a plain handler, with the whole path', async () => {
    expect(await textOf(`${await mounted(echo)}/x?y=1`)).toBe('/app/x?y=1 ')
  })

  test('an http.Server', async () => {
    expect(await textOf(`${await mounted(createServer(echo))}/x`)).toBe('/app/x ')
  })

  test('Express', async () => {
    const app = express()
    app.get('/x', (request, response) => void response.send(`${request.baseUrl} ${request.url}`))
    expect(await textOf(`${await mounted(app)}/x`)).toBe('/app /x')
  })

  test('Connect', async () => {
    const app = connect()
    app.use('/x', (request, response) => void response.end(`${request.url} ${request.originalUrl}`))
    expect(await textOf(`${await mounted(app)}/x/y`)).toBe('/y /app/x/y')
  })

  test('Koa', async () => {
    const app = new Koa()
    app.use((context) => {
      const { url, originalUrl } = context
      context.body = { url, originalUrl, mountPath: (context as { mountPath?: string }).mountPath }
    })
    expect(JSON.parse(await textOf(`${await mounted(app)}/x`))).toEqual({
      url: '/x',
      originalUrl: '/app/x',
      mountPath: '/app',
    })
  })

  test('Fastify, whose hooks run', async () => {
    const app = fastify()
    const hooks: string[] = []
    app.addHook('onListen', async () => void hooks.push('listen'))
    app.get('/x', ({ url, originalUrl }) => `${url} ${originalUrl}`)
    expect(await textOf(`${await mounted(app)}/x`)).toBe('/x /app/x')
    expect(hooks).toEqual(['listen'])
    servers.length = 0
    await app.close()
  })

  test('NestJS', async () => {
    class AppModule {}
    Module({})(AppModule)
    const app = await NestFactory.create(AppModule, { logger: false })
    app.use('/x', (request: { baseUrl: string }, response: ServerResponse) => void response.end(request.baseUrl))
    expect(await textOf(`${await mounted(app)}/x`)).toBe('/app/x')
  })

  test.each([
    ['Hono', () => new Hono().basePath('/app').get('/x', (context) => context.text('hono'))],
    ['h3', () => new H3().get('/app/x', () => 'h3')],
    ['srvx', () => serve({ manual: true, fetch: ({ url }) => new Response(new URL(url).pathname) })],
    ['a handler of srvx', () => toNodeHandler(({ url }) => new Response(new URL(url).pathname))],
    ['an object with fetch', () => ({ fetch: (request: Request) => new Response(new URL(request.url).pathname) })],
  ])('%s', async (_name, make) => {
    expect(await textOf(`${await mounted(make())}/x`)).toMatch(/^(?:hono|h3|\/app\/x)$/)
  })

  test('a custom server as Next’s guide writes it', async () => {
    const calls: string[] = []
    const next = {
      prepare: async () => void calls.push('prepare'),
      getRequestHandler: () => async (request: IncomingMessage, response: ServerResponse, url: { pathname: string }) =>
        void response.end(`${request.url} ${url.pathname}`),
    }
    const handle = next.getRequestHandler()
    await next.prepare()
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url!, 'http://localhost')
      if (pathname === '/app/own') response.end('own')
      else void handle(request, response, { pathname })
    })
    const base = await mounted(server)
    expect(await textOf(`${base}/own`)).toBe('own')
    expect(await textOf(`${base}/x?y=1`)).toBe('/app/x?y=1 /app/x')
  })

  test('an object with the shape of Next', async () => {
    const calls: string[] = []
    const app = { prepare: async () => void calls.push('prepare'), getRequestHandler: () => echo }
    expect(await textOf(`${await mounted(app)}/x`)).toBe('/app/x ')
    expect(calls).toEqual(['prepare'])
  })

  test('with the strip of the prefix, when it has one', async () => {
    const prefix = httpsys.prefix('http://localhost:0/app/', { strip: true })
    const server = await httpsys.mount(echo, prefix)
    servers.push(server)
    const { port } = server.address() as AddressInfo
    expect(await textOf(`http://localhost:${port}/app/x`)).toBe('/x /app/x')
  })
})

describe('mount refuses', () => {
  test.each([
    ['nothing', undefined, /EINVAL undefined: it is none of http\.Server, NestJS/],
    ['an empty object', {}, /EINVAL \{\}: it is none of/],
  ])('%s, and says what it knows', async (_what, app, message) => {
    await expect(httpsys.mount(app, '/x/')).rejects.toThrow(message)
  })

  test('a prefix that is taken', async () => {
    const base = await mounted(echo)
    const { port } = new URL(base)
    await expect(httpsys.mount(echo, `http://localhost:${port}/app/`)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })
})

describe('fetch handlers', () => {
  test('get the whole request and answer with every kind of field', async () => {
    const app = {
      async fetch(request: Request): Promise<Response> {
        const headers = new Headers({ 'x-sum': request.headers.get('x-in') ?? '' })
        headers.append('set-cookie', 'a=1')
        headers.append('set-cookie', 'b=2')
        return new Response(`${request.method} ${await request.text()}`, { status: 201, headers })
      },
    }
    const answer = await fetch(`${await mounted(app)}/x`, { method: 'POST', body: 'body', headers: { 'x-in': '7' } })
    expect([answer.status, answer.headers.get('x-sum'), answer.headers.getSetCookie()]).toEqual([
      201,
      '7',
      ['a=1', 'b=2'],
    ])
    expect(await answer.text()).toBe('POST body')
  })

  test('stream both ways', async () => {
    const app = { fetch: (request: Request) => new Response(request.body) }
    const body = 'x'.repeat(1_000_000)
    expect(await textOf(`${await mounted(app)}/x`, { method: 'POST', body })).toBe(body)
  })

  test('HEAD has no body', async () => {
    const app = { fetch: () => new Response('body', { headers: { 'content-length': '4' } }) }
    const answer = await fetch(`${await mounted(app)}/x`, { method: 'HEAD' })
    expect([answer.headers.get('content-length'), await answer.text()]).toEqual(['4', ''])
  })

  test('that throw are answered with 500, without the text of the error', async () => {
    const warned = once(process, 'warning')
    const app = {
      fetch: () => {
        throw new Error('secret')
      },
    }
    const answer = await fetch(`${await mounted(app)}/x`)
    expect([answer.status, await answer.text()]).toEqual([500, ''])
    expect((await warned)[0]).toMatchObject({ message: 'secret' })
  })

  test('see a client that leaves', async () => {
    let onAbort!: () => void
    const aborted = new Promise<void>((resolve) => (onAbort = resolve))
    const app = {
      fetch: (request: Request) => {
        request.signal.addEventListener('abort', onAbort)
        return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(Buffer.from('tick')) }))
      },
    }
    const leaving = new AbortController()
    const answer = await fetch(`${await mounted(app)}/x`, { signal: leaving.signal })
    await answer.body!.getReader().read()
    leaving.abort()
    await aborted
  })
})

describe('the registry', () => {
  test.each([
    [null, /name is undefined/],
    [{ name: '', detect: () => true, mount: () => {} }, /name is ''/],
    [{ name: 'x', mount: () => {} }, /detect is undefined/],
    [{ name: 'x', detect: () => true, mount: 'no' }, /mount is 'no'/],
  ])('refuses %o', (framework, message) => {
    expect(() => httpsys.frameworks.register(framework as never)).toThrow(message)
  })

  test('says whose mount has given no server that listens', async () => {
    for (const given of [undefined, echo, createServer()]) {
      httpsys.frameworks.register({ name: 'mine', detect: (app) => app === echo, mount: () => given as Server })
      await expect(mounted(echo)).rejects.toThrow(
        /the mount of framework mine gave .*, which is no server that listens/,
      )
    }
    httpsys.frameworks.unregister('mine')
  })

  test('asks the latest first, replaces by name, and forgets', async () => {
    const marked = (text: string) => ({
      name: 'mine',
      detect: (app: unknown) => app === echo,
      mount: (_app: never, { listen }: { listen: (handler: typeof echo) => Promise<Server> }) =>
        listen((_request, response) => void response.end(text)),
    })
    httpsys.frameworks.register(marked('first'))
    httpsys.frameworks.register(marked('second'))
    expect(httpsys.frameworks.names.filter((name) => name === 'mine')).toEqual(['mine'])
    expect(await textOf(`${await mounted(echo)}/x`)).toBe('second')
    expect(httpsys.frameworks.unregister('mine')).toBe(true)
    expect(httpsys.frameworks.unregister('mine')).toBe(false)
    expect(await textOf(`${await mounted(echo)}/x`)).toBe('/app/x ')
  })
})
