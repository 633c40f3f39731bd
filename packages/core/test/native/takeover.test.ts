import { once } from 'node:events'
import { Agent, createServer, get } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect, test, vi } from 'vitest'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import type { ClaimMode } from '../../src/base/url-prefix.ts'
import { installListenHook } from '../../src/http/listen-hook.ts'
import { NativeBackend } from '../../src/native/native-backend.ts'
import { QueueController } from '../../src/native/queue-controller.ts'
import { queueStemOf } from '../../src/native/queue-names.ts'
import { freePort } from '../support/free-port.ts'
import { Machine } from './double/machine.ts'
import { HandClock } from './hand-clock.ts'

process.setMaxListeners(0)

/** The machine may do other things beside. */
const PATIENCE = { interval: 5, timeout: 60_000 }

let backend: NativeBackend
installListenHook({ open: (prefix, listener) => backend.open(prefix, listener), reserve: () => undefined })

async function listen(port: number, mode: ClaimMode, onRequest: (res: ServerResponse) => void): Promise<Server> {
  const server = createServer((_req, res) => onRequest(res))
  server.listen(UrlPrefix.parse(`http://localhost:${port}/`, { mode }))
  await once(server, 'listening')
  return server
}

async function ask(port: number, agent: Agent): Promise<string> {
  const asking = get({ host: '127.0.0.1', port, headers: { host: 'localhost' }, agent })
  const [response] = (await once(asking, 'response')) as [IncomingMessage]
  return await text(response)
}

/** Asks for a prefix without pause, until it is told to stop. */
function load(port: number, agent: Agent) {
  const answers: string[] = []
  let isStopping = false
  const clients = Array.from({ length: 6 }, async () => {
    while (!isStopping) answers.push(await ask(port, agent))
  })
  return {
    answers,
    stop: async () => {
      isStopping = true
      await Promise.all(clients)
    },
  }
}

/** Waits until the process that was started last has all URLs. */
async function urlsAreOfTheLast({ registrations, processes }: Machine): Promise<void> {
  const isTheirs = () =>
    registrations.length > 0 && registrations.every(({ group }) => group.process === processes.at(-1))
  await vi.waitFor(() => expect(isTheirs()).toBe(true), PATIENCE)
}

function newProcess(machine: Machine): NativeBackend {
  return new NativeBackend({ load: () => machine.start().api })
}

test.each([
  ['of the same process', false],
  ['of another process', true],
])(
  'an http.Server %s takes a prefix over under load: nothing is refused, and the old one finishes what it has begun',
  async (_, isOther) => {
    await using machine = new Machine({ seed: 41 })
    backend = newProcess(machine)
    const port = await freePort()
    const agent = new Agent({ keepAlive: true })
    const begun: ServerResponse[] = []
    const old = await listen(port, 'create', (res) => {
      if (begun.length > 0) return void res.end('old')
      begun.push(res)
      res.write('begun by the old one, ')
    })
    const long = ask(port, agent)
    await vi.waitFor(() => expect(begun).toHaveLength(1), PATIENCE)

    const { answers, stop } = load(port, agent)
    await vi.waitFor(() => expect(answers.length).toBeGreaterThan(20), PATIENCE)
    const drained = once(old, 'drain')
    const closed = once(old, 'close')
    if (isOther) backend = newProcess(machine)
    const heir = await listen(port, 'takeover', (res) => res.end('new'))
    await drained
    const before = answers.length
    await vi.waitFor(() => expect(answers.length).toBeGreaterThan(before + 40), PATIENCE)
    await stop()

    // What was under way when the heir came may still be the old one's, six at most.
    expect(new Set(answers.slice(before + 6))).toEqual(new Set(['new']))
    expect(answers.filter((answer) => answer !== 'old' && answer !== 'new')).toEqual([])
    begun[0]!.end('and finished by it')
    expect(await long).toBe('begun by the old one, and finished by it')
    await closed
    await urlsAreOfTheLast(machine)
    expect(await ask(port, agent)).toBe('new')
    heir.close()
    agent.destroy()
    await vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE)
  },
)

