import { once } from 'node:events'
import type { Server } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect as connectTcp } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import { expect, test, vi } from 'vitest'
import httpsys from '../../../../src/index.ts'
import { Http2Site } from '../../../support/http2-site.ts'

async function askHttp1(port: number, ca: string, path: string): Promise<unknown> {
  const outgoing = requestHttps({ host: 'localhost', port, path, ca, agent: false })
  outgoing.end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return JSON.parse(text)
}

function expressApp(): unknown {
  const app = express()
  app.use(express.json())
  app.all('/{*path}', (request, response) => {
    const { protocol, secure, hostname, httpVersion, body } = request
    response.json({ protocol, secure, hostname, httpVersion, body: body as unknown })
  })
  return app
}

function koaApp(): unknown {
  const app = new Koa()
  app.use(async (context) => {
    const chunks: Buffer[] = []
    for await (const chunk of context.req) chunks.push(chunk as Buffer)
    const { protocol, secure, hostname } = context
    const text = Buffer.concat(chunks).toString()
    const body: unknown = text === '' ? undefined : JSON.parse(text)
    context.body = { protocol, secure, hostname, httpVersion: context.req.httpVersion, body }
  })
  return app
}

function fastifyApp(): unknown {
  const app = fastify()
  app.all('/*', (request, reply) => {
    const { protocol, hostname, body } = request
    return reply.send({
      protocol,
      secure: true,
      hostname,
      httpVersion: request.raw.httpVersion,
      body: body ?? undefined,
    })
  })
  return app
}

test.each([
  ['Express', expressApp],
  ['Koa', koaApp],
  ['Fastify', fastifyApp],
])('%s knows that it is https, over HTTP/1.1 and HTTP/2, and reads bodies of both', async (_name, makeApp) => {
  await using site = await Http2Site.open()
  const server: Server = await httpsys.mount(makeApp(), 'https://localhost:0/app/')
  const { port } = server.address() as AddressInfo
  site.port = port
  const seen = { protocol: 'https', secure: true, hostname: 'localhost' }
  expect(await askHttp1(port, site.ca, '/app/x')).toEqual({ ...seen, httpVersion: '1.1' })
  const client = await site.client()
  expect(JSON.parse((await client.fetch({ ':path': '/app/x' })).text)).toEqual({ ...seen, httpVersion: '2.0' })
  const fields = { ':method': 'POST', ':path': '/app/x', 'content-type': 'application/json' }
  // Without a length: frameworks ask Transfer-Encoding whether there is a body.
  const posted = await client.fetch(fields, '{"a":1}')
  expect(JSON.parse(posted.text)).toEqual({ ...seen, httpVersion: '2.0', body: { a: 1 } })
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
})

test('a handshake that does not end in time is ended, and counted', async () => {
  await using site = await Http2Site.open({ handshakeTimeout: 500 })
  await site.serve('/2/', (_request, response) => response.end('ok'))
  const idle = connectTcp(site.port, '127.0.0.1')
  idle.on('error', () => {})
  await once(idle.resume(), 'close')
  await vi.waitFor(() => expect(site.count('TLS_Handshake')).toBe(1))
  const client = await site.client()
  expect((await client.fetch({ ':path': '/2/' })).text).toBe('ok')
})
