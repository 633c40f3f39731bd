import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { type HttpTarget, type LoadResult, parseLoadResult } from '../../../src/measure/load/http-load.ts'

const program = fileURLToPath(new URL('../../../dist/measure/load/load-client.js', import.meta.url))

async function load(handler: RequestListener, target: Partial<HttpTarget>): Promise<LoadResult> {
  await using server = createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const requests = [
    { method: 'GET', path: '/a' },
    { method: 'POST', path: '/b', body: 'body' },
  ]
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify({ port, requests, connections: 4, seconds: 0.3, ...target }))
  const output = await text(child.stdout)
  return parseLoadResult(output)
}

test('asks for everything on every connection, and counts what comes back', async () => {
  const seen = new Map<unknown, Set<string>>()
  let answered = 0
  const result = await load((request, response) => {
    const paths = seen.get(request.socket) ?? new Set()
    seen.set(request.socket, paths.add(`${request.method} ${request.url}`))
    request.resume().on('end', () => response.end(String(++answered)))
  }, {})
  expect(seen.size).toBe(4)
  for (const paths of seen.values()) expect([...paths].toSorted()).toEqual(['GET /a', 'POST /b'])
  expect(result).toMatchObject({ badStatuses: 0, socketErrors: 0 })
  expect(result.requests).toBeGreaterThan(0)
  expect(answered - result.requests).toBeLessThanOrEqual(4)
})

test('goes on when the server closes a connection with its response', async () => {
  const result = await load((_, response) => response.setHeader('Connection', 'close').end('x'), {})
  expect(result.requests).toBeGreaterThan(4)
  expect(result).toMatchObject({ badStatuses: 0, socketErrors: 0 })
})

test('counts bad statuses and broken connections', async () => {
  const result = await load((request, response) => {
    if (request.url === '/a') response.writeHead(503).end()
    else request.socket.destroy()
  }, {})
  expect(result.badStatuses).toBeGreaterThan(0)
  expect(result.socketErrors).toBeGreaterThan(0)
})

test('with a rate sends what is due, and counts what waits for a stalled server from the moment it was due', async () => {
  let stalled = false
  const result = await load(
    (request, response) => {
      request.resume()
      // One stall of 200 ms: each of the requests that were due meanwhile has waited for it, though only four are under way.
      if (!stalled) {
        stalled = true
        const until = performance.now() + 200
        while (performance.now() < until);
      }
      response.end()
    },
    { rate: 400, seconds: 0.5 },
  )
  expect(result).toMatchObject({ badStatuses: 0, socketErrors: 0 })
  expect(result.requests).toBeGreaterThan(4)
  expect(result.requests).toBeLessThanOrEqual(200)
  // 40 % of the requests came in the stall; those of its first half have waited 100 ms and more.
  expect(result.p99).toBeGreaterThan(100)
})