test('behind a controller, one process takes over from the other without a refusal from beginning to end', async () => {
  await using machine = new Machine({ seed: 42 })
  const port = await freePort()
  const agent = new Agent({ keepAlive: true })
  const controller = new QueueController(machine.start().api)
  controller.hold(UrlPrefix.parse(`http://localhost:${port}/`))
  backend = newProcess(machine)
  let server = await listen(port, 'takeover', (res) => res.end('server 0'))
  const { answers, stop } = load(port, agent)
  await vi.waitFor(() => expect(answers).toContain('server 0'), PATIENCE)
  for (let count = 1; count <= 6; count++) {
    const closed = once(server, 'close')
    backend = newProcess(machine)
    server = await listen(port, 'takeover', (res) => res.end(`server ${count}`))
    await closed
    await vi.waitFor(() => expect(answers).toContain(`server ${count}`), PATIENCE)
  }
  await stop()
  expect(new Set(answers)).toEqual(new Set(Array.from({ length: 7 }, (_, count) => `server ${count}`)))
  server.close()
  controller.release()
  agent.destroy()
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE)
})

test('all processes of a queue leave it for the heir', async () => {
  await using machine = new Machine({ seed: 43 })
  const port = await freePort()
  const agent = new Agent({ keepAlive: true })
  const drains: Promise<unknown>[] = []
  for (const mode of ['create', 'attach', 'attach'] as const) {
    backend = newProcess(machine)
    const server = await listen(port, mode, (res) => res.end('old'))
    drains.push(once(server, 'drain'), once(server, 'close'))
  }
  backend = newProcess(machine)
  const heir = await listen(port, 'takeover', (res) => res.end('new'))
  await Promise.all(drains)
  // One of the old ones may have had the URLs for a moment before it closed.
  await urlsAreOfTheLast(machine)
  expect(await ask(port, agent)).toBe('new')
  heir.close()
  agent.destroy()
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE)
})

test.each([
  ['gives them back', (begun: ServerResponse) => begun.end('old')],
  ['dies', (_: ServerResponse, machine: Machine) => machine.processes[0]!.kill()],
])('the heir has the URLs as soon as the old process %s', async (_, end) => {
  await using machine = new Machine({ seed: 44 })
  const port = await freePort()
  const agent = new Agent({ keepAlive: true })
  backend = newProcess(machine)
  const begun: ServerResponse[] = []
  await listen(port, 'create', (res) => begun.push(res))
  const left = ask(port, agent).catch(() => 'cut off')
  await vi.waitFor(() => expect(begun).toHaveLength(1), PATIENCE)
  // Without the look twenty times a second that finds URLs otherwise.
  using _clock = new HandClock()
  backend = newProcess(machine)
  const heir = await listen(port, 'takeover', (res) => res.end('new'))
  end(begun[0]!, machine)
  await left
  await urlsAreOfTheLast(machine)
  expect(await ask(port, agent)).toBe('new')
  heir.close()
  agent.destroy()
})

/** Where the process that was started last can be asked to leave. */
function pipeOf({ processes }: Machine): string {
  return processes.at(-1)!.pipes.listening.find((name) => name.includes('-takeover-'))!
}

test('who only connects to the pipe of a process, as any user may, does not make it leave', async () => {
  await using machine = new Machine({ seed: 45 })
  const port = await freePort()
  const agent = new Agent({ keepAlive: true })
  backend = newProcess(machine)
  const server = await listen(port, 'create', (res) => res.end('still here'))
  const stranger = (await machine.pipes.call(pipeOf(machine)))!
  let hasDrained = false
  server.once('drain', () => (hasDrained = true))
  expect(await ask(port, agent)).toBe('still here')
  // He hangs up before anything has come of it.
  stranger.end()
  await once(stranger.resume(), 'close')
  expect(hasDrained).toBe(false)
  server.close()
  agent.destroy()
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE)
})

