import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'

const launcher = fileURLToPath(new URL('../dist/launch.js', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'httpsys-chat-'))

interface Frame {
  readonly type: string
  readonly [key: string]: unknown
}

/** A launcher with what it has printed. */
class Launcher {
  readonly child: ChildProcess
  text = ''
  #wake: () => void = () => {}

  constructor(port: number, env: NodeJS.ProcessEnv = {}) {
    const all = { ...process.env, HTTPSYS_RUNTIME_DIR: directory, HTTPSYS_BROKER_IDLE_EXIT: '200', CHAT_PROCESSES: '3' }
    this.child = spawn(process.execPath, [launcher], { env: { ...all, PORT: String(port), ...env } })
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        this.text += chunk
        this.#wake()
      })
    }
    this.child.on('exit', () => this.#wake())
  }

  async until(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.text)
      if (match !== null) return match
      if (this.child.exitCode !== null) throw new Error(`exited with ${this.child.exitCode}: ${this.text}`)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    if (this.child.exitCode === null) {
      this.child.kill(signal)
      await once(this.child, 'exit')
    }
    return this.child.exitCode
  }
}

/** Somebody in a room. */
class Guest {
  readonly socket: WebSocket
  readonly frames: Frame[] = []
  #wake: () => void = () => {}

  constructor(url: string) {
    this.socket = new WebSocket(url)
    this.socket.on('message', (data: Buffer) => {
      this.frames.push(JSON.parse(data.toString('utf8')) as Frame)
      this.#wake()
    })
    this.socket.on('error', () => {})
  }

