import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { queryStatus } from '../../src/broker/client/query-status.ts'
import { ProgramSite } from '../e2e/programs.ts'
import { freePort } from '../support/free-port.ts'
import type { Program } from '../e2e/programs.ts'
import { RawClient } from '../support/raw-client.ts'

const preload = new URL('../../dist/slipstream.js', import.meta.url).href
const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

function app(name: string): string {
  return fileURLToPath(new URL(`apps/${name}`, import.meta.url))
}

async function textOf(url: string): Promise<string> {
  return (await fetch(url, { headers: { connection: 'close' } })).text()
}

/** How it ends to connect to a port. */
async function connectTo(port: number): Promise<string | undefined> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return 'connected'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code
  } finally {
    socket.destroy()
  }
}

test('a CommonJS app lands on its prefix, says so in one line, and ends as before', async () => {
  await using site = await ProgramSite.open()
  const program = site.run(['--import', preload, app('app.cjs')], { HTTPSYS_PREFIX: '/2/' })
  await program.ready()
  expect(await textOf(`${site.base}/2/room?x=1`)).toBe('cjs /room?x=1 /2/room?x=1')
  expect(program.errors).toBe(
    `httpsys: port 3000 of process ${program.child.pid} is http://localhost:${site.port}/2/\n`,
  )
  expect(await program.end()).toBe(0)
})

test('HTTPSYS_STRIP=0 leaves the URLs whole', async () => {
  await using site = await ProgramSite.open()
  const program = site.run(['--import', preload, app('app.cjs')], { HTTPSYS_PREFIX: '/2/', HTTPSYS_STRIP: '0' })
  await program.ready()
  expect(await textOf(`${site.base}/2/room`)).toBe('cjs /2/room ')
})

test('an ESM app with two ports is told apart by port, and TLS is left to the shared port', async () => {
  await using site = await ProgramSite.open()
  const program = site.run(['--import', preload, app('app.mjs')], { HTTPSYS_PREFIX: '3000=/plain/,3001=/tls/' })
  await program.ready()
  expect(await textOf(`${site.base}/plain/a`)).toBe('plain /a')
  expect(await textOf(`${site.base}/tls/b`)).toBe('tls /b undefined')
  expect(program.errors).toMatch(/port 3001 .* is http:\/\/localhost:\d+\/tls\/; TLS is that of the shared port\n/)
  expect(await program.end()).toBe(0)
})

test('auto gives each server its own port, where others find it', async () => {
  await using site = await ProgramSite.open()
  const port = await freePort()
  const program = site.run(['--import', preload, app('app.cjs')], { HTTPSYS_PREFIX: 'auto', PORT: String(port) })
  await program.ready()
  expect(await textOf(`http://127.0.0.1:${port}/room`)).toBe('cjs /room ')
  expect(site.brokers()).toHaveLength(1)
  expect(program.errors).toBe('')
  expect(await program.end()).toBe(0)
})

test('a port of its own is given back within close(), however busy the process is behind it', async () => {
  await using site = await ProgramSite.open()
  const [port, goOn] = [await freePort(), join(site.directory, 'go-on')]
  const program = site.run(['--import', preload, app('busy.cjs')], {
    HTTPSYS_PREFIX: 'auto',
    PORT: String(port),
    GO_ON: goOn,
  })
  await program.ready()
  vi.stubEnv('HTTPSYS_RUNTIME_DIR', site.directory)
  const ports = async (): Promise<unknown> => (await queryStatus())?.ports.map((open) => open.port) ?? []
  expect(await ports()).toEqual([port])
  program.child.kill('SIGTERM')
  await expect.poll(ports).toEqual([])
  expect(program.output).toBe('ready\nclosed\n')
  await writeFile(goOn, '')
  expect(await program.exit()).toBe(0)
  vi.unstubAllEnvs()
})

