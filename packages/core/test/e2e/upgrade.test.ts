import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { FRAME_LEAVING } from '../../src/broker/protocol/frames.ts'
import type { BrokerStatus } from '../../src/broker/protocol/status.ts'
import { currentSocketPath } from '../../src/broker/rendezvous/generations.ts'
import { RawClient } from '../support/raw-client.ts'
import { RawOwner } from '../support/raw-owner.ts'
import { Owner, Site } from './processes.ts'
import { Program } from './programs.ts'
import { freePort } from '../support/free-port.ts'

const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const rolling = fileURLToPath(new URL('owners/rolling.mjs', import.meta.url))
const plain = fileURLToPath(new URL('owners/owner.mjs', import.meta.url))
const isRoot = process.getuid?.() === 0

async function httpsys(directory: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, HTTPSYS_RUNTIME_DIR: directory }
  return (await promisify(execFile)(process.execPath, [cli, ...args], { env })).stdout
}

async function status(directory: string): Promise<BrokerStatus | null> {
  return JSON.parse(await httpsys(directory, 'status', '--json')) as BrokerStatus | null
}

/** Replaces the broker; resolves to the new one's process. */
async function upgrade(directory: string): Promise<number> {
  return Number(/process (\d+) now/.exec(await httpsys(directory, 'upgrade'))?.[1])
}

