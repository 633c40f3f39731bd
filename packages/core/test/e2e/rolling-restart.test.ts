import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { RawClient } from '../support/raw-client.ts'
import { Site } from './processes.ts'
import type { Owner } from './processes.ts'

const script = fileURLToPath(new URL('owners/rolling.mjs', import.meta.url))
const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const PREFIXES = ['/1/', '/2/', '/3/', '/4/', '/5/', '/6/', '/7/', '/8/']

/** Where work waits while it is not wanted. */
class Gate {
  #opened: Promise<void> = Promise.resolve()
  #open: () => void = () => {}

  open(): void {
    this.#open()
  }

  close(): void {
    this.#opened = new Promise((resolve) => (this.#open = resolve))
  }

  passed(): Promise<void> {
    return this.#opened
  }
}

/** Work that goes on until it is stopped; the first failure ends it, and surfaces in `stop`. */
function repeat(work: () => Promise<void>, gate = new Gate()): { count: () => number; stop: () => Promise<number> } {
  let isStopped = false
  let count = 0
  const run = (async () => {
    for (; !isStopped; count++) {
      await gate.passed()
      await work()
    }
  })()
  run.catch(() => {})
  const stop = async (): Promise<number> => {
    isStopped = true
    gate.open()
    await run
    return count
  }
  return { count: () => count, stop }
}

