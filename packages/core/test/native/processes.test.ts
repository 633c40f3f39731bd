import type { Duplex } from 'node:stream'
import { expect, test, vi } from 'vitest'
import type { HttpSysError } from '../../src/base/errors.ts'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import { QueueController } from '../../src/native/queue-controller.ts'
import { queueStemOf } from '../../src/native/queue-names.ts'
import { freePort } from '../support/free-port.ts'
import { WireClient } from '../support/wire-client.ts'
import { Driver } from './double/driver.ts'
import { Machine } from './double/machine.ts'
import type { DoubleProcess } from './double/process.ts'
import { HandClock } from './hand-clock.ts'
import { Owner } from './owner.ts'
import { PATIENCE } from './scene.ts'

process.setMaxListeners(0)

async function ask(port: number): Promise<string> {
  const client = await WireClient.send(port, { path: '/1/' })
  const { status, body } = await client.response({ complete: true })
  return status === 200 ? body.toString() : String(status)
}

test('a second process attaches to the queue of the first, and both get requests', async () => {
  await using machine = new Machine({ seed: 5 })
  const port = await freePort()
  const [first, second] = [new Owner(machine, 'first'), new Owner(machine, 'second')]
  const queues = [await first.listen(port, 'create'), await second.listen(port, 'attach')]
  const answers = new Set<string>()
  for (let count = 0; count < 40; count++) answers.add(await ask(port))
  expect([...answers].toSorted()).toEqual(['first', 'second'])
  for (const queue of queues) await queue.shutdown()
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE)
})

test('an attached process goes on with the prefix when the one that made the queue closes', async () => {
  await using machine = new Machine({ seed: 6 })
  const port = await freePort()
  const [first, second] = [new Owner(machine, 'first'), new Owner(machine, 'second')]
  const queue = await first.listen(port, 'create')
  const attached = await second.listen(port, 'attach')
  await queue.shutdown()
  await vi.waitFor(async () => expect(await ask(port)).toBe('second'), { interval: 10, timeout: 60_000 })
  await attached.shutdown()
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE)
})

test('an attached process goes on with the prefix when the one that made the queue dies', async () => {
  await using machine = new Machine({ seed: 7 })
  const port = await freePort()
  const [first, second] = [new Owner(machine, 'first'), new Owner(machine, 'second')]
  await first.listen(port, 'create')
  const attached = await second.listen(port, 'attach')
  machine.processes[0]!.kill()
  await vi.waitFor(async () => expect(await ask(port)).toBe('second'), { interval: 10, timeout: 60_000 })
  await attached.shutdown()
})

test('create is refused while another process has the prefix', async () => {
  await using machine = new Machine({ seed: 8 })
  const port = await freePort()
  const queue = await new Owner(machine, 'first').listen(port, 'create')
  const refused = new Owner(machine, 'second').listen(port, 'create')
  const error = (await refused.catch((reason: unknown) => reason)) as HttpSysError
  expect(error.code).toBe('EADDRINUSE')
  expect(error.message).toContain("mode: 'attach'")
  expect(await ask(port)).toBe('first')
  await queue.shutdown()
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE)
})

test('a prefix can be claimed again while the process that closed it finishes a response', async () => {
  await using machine = new Machine({ seed: 9 })
  const port = await freePort()
  const first = new Owner(machine, 'first')
  first.keeps = true
  const queue = await first.listen(port, 'create')
  const client = await WireClient.send(port, { path: '/1/' })
  await vi.waitFor(() => expect(first.kept).toHaveLength(1), PATIENCE)
  await queue.shutdown()
  const next = await new Owner(machine, 'next').listen(port, 'attach')
  expect(await ask(port)).toBe('next')
  first.answer(first.kept[0]!)
  expect((await client.response({ complete: true })).body.toString()).toBe('first')
  await next.shutdown()
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE)
})

test.each(['create', 'attach', 'takeover'] as const)(
  'what another program has, as IIS does, is refused to %s, with whom to ask, and works once that one has gone',
  async (mode) => {
    await using machine = new Machine({ seed: 14 })
    const port = await freePort()
    const url = `http://localhost:${port}/1/`
    const program = new Driver(machine.start(), url, 'DefaultAppPool')
    const owner = new Owner(machine, 'owner')
    const error = await owner.listen(port, mode).catch((reason: unknown) => reason as HttpSysError)
    expect(error).toMatchObject({ code: 'EADDRINUSE', reason: expect.stringContaining('183') })
    expect((error as HttpSysError).remedy).toContain('netsh http show servicestate')
    program.close(url)
    const queue = await owner.listen(port, mode)
    expect(await ask(port)).toBe('owner')
    await queue.shutdown()
    await vi.waitFor(() => expect(owner.backend.inFlight).toBe(0), PATIENCE)
  },
)

