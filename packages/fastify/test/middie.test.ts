import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import middie from '@fastify/middie'
import fastify from 'fastify'
import serveStatic from 'serve-static'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mount, useBroker } from './support/mount.ts'

useBroker()

const directory = mkdtempSync(join(tmpdir(), 'httpsys-middie-'))

beforeAll(() => {
  mkdirSync(join(directory, 'sub'))
  writeFileSync(join(directory, 'file.txt'), 'file')
})
afterAll(() => rmSync(directory, { recursive: true }))

test('Connect middleware run unchanged, mounted or not, before the routes', async () => {
  const app = fastify()
  await app.register(middie)
  app.use('/static', serveStatic(directory))
  app.use((_req: IncomingMessage, res: ServerResponse, next: () => void) => {
    res.setHeader('X-Middleware', 'yes')
    next()
  })
  app.use('/mounted', (req: IncomingMessage, res: ServerResponse) => res.end(`mounted ${req.url}`))
  app.get('/room/:id', (request) => request.url)
  const base = await mount(app)
  expect(await (await fetch(`${base}/static/file.txt`)).text()).toBe('file')
  expect(await (await fetch(`${base}/mounted/x?y`)).text()).toBe('mounted /x?y')
  const route = await fetch(`${base}/room/7?x`)
  expect([route.headers.get('x-middleware'), await route.text()]).toEqual(['yes', '/room/7?x'])
})

test('middie makes originalUrl what Fastify sees, so that the prefix is in raw.baseUrl only', async () => {
  const app = fastify()
  await app.register(middie)
  app.use('/static', serveStatic(directory))
  app.get('/x', ({ originalUrl, raw }) => ({ originalUrl, baseUrl: (raw as { baseUrl?: string }).baseUrl }))
  const base = await mount(app)
  expect(await (await fetch(`${base}/x`)).json()).toEqual({ originalUrl: '/x', baseUrl: '/f' })
  const redirect = await fetch(`${base}/static/sub`, { redirect: 'manual' })
  expect([redirect.status, redirect.headers.get('location')]).toEqual([301, '/static/sub/'])
})