/** The listening sockets of a process, by inode. */
function listeningSockets(pid: number): string[] {
  const listening = ['tcp', 'tcp6'].flatMap((file) =>
    readFileSync(`/proc/${pid}/net/${file}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === '0A')
      .map((fields) => fields[9]!),
  )
  return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    const inode = /^socket:\[(\d+)\]$/.exec(targetOf(`/proc/${pid}/fd/${name}`))?.[1]
    return inode !== undefined && listening.includes(inode) ? [inode] : []
  })
}

/** What a descriptor is of; '' for one that has been closed since it was listed. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function get(port: number, path: string): Promise<{ status: number; text: string }> {
  const outgoing = request({ host: '127.0.0.1', port, path, headers: { connection: 'close' } }).end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode!, text }
}

test('a broker that is replaced again and again keeps its sockets, and no more of them', async () => {
  await using site = new Site(plain)
  await site.listen('/1/')
  const [first] = site.brokers()
  const before = listeningSockets(first!)
  expect(before.length).toBeGreaterThan(0)
  let latest = first!
  for (let round = 0; round < 3; round++) {
    const previous = latest
    latest = await upgrade(site.directory)
    expect(await get(site.port, '/1/x')).toEqual({ status: 200, text: 'owner /1/ /1/x' })
    await expect.poll(() => isAlive(previous)).toBe(false)
  }
  expect(listeningSockets(latest).toSorted()).toEqual(before.toSorted())
  await site.owners[0]!.kill()
  await expect.poll(() => site.brokers()).toEqual([])
  await expect(get(site.port, '/1/x')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('who asks for a successor while one is started gets the same', async () => {
  await using site = new Site(plain)
  await site.listen('/1/')
  const pids = await Promise.all([1, 2, 3].map(() => upgrade(site.directory)))
  await expect.poll(() => site.brokers().length).toBe(1)
  expect(pids).toContain(site.brokers()[0])
  for (let count = 0; count < 20; count++) expect((await get(site.port, '/1/x')).status).toBe(200)
})

test('requests for a process that is stopped during an upgrade wait for it as they would have without', async () => {
  await using site = new Site(plain)
  const owner = await site.listen('/1/')
  owner.child.kill('SIGSTOP')
  await upgrade(site.directory)
  const answer = get(site.port, '/1/x')
  // Longer than the owners of a broker that has died have.
  await new Promise((resolve) => setTimeout(resolve, 4000))
  owner.child.kill('SIGCONT')
  expect(await answer).toEqual({ status: 200, text: 'owner /1/ /1/x' })
})

test('ports are opened and closed while the broker is replaced, and each is served at once', async () => {
  await using site = new Site(plain)
  await site.listen('/')
  const loops = await Promise.all([1, 2].map(() => site.listen('/ports/', 'attach')))
  for (const loop of loops) loop.tell('open-ports')
  for (let round = 0; round < 3; round++) await upgrade(site.directory)
  for (const loop of loops) {
    loop.tell('stop')
    const { count, failures } = await loop.next('opened')
    expect(failures).toEqual([])
    expect(count).toBeGreaterThan(0)
  }
})

test.skipIf(process.env['HTTPSYS_ENGINE'] === 'net')(
  'owners deal with the broker that is being replaced until all of them have reached its threads, and then with its successor',
  async () => {
    await using site = new Site(plain, { HTTPSYS_BROKER_THREADS: '2' })
    await site.listen('/1/')
    await site.allThreadsRun()
    const [old] = site.brokers()
    const socket = (await currentSocketPath(site.directory))!
    const leaver = await site.listen('/2/')
    using first = await RawOwner.open(socket)
    const successor = await upgrade(site.directory)
    // There are two now, and the first waits for this owner.
    using other = await RawOwner.open(socket)
    expect(other.brokerPid).toBe(old)
    other.die()
    leaver.tell('close')
    await leaver.next('closed')
    using second = await RawOwner.open(socket, 'sockets', { ...first.threads!, thread: 1 })
    expect(second.brokerPid).toBe(old)
    await first.next(FRAME_LEAVING)
    using next = await RawOwner.open(socket)
    expect(next.brokerPid).toBe(successor)
    // Nobody waits for what was given back in time.
    expect((await get(site.port, '/2/x')).status).toBe(404)
  },
)

async function chat(site: Site): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${site.port}/1/`)
  await once(socket, 'open')
  return socket
}

async function echo(socket: WebSocket, text: string): Promise<string> {
  socket.send(text)
  return String((await once(socket, 'message'))[0])
}

test('an open WebSocket goes on through the broker that was replaced, which leaves after it', async () => {
  await using site = new Site(rolling)
  await site.listen('/1/')
  const [old] = site.brokers()
  const socket = await chat(site)
  const successor = await upgrade(site.directory)
  expect((await get(site.port, '/1/x')).status).toBe(200)
  // Longer than idle connections are kept.
  await new Promise((resolve) => setTimeout(resolve, 3500))
  expect(await echo(socket, 'still here')).toMatch(/still here$/)
  expect(site.brokers().toSorted()).toEqual([old!, successor].toSorted())
  socket.close()
  await expect.poll(() => site.brokers()).toEqual([successor])
})

test('with HTTPSYS_SHUTDOWN_TIMEOUT the broker that was replaced closes WebSockets with 1012 and leaves', async () => {
  await using site = new Site(rolling, { HTTPSYS_SHUTDOWN_TIMEOUT: '500' })
  await site.listen('/1/')
  const socket = await chat(site)
  const closed = once(socket, 'close')
  const successor = await upgrade(site.directory)
  expect((await closed)[0]).toBe(1012)
  await expect.poll(() => site.brokers()).toEqual([successor])
  const again = await chat(site)
  expect(await echo(again, 'back')).toMatch(/back$/)
  again.terminate()
})

test.skipIf(process.env['HTTPSYS_ENGINE'] === 'net')(
  'a broker that was replaced stays for the clients of every thread, also when the owners have gone',
  async () => {
    await using site = new Site(plain, { HTTPSYS_BROKER_THREADS: '3' })
    const owner = await site.listen('/1/')
    await site.allThreadsRun()
    const before = (await site.status()).queues[0]!.requests
    let first: RawClient | undefined
    const clients: RawClient[] = []
    for (let count = 1; count <= 3; count++) {
      const client = await RawClient.open(site.port)
      client.write('GET /1/hold HTTP/1.1\r\nHost: localhost\r\n\r\n')
      await expect.poll(async () => (await site.status()).queues[0]!.requests).toBe(before + count)
      clients.push(client)
      if ((await site.status()).threads[0]!.connections === 1 && first === undefined) first = clients.pop()
    }
    // Without a client the first thread has nothing left to do.
    first![Symbol.dispose]()
    expect(clients).toHaveLength(2)
    await upgrade(site.directory)
    await owner.kill()
    // The successor has the prefix: nobody comes here any more.
    for (const client of clients) expect(await client.until('\r\n\r\n')).toMatch(/^HTTP\/1\.1 503 /)
    for (const client of clients) client[Symbol.dispose]()
  },
)

test.skipIf(process.env['HTTPSYS_ENGINE'] === 'net')(
  'every thread of a broker that is replaced closes its WebSockets with 1012',
  async () => {
    await using site = new Site(rolling, { HTTPSYS_SHUTDOWN_TIMEOUT: '500', HTTPSYS_BROKER_THREADS: '3' })
    await site.listen('/1/')
    await site.allThreadsRun()
    const sockets = await Promise.all(Array.from({ length: 30 }, () => chat(site)))
    const codes = Promise.all(sockets.map(async (socket) => (await once(socket, 'close'))[0] as number))
    await upgrade(site.directory)
    expect(new Set(await codes)).toEqual(new Set([1012]))
  },
)

test.skipIf(!isRoot).each([[['--shared']], [[]]])(
  'a broker that became another user (httpsys serve %j) is replaced by one of that user, which keeps its ports',
  async (flags) => {
    const directory = mkdtempSync(join(tmpdir(), 'httpsys-upgrade-'))
    chmodSync(directory, 0o700)
    const [port, kept] = [await freePort(), await freePort()]
    const env = { ...process.env, HTTPSYS_RUNTIME_DIR: directory, HTTPSYS_BASE: `http://localhost:${port}` }
    const ports = ['--port', String(port), '--port', String(kept)]
    const broker = new Program([cli, 'serve', ...flags, '--user', 'nobody', ...ports], env)
    await expect.poll(() => status(directory)).not.toBeNull()
    const owner = new Owner(plain, env, `http://*:${port}/1/`, 'create')
    try {
      await owner.next('listening')
      const uid = Number((await promisify(execFile)('id', ['-u', 'nobody'])).stdout)
      let latest = broker.child.pid!
      const sockets = listeningSockets(latest).toSorted()
      for (let round = 0; round < 2; round++) {
        const previous = latest
        latest = await upgrade(directory)
        expect(latest).not.toBe(previous)
        await expect.poll(() => isAlive(previous)).toBe(false)
        expect(readFileSync(`/proc/${latest}/status`, 'utf8')).toMatch(
          new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}`, 'm'),
        )
        expect(await get(port, '/1/x')).toEqual({ status: 200, text: `owner http://*:${port}/1/ /1/x` })
      }
      expect(broker.child.exitCode).toBe(0)
      expect(listeningSockets(latest).toSorted()).toEqual(sockets)
      expect((await status(directory))?.ports.map((entry) => entry.port).toSorted()).toEqual([port, kept].toSorted())
      // The places of its claims are written down for the next one, as they were before.
      expect(readFileSync(join(directory, 'claims.json'), 'utf8')).toContain(`http://*:${port}/1/`)
      await owner.kill()
      process.kill(latest, 'SIGTERM')
      await expect.poll(() => isAlive(latest)).toBe(false)
    } finally {
      await owner.kill()
      broker.child.kill('SIGKILL')
      rmSync(directory, { recursive: true, force: true })
    }
  },
)