/** The process that has the URLs. Not to be given to `expect`, which calls `inspect` of what it shows. */
function holderOf({ registrations, processes }: Machine): DoubleProcess | undefined {
  return processes.find((process) => registrations.some(({ group }) => group.process === process))
}

/** Waits until the processes that are attached wait with the one that has the URLs. */
async function areWatching(machine: Machine, count: number): Promise<void> {
  await vi.waitFor(() => expect(holderOf(machine)?.pipes.taken).toBe(count), PATIENCE)
}

test.each(['closes', 'dies'])(
  'attached processes have the URLs one after the other as soon as the one before %s',
  async (end) => {
    await using machine = new Machine({ seed: 10 })
    using clock = new HandClock()
    const port = await freePort()
    const queue = await new Owner(machine, 'first').listen(port, 'create')
    for (const name of ['second', 'third']) await new Owner(machine, name).listen(port, 'attach')
    await areWatching(machine, 2)
    const [first] = machine.processes
    await (end === 'dies' ? first!.kill() : queue.shutdown())
    await vi.waitFor(() => expect([undefined, first].includes(holderOf(machine))).toBe(false), PATIENCE)
    expect(['second', 'third']).toContain(await ask(port))
    // Who was too late looks twenty times a second until he has found the other.
    await vi.waitFor(() => expect(clock.lengths).toEqual([50]), PATIENCE)
    vi.spyOn(performance, 'now').mockReturnValueOnce(performance.now() + 1000)
    clock.tick()
    await areWatching(machine, 1)
    await vi.waitFor(() => expect(clock.lengths).toEqual([1000]), PATIENCE)
    holderOf(machine)!.kill()
    await vi.waitFor(() => expect(holderOf(machine) !== undefined).toBe(true), PATIENCE)
    expect(['second', 'third']).toContain(await ask(port))
    expect(clock.lengths).toEqual([])
  },
)

test('an attached process has the URLs as soon as the controller ends', async () => {
  await using machine = new Machine({ seed: 11 })
  using clock = new HandClock()
  const port = await freePort()
  const controller = new QueueController(machine.start().api)
  controller.hold(UrlPrefix.parse(`http://localhost:${port}/1/`))
  const queue = await new Owner(machine, 'worker').listen(port, 'attach')
  await areWatching(machine, 1)
  await vi.waitFor(() => expect(clock.lengths).toEqual([1000]), PATIENCE)
  controller.release()
  await vi.waitFor(() => expect(holderOf(machine) === machine.processes[1]).toBe(true), PATIENCE)
  expect(await ask(port)).toBe('worker')
  await queue.shutdown()
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE)
})

test.each([
  ['says nothing', 1000, () => {}],
  ['hangs up', 50, (call: Duplex) => void call.destroy()],
])(
  'a stranger who %s at the pipe of the URLs does not keep an attached process from them: it looks every %i ms',
  async (_, milliseconds, onCall) => {
    await using machine = new Machine({ seed: 12 })
    using clock = new HandClock()
    const port = await freePort()
    const called = vi.fn(onCall)
    const stem = queueStemOf(UrlPrefix.parse(`http://localhost:${port}/1/`))
    const ear = await machine.pipes.listen(`${stem}-urls`, called)
    await new Owner(machine, 'first').listen(port, 'create')
    const queue = await new Owner(machine, 'second').listen(port, 'attach')
    await vi.waitFor(() => expect(called).toHaveBeenCalled(), PATIENCE)
    await vi.waitFor(() => expect(clock.lengths).toEqual([milliseconds]), PATIENCE)
    const [, second] = machine.processes
    machine.processes[0]!.kill()
    await vi.waitFor(() => {
      clock.tick()
      expect(holderOf(machine) === second).toBe(true)
    }, PATIENCE)
    await queue.shutdown()
    ear!.close()
  },
)

test('of those who connect to the pipe of the URLs 256 stay, and the prefix is served as before', async () => {
  await using machine = new Machine({ seed: 13 })
  const port = await freePort()
  const queue = await new Owner(machine, 'first').listen(port, 'create')
  const pipe = `${queueStemOf(queue.prefix)}-urls`
  const strangers = await Promise.all(Array.from({ length: 300 }, () => machine.pipes.call(pipe)))
  // Some are reset, which `once` would take for a failure.
  const gone = Promise.all(
    strangers.map((stranger) => new Promise((resolve) => void stranger!.resume().once('close', resolve))),
  )
  await vi.waitFor(() => expect(machine.processes[0]!.pipes.taken).toBe(256), PATIENCE)
  expect(await ask(port)).toBe('first')
  await queue.shutdown()
  await gone
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE)
})