  async next(type: string): Promise<Frame> {
    for (;;) {
      const index = this.frames.findIndex((frame) => frame.type === type)
      if (index !== -1) return this.frames.splice(index, 1)[0]!
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  say(frame: unknown): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame))
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

let port: number
let chat: Launcher
let base: string

beforeAll(async () => {
  port = await freePort()
  chat = new Launcher(port)
  base = `http://localhost:${port}`
  for (const number of [1, 2, 3]) await chat.until(new RegExp(`/${number}/ pid \\d+ listening`))
})
afterAll(async () => {
  await chat.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function status(number: number): Promise<{ pid: number; rooms: number; list: unknown[] }> {
  return (await (await fetch(`${base}/${number}/status`)).json()) as { pid: number; rooms: number; list: unknown[] }
}

function post(path: string, body: string, type = 'application/json'): Promise<Response> {
  return fetch(base + path, { method: 'POST', body, headers: { 'content-type': type } })
}

describe('the pages', () => {
  test('every process answers for its own prefix', async () => {
    const pids = await Promise.all([1, 2, 3].map(async (number) => (await status(number)).pid))
    expect(new Set(pids).size).toBe(3)
  })

  test('come with links that work under any prefix', async () => {
    const lobby = await fetch(`${base}/2`)
    expect(lobby.url).toBe(`${base}/2/`)
    expect(await lobby.text()).toContain('href="assets/style.css"')
    expect((await fetch(`${base}/2/assets/style.css`)).headers.get('content-type')).toContain('text/css')
    const room = await fetch(`${base}/2/garden/`)
    expect(room.url).toBe(`${base}/2/garden`)
    expect(room.headers.get('content-security-policy')).toContain("default-src 'self'")
  })

  test('a room name that is none gets a clear 400', async () => {
    const response = await fetch(`${base}/2/${encodeURIComponent('<script>')}`)
    expect([response.status, await response.json()]).toEqual([
      400,
      { error: 'a room name has 1 to 40 letters, digits, dashes or underscores' },
    ])
  })
})

describe('messages over HTTP', () => {
  test('are kept in the room that they were posted to, in that process only', async () => {
    expect((await post('/1/history/messages', '{"name":"Ada","text":"first"}')).status).toBe(201)
    const history = (await (await fetch(`${base}/1/history/messages`)).json()) as Frame[]
    expect(history).toMatchObject([{ name: 'Ada', text: 'first' }])
    expect(await (await fetch(`${base}/2/history/messages`)).json()).toEqual([])
  })

  test('the last 200 are kept', async () => {
    for (let count = 1; count <= 205; count++) await post('/1/long/messages', JSON.stringify({ text: String(count) }))
    const history = (await (await fetch(`${base}/1/long/messages`)).json()) as Frame[]
    expect([history.length, history[0]!['text'], history.at(-1)!['text']]).toEqual([200, '6', '205'])
  })

  test.each([
    ['no text', '{}', 400, 'text must be a string'],
    ['too long a text', JSON.stringify({ text: 'x'.repeat(2001) }), 400, '2001 characters'],
    ['too long a name', JSON.stringify({ name: 'x'.repeat(41), text: 'x' }), 400, '41 characters'],
    ['broken JSON', '{"text"', 400, 'JSON'],
    ['a huge body', JSON.stringify({ text: 'x'.repeat(20_000) }), 413, 'large'],
  ])('%s is refused with the reason', async (_what, body, code, reason) => {
    const response = await post('/1/refused/messages', body)
    expect(response.status).toBe(code)
    expect(((await response.json()) as { error: string }).error).toContain(reason)
  })
})

describe('a room over WebSocket', () => {
  const url = (path: string) => `ws://localhost:${port}${path}`

  test('shows history, presence, messages, names and who is writing', async () => {
    await post('/3/talk/messages', '{"name":"Ada","text":"earlier"}')
    const ada = new Guest(url('/3/talk?name=Ada'))
    expect(await ada.next('welcome')).toMatchObject({ room: 'talk', history: [{ text: 'earlier' }] })
    expect(await ada.next('presence')).toMatchObject({ names: ['Ada'] })
    const grace = new Guest(url('/3/talk?name=Grace'))
    expect(await ada.next('presence')).toMatchObject({ names: ['Ada', 'Grace'] })
    await grace.next('welcome')
    grace.say({ type: 'typing' })
    expect(await ada.next('typing')).toMatchObject({ name: 'Grace' })
    grace.say({ type: 'message', text: '<b>hello</b>' })
    expect(await ada.next('message')).toMatchObject({ message: { name: 'Grace', text: '<b>hello</b>' } })
    grace.say({ type: 'name', name: 'Admiral' })
    expect(await ada.next('renamed')).toMatchObject({ from: 'Grace', to: 'Admiral' })
    grace.socket.terminate()
    await expect.poll(() => ada.frames.findLast((frame) => frame.type === 'presence')).toMatchObject({ names: ['Ada'] })
    ada.socket.close()
  })

  test('keeps rooms apart', async () => {
    const here = new Guest(url('/3/here?name=Ada'))
    const there = new Guest(url('/3/there?name=Bob'))
    await Promise.all([here.next('welcome'), there.next('welcome')])
    there.say({ type: 'message', text: 'elsewhere' })
    await there.next('message')
    here.say({ type: 'message', text: 'here' })
    expect(await here.next('message')).toMatchObject({ message: { text: 'here' } })
    here.socket.close()
    there.socket.close()
  })

  test.each([
    ['not JSON', 'nonsense', 'JSON'],
    ['null', 'null', 'type must be'],
    ['an unknown type', { type: 'shout' }, '"shout"'],
    ['an empty text', { type: 'message', text: ' ' }, 'not empty'],
    ['a name that is no text', { type: 'name', name: 7 }, 'name must be'],
  ])('%s gets an error and hurts nobody', async (_what, frame, reason) => {
    const guest = new Guest(url('/3/errors'))
    await guest.next('welcome')
    guest.say(frame)
    expect((await guest.next('error'))['error']).toContain(reason)
    guest.say({ type: 'message', text: 'still here' })
    expect(await guest.next('message')).toMatchObject({ message: { text: 'still here' } })
    guest.socket.close()
  })

  test('a page of another site is turned away, and so is a name that is no room', async () => {
    const refusal = async (path: string, origin: string): Promise<string> => {
      const [error] = (await once(new WebSocket(url(path), { origin }), 'error')) as [Error]
      return error.message
    }
    expect(await refusal('/3/talk', 'http://elsewhere.example')).toContain('403')
    expect(await refusal('/3/status', base)).toContain('400')
    const own = new WebSocket(url('/3/talk'), { origin: base })
    await once(own, 'open')
    own.close()
  })

  test('a frame over 16 KiB ends that connection only', async () => {
    const guest = new Guest(url('/3/large'))
    await guest.next('welcome')
    guest.say({ type: 'message', text: 'x'.repeat(20_000) })
    const [code] = (await once(guest.socket, 'close')) as [number]
    expect(code).toBe(1009)
    expect((await fetch(`${base}/3/status`)).status).toBe(200)
  })
})

describe('the launcher', () => {
  test('starts a process again that was killed, while the others go on', async () => {
    const { pid } = await status(2)
    const others = [await status(1), await status(3)].map((other) => other.pid)
    process.kill(pid, 'SIGKILL')
    const [, again] = await chat.until(/\/2\/ pid (\d+) listening \(restarted 1 ×\)/)
    expect((await status(2)).pid).toBe(Number(again))
    expect([await status(1), await status(3)].map((other) => other.pid)).toEqual(others)
  })

  test('says which port is taken and how to choose another, once, and exits with 1', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port: takenPort } = holder.address() as AddressInfo
    const second = new Launcher(takenPort)
    const exit = (await once(second.child, 'exit')) as [number]
    holder.close()
    expect(exit[0]).toBe(1)
    expect(second.text).toContain(`port ${takenPort}`)
    expect(second.text.match(/PORT=9090 npm start/g)).toHaveLength(1)
  })

  test('says what is wrong with PORT', async () => {
    const launcherWithWrongPort = new Launcher(0, { PORT: '80x' })
    const [code] = (await once(launcherWithWrongPort.child, 'exit')) as [number]
    expect(code).toBe(1)
    expect(launcherWithWrongPort.text).toContain('80x')
    expect(launcherWithWrongPort.text).not.toContain('    at ')
  })

  test('stops all processes on SIGINT, frees the port and exits with 0', async () => {
    const others = await Promise.all([1, 2, 3].map(async (number) => (await status(number)).pid))
    expect(await chat.stop('SIGINT')).toBe(0)
    for (const pid of others) expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    await expect(fetch(`${base}/1/status`)).rejects.toThrow('fetch failed')
  })
})
