import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DEFAULT_SERVER_LIMITS } from '../../src/broker/daemon/server-limits.ts'
import type { BrokerStatus } from '../../src/broker/protocol/status.ts'
import { Program } from './programs.ts'
import { currentSocketPath } from '../../src/broker/rendezvous/generations.ts'
import { RawClient } from '../support/raw-client.ts'
import { PRIVATE, RawOwner } from '../support/raw-owner.ts'
import { freePort } from '../support/free-port.ts'
import { listeningSockets } from '../support/listening-sockets.ts'

const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const isRoot = process.getuid?.() === 0
const hasUring = process.platform === 'linux' && process.env['HTTPSYS_ENGINE'] !== 'net'
let directory: string
let env: NodeJS.ProcessEnv

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'httpsys-serve-'))
  chmodSync(directory, 0o700)
  env = { ...process.env, HTTPSYS_RUNTIME_DIR: directory, HTTPSYS_BROKER_IDLE_EXIT: '50' }
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** What `httpsys …` prints. */
async function httpsys(...args: string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, [cli, ...args], { env })).stdout
}

async function status(): Promise<BrokerStatus | null> {
  return JSON.parse(await httpsys('status', '--json')) as BrokerStatus | null
}

/** A broker that is served, once it answers. */
async function serve(...args: string[]): Promise<Program> {
  const program = new Program([cli, 'serve', ...args], env)
  await expect.poll(status, { timeout: 10_000 }).not.toBeNull()
  return program
}

test('httpsys serve stays without owners, lets no second one in, and ends when it is told to', async () => {
  const broker = await serve()
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect((await status())?.pid).toBe(broker.child.pid)
  const second = new Program([cli, 'serve'], env)
  expect(await second.exit()).toBe(2)
  expect(second.errors).toMatch(/EADDRINUSE .*a broker runs there already.*httpsys upgrade/)
  expect(await broker.end('SIGTERM')).toBe(0)
  expect(await status()).toBeNull()
})

test.each(['1', '3'])('a port that somebody has ends it, which says so, with %s threads', async (threads) => {
  env['HTTPSYS_BROKER_THREADS'] = threads
  const other = createServer().listen(await freePort())
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const broker = new Program([cli, 'serve', '--port', String(port)], env)
  expect(await broker.exit()).toBe(2)
  expect(broker.errors).toContain(`EADDRINUSE port ${port}`)
  other.close()
})

test('a served broker is replaced by one that stays as well', async () => {
  const broker = await serve()
  expect(await httpsys('upgrade')).toMatch(/the broker is process \d+ now/)
  // Its output is the new one's, and stays open.
  await expect.poll(() => broker.child.exitCode).toBe(0)
  await new Promise((resolve) => setTimeout(resolve, 200))
  const { pid } = (await status())!
  expect(pid).not.toBe(broker.child.pid)
  process.kill(pid, 'SIGTERM')
  await expect.poll(status).toBeNull()
})

test('limits are options of httpsys serve, which count more than the environment and outlive a replacement', async () => {
  env['HTTPSYS_MAX_FIELD_LENGTH'] = '3000'
  env['HTTPSYS_URL_SEGMENT_MAX_COUNT'] = '9'
  const broker = await serve('--max-field-length', '2000', '--max-server-connections=3')
  const limits = { maxFieldLength: 2000, maxServerConnections: 3, urlSegmentMaxCount: 9, maxRequestBytes: 16_384 }
  expect((await status())?.limits).toMatchObject(limits)
  await httpsys('upgrade')
  await expect.poll(() => broker.child.exitCode).toBe(0)
  const successor = (await status())!
  expect(successor.limits).toMatchObject(limits)
  process.kill(successor.pid, 'SIGTERM')
  await expect.poll(status).toBeNull()
})

test.each([
  [
    ['--max-field-length', '2k'],
    /--max-field-length is '2k'.*Write --max-field-length N, N a whole number from 0 to 65535/,
  ],
  [['--max-request-bytes=65536'], /--max-request-bytes is '65536'/],
  [['--port', '0'], /--port is 0, not a number from 1 to 65535/],
  [['--max-feild-length', '1'], /--max-feild-length/],
])('httpsys serve %j says what is wrong, and does not start', async (args, message) => {
  await expect(httpsys('serve', ...args)).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(message) as string,
  })
  expect(await status()).toBeNull()
})

