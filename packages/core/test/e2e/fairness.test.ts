import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RawClient } from '../support/raw-client.ts'
import { Site, residentMebibytes } from './processes.ts'

const IDLE_CONNECTIONS = 2000
/** Far above what a request takes, far below what waiting for somebody else would. */
const MAX_LATENCY_MS = 500
/** Of the broker, with everything that goes on here at once. */
const MAX_GROWTH_MIB = 64
const MAX_BYTES_PER_IDLE_CONNECTION = 16 * 1024

let site: Site
let broker: number

beforeAll(async () => {
  site = new Site()
  await site.listen('/good/')
  await site.listen('/bad/')
  broker = site.brokers()[0]!
})
afterAll(() => site[Symbol.asyncDispose]())

/**
 * How long a request to the owner that works takes at most, milliseconds: the slowest of a series, in the best of several series. Who
 * waits for somebody else waits in every series; a machine that does other things beside delays one or the other.
 */
async function slowest(): Promise<number> {
  using client = await RawClient.open(site.port)
  let best = Infinity
  for (let series = 0; series < 6; series++) {
    let worst = 0
    for (let count = 0; count < 50; count++) {
      client.text = ''
      const start = performance.now()
      client.write('GET /good/x HTTP/1.1\r\nHost: localhost\r\n\r\n')
      await client.until('owner /good/')
      worst = Math.max(worst, performance.now() - start)
    }
    best = Math.min(best, worst)
  }
  return best
}

async function open(count: number, text: string): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connect({ port: site.port, host: '127.0.0.1' }))
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  for (const socket of sockets) {
    socket.on('error', () => {})
    socket.pause()
    socket.write(text)
  }
  return sockets
}

test('idle connections cost memory within a bound, and nobody else time', async () => {
  await slowest()
  const before = residentMebibytes(broker)
  const sockets = await open(IDLE_CONNECTIONS, 'GET /good/x HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await Promise.all(sockets.map((socket) => once(socket.resume(), 'data')))
  const latency = await slowest()
  const each = ((residentMebibytes(broker) - before) * 1024 * 1024) / IDLE_CONNECTIONS
  console.log(
    `${IDLE_CONNECTIONS} idle connections: ${(each / 1024).toFixed(1)} KiB each, slowest ${latency.toFixed(1)} ms`,
  )
  for (const socket of sockets) socket.destroy()
  expect(each).toBeLessThan(MAX_BYTES_PER_IDLE_CONNECTION)
  expect(latency).toBeLessThan(MAX_LATENCY_MS)
})

const HEAD = 'Host: localhost\r\n'
test.each([
  ['clients that send a head and stop in the middle', 200, 'GET /good/x HTTP/1.1\r\nHost: loc', null],
  [
    'clients that stop in the middle of a body',
    100,
    `POST /good/upload HTTP/1.1\r\n${HEAD}Content-Length: 100000\r\n\r\nhalf`,
    null,
  ],
  ['clients that never read', 20, `GET /good/download/64 HTTP/1.1\r\n${HEAD}\r\n`, null],
  [
    'an app that never reads its bodies',
    20,
    `POST /bad/slow-upload HTTP/1.1\r\n${HEAD}Content-Length: 50000000\r\n\r\n`,
    5_000_000,
  ],
])('%s raise neither the others’ latency nor the broker’s memory beyond a bound', async (what, count, text, body) => {
  const before = residentMebibytes(broker)
  const sockets = await open(count, text)
  if (body !== null) for (const socket of sockets) socket.write(Buffer.alloc(body))
  const latency = await slowest()
  const growth = residentMebibytes(broker) - before
  console.log(`${count} ${what}: broker +${growth.toFixed(1)} MiB, slowest ${latency.toFixed(1)} ms`)
  for (const socket of sockets) socket.destroy()
  expect(growth).toBeLessThan(MAX_GROWTH_MIB)
  expect(latency).toBeLessThan(MAX_LATENCY_MS)
})

test('clients that send a byte at a time, and an app that is stopped, do neither', async () => {
  const stopped = site.owners[1]!
  stopped.child.kill('SIGSTOP')
  try {
    const before = residentMebibytes(broker)
    const waiting = await open(
      200,
      `POST /bad/x HTTP/1.1\r\n${HEAD}Content-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`,
    )
    const slow = await open(100, '')
    const text = `GET /good/x HTTP/1.1\r\n${HEAD}A: ${'x'.repeat(1000)}`
    let position = 0
    const drip = setInterval(() => slow.forEach((socket) => socket.write(text[position++ % text.length]!)), 10)
    const latency = await slowest()
    clearInterval(drip)
    const growth = residentMebibytes(broker) - before
    console.log(
      `a stopped app and 100 slow clients: broker +${growth.toFixed(1)} MiB, slowest ${latency.toFixed(1)} ms`,
    )
    for (const socket of [...waiting, ...slow]) socket.destroy()
    expect(growth).toBeLessThan(MAX_GROWTH_MIB)
    expect(latency).toBeLessThan(MAX_LATENCY_MS)
  } finally {
    stopped.child.kill('SIGCONT')
  }
})