describe('a process that closes its last server, which has its port to itself', () => {
  /** The process, and a client with a request under way from before. */
  async function closing(site: ProgramSite, env: NodeJS.ProcessEnv = {}): Promise<[Program, RawClient]> {
    const port = await freePort()
    const args = ['--import', preload, app('closing.mjs')]
    const program = site.run(args, { HTTPSYS_PREFIX: 'auto', PORT: String(port), ...env })
    await program.ready()
    const client = await RawClient.open(port)
    client.write('GET /close HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await expect.poll(() => program.output).toContain('closing')
    // Not node:http's, with which it would end as well.
    expect(site.brokers()).toHaveLength(1)
    return [program, client]
  }

  test.each(['1', '2'])('ends with its last connection, also when the broker has %s threads', async (threads) => {
    await using site = await ProgramSite.open()
    const [program, client] = await closing(site, { HTTPSYS_BROKER_THREADS: threads })
    program.child.kill('SIGUSR2')
    await client.until('<last>')
    client.write('GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await client.until('</later>')
    expect(program.output).not.toContain('closed')
    client.socket.end()
    expect(await program.exit()).toBe(0)
    expect(program.output).toBe('ready\nclosing\nclosed\n')
  })

  test('ends with the last response when the broker is replaced meanwhile', async () => {
    await using site = await ProgramSite.open()
    const [program, client] = await closing(site)
    expect(await site.run([cli, 'upgrade'], {}).exit()).toBe(0)
    program.child.kill('SIGUSR2')
    await client.until('<last>')
    client.write('GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await client.until('</later>')
    await client.untilEnd()
    expect(await program.exit()).toBe(0)
    expect(program.output).toBe('ready\nclosing\nclosed\n')
  })

  test('ends when the broker dies', async () => {
    await using site = await ProgramSite.open()
    const [program, client] = await closing(site)
    for (const pid of site.brokers()) process.kill(pid, 'SIGKILL')
    await client.untilEnd()
    expect(await program.exit()).toBe(0)
    expect(program.output).toBe('ready\nclosing\nclosed\n')
  })
})

test('a port of its own goes with the worker thread that has it', async () => {
  await using site = await ProgramSite.open()
  const port = await freePort()
  const program = site.run(['--import', preload, app('thread.mjs')], { HTTPSYS_PREFIX: 'auto', PORT: String(port) })
  await program.ready()
  expect(await textOf(`http://127.0.0.1:${port}/x`)).toBe('thread /x')
  expect(site.brokers()).toHaveLength(1)
  program.child.kill('SIGUSR2')
  await expect.poll(() => connectTo(port)).toBe('ECONNREFUSED')
  expect(program.child.exitCode).toBe(null)
})

test('a port goes with the worker thread that has bound it, and has not come to hand it over', async () => {
  await using site = await ProgramSite.open()
  const port = await freePort()
  const args = ['--import', preload, app('thread-cut-short.mjs')]
  const program = site.run(args, { HTTPSYS_PREFIX: 'auto', PORT: String(port) })
  await program.ready()
  expect(await connectTo(port)).toBe('ECONNREFUSED')
  expect(program.child.exitCode).toBe(null)
})

test('the workers of a cluster share the prefix', async () => {
  await using site = await ProgramSite.open()
  const program = site.run(['--import', preload, app('cluster.cjs')], { HTTPSYS_PREFIX: '/c/' })
  await program.ready()
  const answers = [await textOf(`${site.base}/c/`), await textOf(`${site.base}/c/`)]
  expect(answers.toSorted()).toEqual(['worker 1', 'worker 2'])
})

test('a server in a worker thread lands on its prefix', async () => {
  await using site = await ProgramSite.open()
  const program = site.run(['--import', preload, app('thread.mjs')], { HTTPSYS_PREFIX: '/t/' })
  await program.ready()
  expect(await textOf(`${site.base}/t/x`)).toBe('thread /x')
  expect(program.errors).not.toContain('Warning')
})

test('httpsys run starts a program on its prefix, and ends as it ends', async () => {
  await using site = await ProgramSite.open()
  const base = `http://localhost:${site.port}`
  const args = [cli, 'run', '--prefix', '/run/', '--base', base, '--', process.execPath, app('app.cjs')]
  const program = site.run(args, { HTTPSYS_BASE: '' })
  await program.ready()
  expect(await textOf(`${site.base}/run/x`)).toBe('cjs /x /run/x')
  expect(await program.end()).toBe(0)
})

test('a process that breaks off pipelined requests, and closes, ends', async () => {
  await using site = await ProgramSite.open()
  const env = { HTTPSYS_PREFIX: 'auto', HTTPSYS_BROKER_IDLE_EXIT: '60000' }
  const program = site.run(['--import', preload, app('pipelined-leave.mjs')], env)
  await program.ready()
  expect(await program.exit()).toBe(0)
  expect(site.brokers()).toHaveLength(1)
})

test('httpsys run reports the exit code of the program', async () => {
  await using site = await ProgramSite.open()
  const program = site.run([cli, 'run', '--prefix', '/x/', '--', process.execPath, '-e', 'process.exit(7)'], {})
  expect(await program.exit()).toBe(7)
})

test.each([
  [['run', '--', 'node'], /--prefix is missing/],
  [['run', '--prefix', '/2/'], /the program is missing/],
  [['run', '--prefix', '2', '--', 'node'], /begins neither with a slash/],
  [['run', '--color', '--prefix', '/2/', '--', 'node'], /--color/],
  [['fly'], /there is no command "fly"/],
])('httpsys %j is refused, and says why', async (args, message) => {
  await using site = await ProgramSite.open()
  const program = site.run([cli, ...args], {})
  expect(await program.exit()).toBe(2)
  expect(program.errors).toMatch(message)
})

test('a preload without HTTPSYS_PREFIX changes nothing', async () => {
  await using site = await ProgramSite.open()
  const port = await freePort()
  const program = site.run(['--import', preload, app('app.cjs')], { HTTPSYS_PREFIX: '', PORT: String(port) })
  await program.ready()
  expect(await textOf(`http://127.0.0.1:${port}/x`)).toBe('cjs /x ')
  expect(site.brokers()).toEqual([])
})