async function exchange(site: Site, path: string, agent: Agent, body?: Buffer): Promise<string> {
  const outgoing = request(site.base + path, { agent, method: body === undefined ? 'GET' : 'POST' })
  // In two parts, so that a change of owner may fall between them.
  if (body !== undefined) outgoing.write(body.subarray(0, body.length / 2))
  setImmediate(() => outgoing.end(body?.subarray(body.length / 2)))
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${text} for ${path}`)
  return text
}

/** Requests on one connection that lies still between them, several at a time, of all prefixes in turn; a new one when it was closed. */
function pipeline(site: Site): () => Promise<void> {
  const requests = PREFIXES.map((path) => `GET ${path}p HTTP/1.1\r\nHost: localhost\r\n\r\n`).join('')
  let client: RawClient | undefined
  return async () => {
    client ??= await RawClient.open(site.port)
    client.text = ''
    client.write(requests)
    const text = await client.until('owner ', PREFIXES.length)
    const found = [...text.matchAll(/owner (\/\d\/)/g)].map((match) => match[1])
    if (found.join() !== PREFIXES.join() || !text.endsWith('/8/p')) await client.until('/8/p')
    if (text.includes('HTTP/1.1 5')) throw new Error(text)
    if (client.text.includes('Connection: close')) client = undefined
  }
}

/** Messages that wait for their echo; a connection may only close with 1012. */
function chat(site: Site, path: string, opened: WebSocket[]): () => Promise<void> {
  let socket: WebSocket | undefined
  let number = 0
  return async () => {
    number++
    for (;;) {
      if (socket?.readyState !== WebSocket.OPEN) {
        socket = new WebSocket(site.base.replace('http', 'ws') + path)
        opened.push(socket)
        await once(socket, 'open')
      }
      const echo = await echoOf(socket, String(number))
      if (echo !== undefined) return expect(echo).toMatch(new RegExp(`^\\d+ ${number}$`))
    }
  }
}

function echoOf(socket: WebSocket, text: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const onClose = (code: number): void => {
      if (code === 1012) resolve(undefined)
      else reject(new Error(`closed with ${code}`))
    }
    socket.once('close', onClose)
    socket.once('message', (data) => {
      socket.off('close', onClose)
      resolve((data as Buffer).toString())
    })
    socket.send(text)
  })
}

interface Load {
  /** Rounds of each client so far. */
  counts(): number[]
  /** No client begins another round, until it is resumed. */
  pause(): void
  resume(): void
  stop(): Promise<number[]>
}

/** Everything that clients do at once. */
function load(site: Site): Load {
  const agent = new Agent({ keepAlive: true })
  const opened: WebSocket[] = []
  const body = randomBytes(300_000)
  const hash = createHash('sha1').update(body).digest('hex')
  const work = [
    ...PREFIXES.map((path) => async () => {
      expect(await exchange(site, `${path}x`, agent)).toBe(`owner ${path} ${path}x`)
    }),
    ...['/1/', '/5/'].map((path) => async () => {
      expect(await exchange(site, path, agent, body)).toBe(hash)
    }),
    pipeline(site),
    chat(site, '/3/', opened),
    chat(site, '/7/', opened),
  ]
  const gate = new Gate()
  const running = work.map((one) => repeat(one, gate))
  return {
    counts: () => running.map((one) => one.count()),
    pause: () => gate.close(),
    resume: () => gate.open(),
    async stop() {
      const counts = await Promise.all(running.map((one) => one.stop()))
      agent.destroy()
      for (const socket of opened) socket.close()
      return counts
    },
  }
}

/** Waits until every client has done some more rounds; one that has failed never does, and `stop` says why. */
async function moreRounds(clients: Load, rounds: number): Promise<void> {
  const before = clients.counts()
  await expect
    .poll(() => clients.counts().every((count, index) => count >= before[index]! + rounds), { timeout: 30_000 })
    .toBe(true)
    .catch(async (error: unknown) => {
      await clients.stop()
      throw error
    })
}

// The load rests while processes start, which is most of the time: what counts is the change from one to the next.
test('eight processes are replaced one after the other by takeover, and no request and no byte is lost', async () => {
  await using site = new Site(script)
  const owners: Owner[] = []
  for (const path of PREFIXES) owners.push(await site.listen(path))
  const clients = load(site)
  for (let round = 0; round < 2; round++) {
    for (const [index, path] of PREFIXES.entries()) {
      clients.pause()
      const newcomer = site.start(path, 'takeover')
      await newcomer.next('started')
      clients.resume()
      await moreRounds(clients, 1)
      newcomer.tell('listen')
      await newcomer.next('listening')
      const old = owners[index]!
      owners[index] = newcomer
      await old.next('drain')
      expect(await old.exit()).toBe(0)
      await moreRounds(clients, 1)
    }
  }
  const counts = await clients.stop()
  console.log(`16 processes replaced; rounds of work: ${counts.join(', ')}`)
})

test('the broker is replaced under load, and no connection is refused and nothing is lost', async () => {
  await using site = new Site(script)
  for (const path of PREFIXES) await site.listen(path)
  const socket = new WebSocket(site.base.replace('http', 'ws') + '/1/')
  await once(socket, 'open')
  const clients = load(site)
  const [first] = site.brokers()
  for (let round = 0; round < 3; round++) {
    const { stdout } = await promisify(execFile)(process.execPath, [cli, 'upgrade'], {
      env: { ...process.env, HTTPSYS_RUNTIME_DIR: site.directory },
    })
    expect(stdout).toMatch(/^the broker is process \d+ now\n$/)
    expect(site.brokers()).toContain(Number(/\d+/.exec(stdout)![0]))
    // Fresh connections are the new one's.
    await moreRounds(clients, 3)
  }
  // The oldest has a client left, whom it keeps.
  expect(site.brokers()).toContain(first)
  expect(await echoOf(socket, 'still here')).toMatch(/still here$/)
  socket.close()
  await clients.stop()
  await expect.poll(() => site.brokers(), { timeout: 30_000 }).toHaveLength(1)
  expect(site.brokers()).not.toContain(first)
})

// A start may take longer than the default of 2 s here.
test.each([
  ['SIGTERM', 0],
  ['SIGKILL', null],
] as const)('requests wait from %s of an owner until its prefix is claimed again', async (signal, exitCode) => {
  await using site = new Site(script, { HTTPSYS_HOLD_FOR: '10000' })
  await site.listen('/2/')
  let owner = await site.listen('/1/')
  const agent = new Agent({ keepAlive: true })
  const clients = [1, 2, 3].map(() => repeat(async () => void (await exchange(site, '/1/x', agent))))
  for (let round = 0; round < 3; round++) {
    owner.child.kill(signal)
    expect(await owner.exit()).toBe(exitCode)
    const before = clients.map((client) => client.count())
    owner = await site.listen('/1/')
    // A request gets a second chance, but no third.
    await expect
      .poll(() => clients.every((client, index) => client.count() > before[index]! + 1), { timeout: 30_000 })
      .toBe(true)
  }
  for (const client of clients) await client.stop()
  agent.destroy()
})
