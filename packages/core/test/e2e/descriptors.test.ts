import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { BrokerStatus } from '../../src/broker/protocol/status.ts'
import { currentSocketPath } from '../../src/broker/rendezvous/generations.ts'
import { RawClient } from '../support/raw-client.ts'
import { RawOwner } from '../support/raw-owner.ts'
import { Owner } from './processes.ts'
import { Program } from './programs.ts'
import { freePort } from '../support/free-port.ts'

const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const script = fileURLToPath(new URL('owners/owner.mjs', import.meta.url))
const DESCRIPTORS = 160
const isLinux = process.platform === 'linux'
/** `getconf CLK_TCK`, always this on Linux. */
const TICK_MS = 10

let directory: string
let env: NodeJS.ProcessEnv
let port: number
let broker: Program
let owners: Owner[]
let sockets: Socket[]
let opened: RawOwner[]

async function httpsys(...args: string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, [cli, ...args], { env })).stdout
}

async function status(): Promise<BrokerStatus | null> {
  return JSON.parse(await httpsys('status', '--json')) as BrokerStatus | null
}

async function own(path: string): Promise<void> {
  const owner = new Owner(script, env, path, 'create')
  owners.push(owner)
  await owner.next('listening')
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'httpsys-descriptors-'))
  chmodSync(directory, 0o700)
  port = await freePort()
  env = { ...process.env, HTTPSYS_RUNTIME_DIR: directory, HTTPSYS_BASE: `http://localhost:${port}` }
  owners = []
  sockets = []
  opened = []
  if (!isLinux) return
  // Both limits: Node raises the soft one to the hard one.
  broker = new Program(['-c', `ulimit -n ${DESCRIPTORS}; exec ${process.execPath} ${cli} serve`], env, 'sh')
  await expect.poll(status).not.toBeNull()
  await own('/1/')
})
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  for (const owner of opened) owner.die()
  for (const owner of owners) await owner.kill()
  if (isLinux) await broker.end('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

/** Opens connections, whatever becomes of them. */
async function flood(target: number | string, count: number): Promise<void> {
  const opened = Array.from({ length: count }, () => {
    const socket = typeof target === 'number' ? connect(target, '127.0.0.1') : connect(target)
    socket.on('error', () => {})
    socket.resume()
    return socket
  })
  sockets.push(...opened)
  await Promise.all(opened.map((socket) => Promise.race([once(socket, 'connect'), once(socket, 'close')])))
}

async function get(client: RawClient, path: string): Promise<void> {
  client.text = ''
  client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  await client.until(`owner ${path.slice(0, 3)}`)
}

function openDescriptors(): number {
  return readdirSync(`/proc/${broker.child.pid}/fd`).length
}

/** User and system time of the broker, milliseconds. */
function cpuMs(): number {
  const fields = readFileSync(`/proc/${broker.child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

/** Milliseconds of CPU in a second in which nobody asks for anything. */
async function idleCpu(): Promise<number> {
  const before = cpuMs()
  await new Promise((resolve) => setTimeout(resolve, 1000))
  return cpuMs() - before
}

test.skipIf(!isLinux)('clients get no more descriptors than leave the broker able to work', async () => {
  using client = await RawClient.open(port)
  await get(client, '/1/x')
  await flood(port, 400)
  await expect.poll(async () => (await status())!.reasons['Connections_Refused']).toBeGreaterThan(250)
  expect(openDescriptors()).toBeLessThan(DESCRIPTORS - 16)
  // What is there goes on, and owners come and go.
  await get(client, '/1/x')
  await own('/2/')
  await get(client, '/2/x')
  expect(await idleCpu()).toBeLessThan(300)
  for (const socket of sockets) socket.destroy()
  await expect.poll(async () => (await status())!.connections).toBe(1)
  using late = await RawClient.open(port)
  await get(late, '/2/x')
})

test.skipIf(!isLinux)('owners’ sockets take no more than their share', async () => {
  using client = await RawClient.open(port)
  const path = readdirSync(directory).find((name) => name.endsWith('.sock'))!
  await flood(join(directory, path), 300)
  await expect.poll(openDescriptors).toBeLessThan(DESCRIPTORS / 2)
  await get(client, '/1/x')
  using another = await RawClient.open(port)
  await get(another, '/1/x')
  for (const socket of sockets) socket.destroy()
  await expect.poll(async () => (await status().catch(() => null))?.reasons['Peers_Refused'] ?? 0).toBeGreaterThan(0)
  await own('/2/')
  await get(client, '/2/x')
})

test.skipIf(!isLinux || process.env['HTTPSYS_ENGINE'] === 'net')(
  'an owner that is let in gets a connection to every thread, and one for which there is no room for these is told at once',
  async () => {
    await broker.end('SIGKILL')
    await owners.pop()!.kill()
    const threads = { ...env, HTTPSYS_BROKER_THREADS: '3' }
    broker = new Program(['-c', `ulimit -n ${DESCRIPTORS}; exec ${process.execPath} ${cli} serve`], threads, 'sh')
    await expect.poll(status).not.toBeNull()
    const socket = (await currentSocketPath(directory))!
    // Three connections each, of forty.
    for (let count = 0; count < 13; count++) {
      const first = await RawOwner.open(socket)
      opened.push(first)
      for (const thread of [1, 2]) opened.push(await RawOwner.open(socket, 'sockets', { ...first.threads!, thread }))
    }
    await expect(RawOwner.open(socket)).rejects.toThrow('closed the connection')
    opened.pop()!.die()
    // Its other connections end with it, and make room.
    await expect
      .poll(() =>
        RawOwner.open(socket).then(
          (owner) => opened.push(owner) > 0,
          () => false,
        ),
      )
      .toBe(true)
  },
)

/** node:net tries again and again to accept, and can't be told to wait (ADR 14). */
const canWait = process.env['HTTPSYS_ENGINE'] !== 'net'

test.skipIf(!isLinux || !canWait || !hasPrlimit())(
  'without any descriptor left connections wait, nothing spins, and all goes on when there are some again',
  async () => {
    using client = await RawClient.open(port)
    await get(client, '/1/x')
    const { pid } = broker.child
    // The soft limit: what is open stays open.
    execFileSync('prlimit', [`--pid=${pid}`, `--nofile=${openDescriptors()}:`])
    await flood(port, 30)
    expect(await idleCpu()).toBeLessThan(300)
    await get(client, '/1/x')
    execFileSync('prlimit', [`--pid=${pid}`, `--nofile=${DESCRIPTORS}:`])
    using late = await RawClient.open(port)
    await get(late, '/1/x')
    await own('/2/')
    await get(client, '/2/x')
  },
)

function hasPrlimit(): boolean {
  try {
    execFileSync('prlimit', ['--version'])
    return true
  } catch {
    console.log('skipped: prlimit of util-linux is not there')
    return false
  }
}
