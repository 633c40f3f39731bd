import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Guest } from './support/guest.ts'
import { Program, statusAt } from './support/program.ts'

const NUMBERS = [1, 2, 3]

function launch(env: NodeJS.ProcessEnv): Program {
  return new Program('launch.js', [], { CHAT_PROCESSES: '3', PORT: '0', ...env })
}

/** The port that a launcher has announced. */
async function portOf(program: Program): Promise<number> {
  const [, port] = await program.until(/processes share port (\d+)/)
  for (const number of NUMBERS) await program.until(new RegExp(`^/${number}/ .*listening$`, 'm'))
  return Number(port)
}

async function pids(port: number): Promise<number[]> {
  return Promise.all(NUMBERS.map(async (number) => (await statusAt(`http://localhost:${port}/${number}/`)).pid))
}

async function bind(port: number): Promise<AddressInfo> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return address
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('the launcher', () => {
  let chat: Program
  let port: number
  const at = (path: string) => `http://localhost:${port}${path}`

  beforeAll(async () => {
    chat = launch({})
    port = await portOf(chat)
  })
  afterAll(() => chat[Symbol.asyncDispose]())

  test('starts independent processes on one port and prints a URL for each', async () => {
    expect(new Set([...(await pids(port)), chat.child.pid]).size).toBe(4)
    for (const number of NUMBERS) {
      expect(chat.text).toContain(`  ${at(`/${number}/lobby`)}\n`)
      expect(await (await fetch(at(`/${number}/lobby`))).text()).toContain(`served by process ${number} · `)
    }
  })

  test('prints a line for each process, and another when somebody comes', async () => {
    const { pid } = await statusAt(at('/1/'))
    expect(chat.text).toMatch(/^prefix +pid +rooms +connections +requests +state/m)
    using _guest = await Guest.enter(at('/1/counted'))
    await chat.until(new RegExp(`^/1/ +${pid} +1 +1 +\\d+ +listening$`, 'm'))
  })

  test('gives processes rooms of their own, with names that another process may use too', async () => {
    using here = await Guest.enter(at('/1/same'))
    using there = await Guest.enter(at('/2/same'))
    here.say({ type: 'message', text: 'in process 1' })
    await here.next('message')
    there.say({ type: 'message', text: 'in process 2' })
    await there.next('message')
    expect(await (await fetch(at('/1/same/messages'))).json()).toMatchObject([{ text: 'in process 1' }])
    expect(await (await fetch(at('/3/same/messages'))).json()).toEqual([])
    expect(here.frames.concat(there.frames)).toEqual([])
  })

  test('starts a process again that was killed, while the others go on', async () => {
    using bystander = await Guest.enter(at('/1/bystander'))
    using victim = await Guest.enter(at('/2/victim'))
    const [first, second, third] = await pids(port)
    const isClosed = once(victim.socket, 'close')
    process.kill(second!, 'SIGKILL')
    await isClosed
    let answers = 0
    while (!/^\/2\/ .*restarted 1 ×, killed by SIGKILL\)$/m.test(chat.text)) {
      for (const number of [1, 3]) expect((await fetch(at(`/${number}/status`))).status).toBe(200)
      answers += 2
    }
    expect(answers).toBeGreaterThan(0)
    expect(chat.text).toMatch(/^\/2\/ .*killed by SIGKILL; starts again in 0\.1 s$/m)
    const [, again] = await chat.until(/^\/2\/ +(\d+) .*listening \(restarted 1 ×, killed by SIGKILL\)$/m)
    expect(await pids(port)).toEqual([first, Number(again), third])
    bystander.say({ type: 'message', text: 'noticed nothing' })
    await bystander.next('message')
  })

  test('stops all processes on SIGINT, frees the port and exits with 0', async () => {
    using guest = await Guest.enter(at('/1/lobby'))
    const closed = once(guest.socket, 'close')
    const all = await pids(port)
    expect(await chat.stop('SIGINT')).toBe(0)
    expect(await closed).toEqual([1012, expect.anything()])
    expect(all.filter(isAlive)).toEqual([])
    expect((await bind(port)).port).toBe(port)
  })
})

test('a second SIGINT does not wait for a process that hangs', async () => {
  await using chat = launch({})
  const all = await pids(await portOf(chat))
  process.kill(all[1]!, 'SIGSTOP')
  const startedAt = performance.now()
  chat.child.kill('SIGINT')
  await chat.until(/Stopping/)
  expect(await chat.stop('SIGINT')).toBe(0)
  // A single one would wait for 5 s.
  expect(performance.now() - startedAt).toBeLessThan(4000)
  expect(all.filter(isAlive)).toEqual([])
})

test('the processes stop by themselves when the launcher was killed', async () => {
  await using chat = launch({})
  const port = await portOf(chat)
  const all = await pids(port)
  await chat.stop('SIGKILL')
  await vi.waitFor(() => expect(all.filter(isAlive)).toEqual([]), { timeout: 15_000 })
  await vi.waitFor(() => bind(port), { timeout: 15_000 })
})

test('an explicit HTTPSYS_BASE wins over PORT, its path included', async () => {
  await using chat = launch({ HTTPSYS_BASE: 'http://127.0.0.1:0/chat', PORT: '9' })
  const port = await portOf(chat)
  expect(chat.text).toContain(`  http://127.0.0.1:${port}/chat/3/lobby\n`)
  expect(await statusAt(`http://127.0.0.1:${port}/chat/3/`)).toMatchObject({ prefix: '/3/' })
})

describe('a port that is taken', () => {
  test.each([
    ['PORT', 'Choose another: PORT=9090 npm start'],
    ['HTTPSYS_BASE', 'Choose another: HTTPSYS_BASE=http://localhost:9090 npm start'],
  ])('by %s gets one message that names it and the way out, and exit code 1', async (variable, remedy) => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as AddressInfo
    await using chat = launch({ PORT: '', [variable]: variable === 'PORT' ? String(port) : `http://localhost:${port}` })
    expect(await chat.exit()).toBe(1)
    expect(chat.text).toBe(`Port ${port} is taken: another program listens on it. ${remedy}\n`)
    holder.close()
  })

  test('by another chat names that one', async () => {
    await using chat = launch({})
    const port = await portOf(chat)
    const { HTTPSYS_RUNTIME_DIR } = chat.env
    await using second = launch({ PORT: String(port), HTTPSYS_RUNTIME_DIR })
    expect(await second.exit()).toBe(1)
    expect(second.text).toMatch(
      new RegExp(
        `^Port ${port} has a chat already: process \\d+ has claimed http://localhost:${port}/\\d/. Choose.*\n$`,
      ),
    )
    expect(await pids(port)).toHaveLength(3)
  })
})

test.each([
  [{ PORT: '80x' }, 'PORT is "80x": give a number from 0 to 65535'],
  [{ PORT: '65536' }, 'PORT is "65536"'],
  [{ CHAT_PROCESSES: '0' }, 'CHAT_PROCESSES is "0": give a number from 1 to 99'],
  [{ HTTPSYS_BASE: 'localhost:1' }, 'localhost:1'],
])('%j is refused in one line', async (env, message) => {
  await using chat = launch(env)
  expect(await chat.exit()).toBe(1)
  expect(chat.text).toContain(message)
  expect(chat.text.trimEnd()).not.toContain('\n')
})
