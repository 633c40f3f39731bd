import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { Site, residentMebibytes } from './processes.ts'

const MEBIBYTE = 1024 * 1024
const SIZE = 1024
/**
 * What a process may grow by while a body of a gibibyte passes through it. The broker's share is 6 to 9 MiB: buffers that it has not
 * used before (6 MiB to receive and 4 to send, in each thread), windows of 128 KiB, and V8's garbage. It was 42
 * while two more threads were just starting, so they run first. The app's share is garbage that V8 has not collected yet: under plain
 * node:http the same handler grows by 40 MiB on Node 20 and by 87 on Node 24.
 */
const MAX_GROWTH_MIB = { broker: 40, app: 120 }

const pattern = Buffer.alloc(MEBIBYTE, Buffer.from(Array.from({ length: 251 }, (_, index) => index)))

function expectedHash(): string {
  const hash = createHash('sha1')
  for (let count = 0; count < SIZE; count++) hash.update(pattern)
  return hash.digest('hex')
}

/** Watches the memory of processes until it is told to stop; returns the most that each has grown by, in MiB. */
function watchMemory(pids: Record<string, number>): () => Record<string, number> {
  const names = Object.keys(pids)
  const before = names.map((name) => residentMebibytes(pids[name]!))
  const growth = names.map(() => 0)
  const look = (): void => {
    for (const [index, name] of names.entries()) {
      growth[index] = Math.max(growth[index]!, residentMebibytes(pids[name]!) - before[index]!)
    }
  }
  const timer = setInterval(look, 20)
  return () => {
    clearInterval(timer)
    look()
    return Object.fromEntries(names.map((name, index) => [name, Math.round(growth[index]!)]))
  }
}

function expectLittle(growth: Record<string, number>): void {
  expect(growth['broker']).toBeLessThan(MAX_GROWTH_MIB.broker)
  expect(growth['app']).toBeLessThan(MAX_GROWTH_MIB.app)
}

async function upload(
  site: Site,
  path: string,
  headers: Record<string, string | number>,
): Promise<{ size: number; hash: string }> {
  const outgoing = request(site.base + path, { method: 'POST', headers, agent: false })
  const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>
  for (let count = 0; count < SIZE; count++) if (!outgoing.write(pattern)) await once(outgoing, 'drain')
  outgoing.end()
  const [response] = await answered
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return JSON.parse(text) as { size: number; hash: string }
}

test.each([
  ['of known length', { 'Content-Length': SIZE * MEBIBYTE }],
  ['in chunks', { 'Transfer-Encoding': 'chunked' }],
])(
  'a gibibyte uploaded %s arrives whole, and neither broker nor app keeps it',
  { timeout: 60_000 },
  async (_, headers) => {
    await using site = new Site()
    const owner = await site.listen('/1/')
    await site.allThreadsRun()
    const stop = watchMemory({ broker: site.brokers()[0]!, app: owner.pid })
    expect(await upload(site, '/1/upload', headers)).toEqual({ size: SIZE * MEBIBYTE, hash: expectedHash() })
    const growth = stop()
    console.log('growth in MiB', growth)
    expectLittle(growth)
  },
)

test('what many clients upload to one owner at once arrives whole', { timeout: 60_000 }, async () => {
  await using site = new Site()
  await site.listen('/1/')
  const body = Buffer.concat([pattern, pattern])
  const expected = { size: body.length, hash: createHash('sha1').update(body).digest('hex') }
  // More than the owner's local socket takes, so that requests wait at the broker with what has come of their bodies.
  const clients = Array.from({ length: 24 }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let count = 0; count < 4; count++) {
      const outgoing = request(`${site.base}/1/upload`, { method: 'POST', agent }).end(body)
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
      let text = ''
      for await (const chunk of response) text += String(chunk)
      expect([response.statusCode, text]).toEqual([200, JSON.stringify(expected)])
    }
    agent.destroy()
  })
  await Promise.all(clients)
})

test('an app that stops reading stops the client, and the broker keeps little', { timeout: 60_000 }, async () => {
  await using site = new Site()
  const owner = await site.listen('/1/')
  await site.allThreadsRun()
  const stop = watchMemory({ broker: site.brokers()[0]!, app: owner.pid })
  const outgoing = request(`${site.base}/1/slow-upload`, { method: 'POST', agent: false })
  outgoing.on('error', () => {})
  outgoing.write(pattern)
  await owner.next('paused')
  let sent = 1
  // The kernel's buffers take some megabytes; then the client must be held back.
  while (sent < SIZE) {
    sent++
    if (outgoing.write(pattern)) continue
    const drained = await Promise.race([once(outgoing, 'drain').then(() => true), elapsed(500).then(() => false)])
    if (!drained) break
  }
  expect(sent).toBeLessThan(64)
  expectLittle(stop())
  outgoing.destroy()
})

test(
  'a gibibyte is downloaded whole, also when the client pauses, and nobody keeps it',
  { timeout: 60_000 },
  async () => {
    await using site = new Site()
    const owner = await site.listen('/1/')
    await site.allThreadsRun()
    const stop = watchMemory({ broker: site.brokers()[0]!, app: owner.pid })
    const [response] = (await once(request(`${site.base}/1/download/${SIZE}`, { agent: false }).end(), 'response')) as [
      IncomingMessage,
    ]
    const hash = createHash('sha1')
    let size = 0
    let hasPaused = false
    for await (const chunk of response) {
      size += (chunk as Buffer).length
      hash.update(chunk as Buffer)
      if (!hasPaused && size > 100 * MEBIBYTE) {
        hasPaused = true
        await elapsed(300)
      }
    }
    expect([size, hash.digest('hex')]).toEqual([SIZE * MEBIBYTE, expectedHash()])
    const growth = stop()
    console.log('growth in MiB', growth)
    expectLittle(growth)
  },
)

/** Time in which nothing may happen: there is no event for that. */
function elapsed(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