test('every limit of the broker is an option, a variable and a line of the manual, with its default', async () => {
  const usage = await httpsys('--help')
  const manual = readFileSync(new URL('../../../../docs/environment.md', import.meta.url), 'utf8')
  for (const [name, value] of Object.entries(DEFAULT_SERVER_LIMITS)) {
    const words = name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
    const flag = `--${words.toLowerCase().replaceAll('_', '-')}`
    expect(usage).toMatch(new RegExp(`^ +${flag} .*\\[${value}\\]$`, 'm'))
    expect(manual).toMatch(new RegExp(`^\\| \`HTTPSYS_${words}\` +\\| \`${flag}\` +\\|.*\\| ${value} +\\|$`, 'm'))
  }
})

test.skipIf(!isRoot)('as root it opens its ports and becomes the user that it is told', async () => {
  const port = await freePort()
  const broker = await serve('--shared', '--user', 'nobody', '--port', String(port))
  const uid = Number((await promisify(execFile)('id', ['-u', 'nobody'])).stdout)
  await expect
    .poll(() => readFileSync(`/proc/${broker.child.pid}/status`, 'utf8'))
    .toMatch(new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'))
  expect(readFileSync(`/proc/${broker.child.pid}/status`, 'utf8')).toMatch(/^CapEff:\t0+$/m)
  expect((await status())?.ports).toMatchObject([{ port }])
  expect(await broker.end('SIGTERM')).toBe(0)
})

test.skipIf(!isRoot || !hasUring)(
  'each of its threads has a socket of the ports that root opens, also when the user is replaced',
  async () => {
    const port = await freePort()
    env['HTTPSYS_BROKER_THREADS'] = '3'
    const broker = await serve('--shared', '--user', 'nobody', '--port', String(port))
    const userOf = (pid: number): string => readFileSync(`/proc/${pid}/status`, 'utf8').match(/Uid:\t(\d+)/)![1]!
    await expect.poll(() => userOf(broker.child.pid!)).not.toBe('0')
    expect(listeningSockets(port)).toEqual({ tcp6: 3 })
    await httpsys('upgrade')
    await expect.poll(() => broker.child.exitCode).toBe(0)
    expect(listeningSockets(port)).toEqual({ tcp6: 3 })
    process.kill((await status())!.pid, 'SIGTERM')
    await expect.poll(status).toBeNull()
  },
)

test.skipIf(!hasUring)(
  'a port that is kept becomes private, and no thread has clients of it but the first',
  async () => {
    const port = await freePort()
    env['HTTPSYS_BROKER_THREADS'] = '3'
    const broker = await serve('--port', String(port))
    await expect.poll(() => listeningSockets(port)).toEqual({ tcp6: 3 })
    const clients: RawClient[] = []
    for (let count = 0; count < 9; count++) {
      const client = await RawClient.open(port)
      clients.push(client)
      // Each is counted before the next one comes.
      client.write('GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n')
      await client.until('is registered for this host.\n')
      client.text = ''
    }
    expect((await status())!.threads.map(({ connections }) => connections)).toEqual([3, 3, 3])
    using owner = await RawOwner.open((await currentSocketPath(directory))!)
    await owner.claim(`http://*:${port}/`, { privatePort: PRIVATE })
    // The first thread's take part in it, the others' may come again.
    await expect.poll(() => clients.filter(({ isEnded }) => isEnded).length).toBe(6)
    for (const client of clients) if (client.isEnded) client[Symbol.dispose]()
    await expect.poll(async () => (await status())!.threads.map(({ connections }) => connections)).toEqual([3, 0, 0])
    for (const client of clients.filter(({ isEnded }) => !isEnded)) {
      client.write('GET /x HTTP/1.1\r\nConnection: close\r\n\r\n')
      owner.respond((await owner.request()).id, 'answered')
      expect(await client.untilEnd()).toMatch(/ 200 .*answered$/s)
    }
    for (const client of clients) client[Symbol.dispose]()
    expect(await broker.end('SIGTERM')).toBe(0)
  },
)

test('reservations are added, shown and deleted', async () => {
  expect(await httpsys('show', 'urlacl')).toBe('nothing is reserved\n')
  await httpsys('add', 'urlacl', 'url=http://*:80/2/', 'user=0')
  await httpsys('add', 'urlacl', 'url=http://*:80/3/', 'group=0')
  expect(await httpsys('show', 'urlacl')).toBe('http://*:80/2/  user 0\nhttp://*:80/3/  group 0\n')
  await httpsys('delete', 'urlacl', 'url=http://*:80/2/')
  expect(await httpsys('show', 'urlacl')).toBe('http://*:80/3/  group 0\n')
  for (const args of [
    ['url=http://*:80/2/'],
    ['user=0'],
    ['url=nonsense', 'user=0'],
    ['url=http://*:80/', 'user=no-such-user'],
  ]) {
    await expect(httpsys('add', 'urlacl', ...args)).rejects.toMatchObject({ code: 2 })
  }
})