/** A process that has the prefix, and whether its server has been told that it receives no more. */
async function incumbent(machine: Machine, port: number) {
  backend = newProcess(machine)
  const server = await listen(port, 'create', (res) => res.end('old'))
  const state = { server, pipe: pipeOf(machine), hasStopped: false }
  server.once('drain', () => (state.hasStopped = true))
  return state
}

test('who says nothing is dropped, and however many they are, they do not keep an heir from being heard', async () => {
  await using machine = new Machine({ seed: 46 })
  const port = await freePort()
  const old = await incumbent(machine, port)
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    const strangers = await Promise.all(Array.from({ length: 200 }, () => machine.pipes.call(old.pipe)))
    const gone = strangers.map((stranger) => once(stranger!.resume(), 'close'))
    // No time passes: these make room for those that came after them.
    await Promise.all(gone.slice(0, -64))
    backend = newProcess(machine)
    const heir = await listen(port, 'takeover', (res) => res.end('new'))
    expect(old.hasStopped).toBe(true)
    vi.advanceTimersByTime(1000)
    await Promise.all(gone)
    heir.close()
  } finally {
    vi.useRealTimers()
  }
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE)
})

test('an heir whose call was dropped unheard calls again', async () => {
  await using machine = new Machine({ seed: 47 })
  const port = await freePort()
  const old = await incumbent(machine, port)
  const call = machine.pipes.call.bind(machine.pipes)
  let dropped = 0
  vi.spyOn(machine.pipes, 'call').mockImplementation(async (name) => {
    const made = await call(name)
    if (name === old.pipe && dropped++ < 2) made!.destroy()
    return made
  })
  backend = newProcess(machine)
  const heir = await listen(port, 'takeover', (res) => res.end('new'))
  expect(old.hasStopped).toBe(true)
  heir.close()
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE)
})

test('an heir that finds no free name asks all the others, the last one too', async () => {
  await using machine = new Machine({ seed: 48 })
  const port = await freePort()
  const stem = queueStemOf(UrlPrefix.parse(`http://localhost:${port}/`))
  // In place of 63 processes that have stopped to receive.
  const ears = Array.from({ length: 63 }, (_, number) =>
    machine.pipes.listen(`${stem}-takeover-${number}`, (call) => void call.once('data', () => call.end('s'))),
  )
  await Promise.all(ears)
  const old = await incumbent(machine, port)
  expect(old.pipe).toBe(`${stem}-takeover-63`)
  backend = newProcess(machine)
  const attached = await listen(port, 'attach', (res) => res.end('attached'))
  const heir = await listen(port, 'takeover', (res) => res.end('new'))
  expect(old.hasStopped).toBe(true)
  attached.close()
  heir.close()
  for (const ear of ears) (await ear)!.close()
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE)
})

test.each([
  ['at once', false],
  ['at once, the first of which can be called only when the other has looked for it', true],
])('of two heirs that take over %s one stays: the later one', async (_, isLate) => {
  await using machine = new Machine({ seed: 49 })
  const port = await freePort()
  const agent = new Agent({ keepAlive: true })
  const old = await incumbent(machine, port)
  let letListen: () => void = () => {}
  const first = newProcess(machine)
  const second = newProcess(machine)
  if (isLate) {
    const canListen = new Promise<void>((resolve) => (letListen = resolve))
    const listenAt = machine.pipes.listen.bind(machine.pipes)
    vi.spyOn(machine.pipes, 'listen').mockImplementationOnce(async (name, onCall) => {
      await canListen
      return await listenAt(name, onCall)
    })
  }
  backend = first
  const earlier = listen(port, 'takeover', (res) => res.end('earlier')).then((server) => once(server, 'drain'))
  backend = second
  const later = await listen(port, 'takeover', (res) => res.end('later'))
  letListen()
  await earlier
  await urlsAreOfTheLast(machine)
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask(port, agent)))
  expect(new Set(answers)).toEqual(new Set(['later']))
  expect(old.hasStopped).toBe(true)
  later.close()
  agent.destroy()
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE)
})
