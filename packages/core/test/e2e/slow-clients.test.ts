import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { BrokerStatus } from '../../src/broker/protocol/status.ts'
import { currentSocketPath } from '../../src/broker/rendezvous/generations.ts'
import { RawClient } from '../support/raw-client.ts'
import { Site, residentMebibytes } from './processes.ts'

/** Of each kind, all of them at the same time. */
const CLIENTS = 200
/** Far above what a request takes, far below what waiting for somebody else would. */
const MAX_LATENCY_MS = 500
const MAX_GROWTH_MIB = 96
/** Of that, when they have gone. */
const MAX_KEPT_MIB = 32
/** From one byte to the next. */
const DRIP_MS = 200
const BODY_BYTES = 50

const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const collecting = new URL('owners/collecting.mjs', import.meta.url).href
const daemon = fileURLToPath(new URL('../../dist/broker/daemon/main.js', import.meta.url))
const HEAD = 'Host: localhost\r\n'

let site: Site
let broker: number
const opened: Socket[] = []

beforeAll(async () => {
  const limits = {
    HTTPSYS_HEADER_WAIT_TIMEOUT: '4000',
    HTTPSYS_IDLE_CONNECTION_TIMEOUT: '4000',
    HTTPSYS_ENTITY_BODY_TIMEOUT: '4000',
    // HTTP.SYS's 150 are counted over 64 KiB, which would take seven minutes.
    HTTPSYS_MIN_SEND_RATE: '20000',
  }
  site = new Site(undefined, limits)
  const env = { ...process.env, ...limits, HTTPSYS_RUNTIME_DIR: site.directory }
  spawn(process.execPath, ['--import', collecting, daemon], { env, stdio: 'ignore' })
  await vi.waitFor(async () => {
    if ((await currentSocketPath(site.directory)) === undefined) throw new Error('there is no broker yet')
  }, 20_000)
  await site.listen('/good/')
  broker = site.brokers()[0]!
})
afterAll(async () => {
  for (const socket of opened) socket.destroy()
  await site[Symbol.asyncDispose]()
})

async function reasons(): Promise<BrokerStatus['reasons']> {
  const env = { ...process.env, HTTPSYS_RUNTIME_DIR: site.directory }
  const { stdout } = await promisify(execFile)(process.execPath, [cli, 'status', '--json'], { env })
  return (JSON.parse(stdout) as BrokerStatus).reasons
}

/** The slowest of a series of requests, milliseconds, in the best of several series: who waits for somebody else waits in all. */
async function slowest(): Promise<number> {
  using client = await RawClient.open(site.port)
  let best = Infinity
  for (let series = 0; series < 6; series++) {
    let worst = 0
    for (let count = 0; count < 30; count++) {
      client.text = ''
      const start = performance.now()
      client.write(`GET /good/x HTTP/1.1\r\n${HEAD}\r\n`)
      await client.until('owner /good/')
      worst = Math.max(worst, performance.now() - start)
    }
    best = Math.min(best, worst)
  }
  return best
}

/** Opens connections of one kind; the text is all that each of them sends at once. */
async function open(text: string): Promise<Socket[]> {
  const sockets = Array.from({ length: CLIENTS }, () => connect({ port: site.port, host: '127.0.0.1' }))
  opened.push(...sockets)
  for (const socket of sockets) socket.on('error', () => {})
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  for (const socket of sockets) socket.write(text)
  return sockets
}

/** Sends a text byte by byte. */
function drip(sockets: readonly Socket[], text: string): NodeJS.Timeout {
  let position = 0
  return setInterval(() => {
    const byte = text[position++]
    if (byte !== undefined) for (const socket of sockets) if (socket.writable) socket.write(byte)
  }, DRIP_MS)
}

test('hundreds of slow clients of every kind cost nobody else time, memory is bounded, and the limits end them', async () => {
  await slowest()
  const before = residentMebibytes(broker)
  const silent = await open('')
  const heads = await open('GET /good/x HTTP/1.1\r\n')
  const stalled = await open(`POST /good/upload HTTP/1.1\r\n${HEAD}Content-Length: 100000\r\n\r\nhalf`)
  const bodies = await open(`POST /good/upload HTTP/1.1\r\n${HEAD}Content-Length: ${BODY_BYTES}\r\n\r\n`)
  const answers = Promise.all(bodies.map(async (socket) => String((await once(socket, 'data'))[0])))
  const readers = await open(`GET /good/download/64 HTTP/1.1\r\n${HEAD}\r\n`)
  for (const socket of readers) socket.pause()
  const timers = [drip(heads, 'X-Slow: 1\r\n'.repeat(1000)), drip(bodies, 'x'.repeat(BODY_BYTES))]
  const reading = setInterval(() => readers.forEach((socket) => socket.read(1)), DRIP_MS)

  const latency = await slowest()
  const growth = residentMebibytes(broker) - before
  console.log(
    `${5 * CLIENTS} slow clients: broker +${growth.toFixed(1)} MiB, slowest of the others ${latency.toFixed(1)} ms`,
  )
  // A byte every now and then is progress as far as bodies go: these are answered.
  expect(await answers).toEqual(Array(CLIENTS).fill(expect.stringContaining(`"size":${BODY_BYTES}`)))
  await expect.poll(reasons, { timeout: 30_000 }).toMatchObject({
    Timer_HeaderWait: CLIENTS,
    Timer_EntityBody: CLIENTS,
    Timer_MinBytesPerSecond: CLIENTS,
  })
  for (const socket of [...silent, ...heads, ...stalled]) {
    socket.resume()
    if (!socket.closed) await once(socket, 'close')
  }
  for (const timer of [...timers, reading]) clearInterval(timer)
  const after = await slowest()
  expect(latency).toBeLessThan(MAX_LATENCY_MS)
  expect(after).toBeLessThan(MAX_LATENCY_MS)
  expect(growth).toBeLessThan(MAX_GROWTH_MIB)
  for (const socket of opened) socket.destroy()
  const kept = (): number => residentMebibytes(broker) - before
  // V8 collects, and makes its young generation smaller again, when it likes.
  const keptWhenCollected = (): number => {
    process.kill(broker, 'SIGUSR2')
    return kept()
  }
  await expect.poll(keptWhenCollected, { timeout: 20_000 }).toBeLessThan(MAX_KEPT_MIB)
  console.log(`when they have gone: broker +${kept().toFixed(1)} MiB`)
})
