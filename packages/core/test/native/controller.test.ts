import { expect, test, vi } from 'vitest'
import { HttpSysError } from '../../src/base/errors.ts'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import type { UrlPrefixOptions } from '../../src/base/url-prefix.ts'
import { QueueController } from '../../src/native/queue-controller.ts'
import { freePort } from '../support/free-port.ts'
import { WireClient } from '../support/wire-client.ts'
import { Machine } from './double/machine.ts'
import type { Whims } from './double/whims.ts'
import { Owner } from './owner.ts'

process.setMaxListeners(0)

/** The machine may do other things beside. */
const PATIENCE = { interval: 5, timeout: 60_000 }

/** Lets the users that run as a network service in. */
const NETWORK_SERVICE = 'D:(A;;GA;;;NS)'

async function ask(port: number): Promise<string> {
  const client = await WireClient.send(port, { path: '/1/' })
  const { status, body } = await client.response({ complete: true })
  return status === 200 ? body.toString() : String(status)
}

/** Asks one request after the other until it is told to stop. */
function flood(port: number): { stop(): Promise<string[]> } {
  const answers: string[] = []
  let isStopping = false
  const running = (async () => {
    while (!isStopping) answers.push(await ask(port))
  })()
  return {
    async stop() {
      isStopping = true
      await running
      return answers
    },
  }
}

/** A machine with a controller that holds `/1/`. */
async function scene(sddl?: string, settings: UrlPrefixOptions = {}, whims: Partial<Whims> = {}) {
  const machine = new Machine({ seed: 21, ...whims })
  const port = await freePort()
  const controller = new QueueController(machine.start().api)
  controller.hold(UrlPrefix.parse(`http://localhost:${port}/1/`, settings), sddl)
  return {
    machine,
    port,
    controller,
    async [Symbol.asyncDispose]() {
      controller.release()
      await vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE)
      await machine[Symbol.asyncDispose]()
    },
  }
}

test('workers are replaced one by one under load, and every request is answered', async () => {
  await using here = await scene()
  const { machine, port } = here
  const clients = Array.from({ length: 6 }, () => flood(port))
  let worker = new Owner(machine, 'worker 0')
  let queue = await worker.listen(port, 'attach')
  for (let count = 1; count <= 8; count++) {
    const next = new Owner(machine, `worker ${count}`)
    const nextQueue = await next.listen(port, 'attach')
    await queue.shutdown()
    await next.served(3)
    worker = next
    queue = nextQueue
  }
  const answers = (await Promise.all(clients.map((client) => client.stop()))).flat()
  expect(answers.filter((answer) => !answer.startsWith('worker'))).toEqual([])
  expect(new Set(answers).size).toBeGreaterThanOrEqual(8)
  await queue.shutdown()
})

test('while no worker is there, requests wait for the next one', async () => {
  await using here = await scene()
  const { machine, port } = here
  const first = await new Owner(machine, 'first').listen(port, 'attach')
  expect(await ask(port)).toBe('first')
  await first.shutdown()
  const waiting = Promise.all([ask(port), ask(port), ask(port)])
  await vi.waitFor(() => expect([...machine.queues.values()][0]!.waiting).toHaveLength(3), PATIENCE)
  const second = await new Owner(machine, 'second').listen(port, 'attach')
  expect(await waiting).toEqual(['second', 'second', 'second'])
  await second.shutdown()
})

test('a worker that dies takes only what it had received with it', async () => {
  await using here = await scene()
  const { machine, port } = here
  const first = new Owner(machine, 'first')
  first.keeps = true
  await first.listen(port, 'attach')
  const lost = ask(port)
  await vi.waitFor(() => expect(first.kept).toHaveLength(1), PATIENCE)
  machine.processes[1]!.kill()
  expect(await lost).toBe('0')
  const waiting = ask(port)
  const second = await new Owner(machine, 'second').listen(port, 'attach')
  expect(await waiting).toBe('second')
  await second.shutdown()
})

test('the settings are the controller’s', async () => {
  await using here = await scene(undefined, { queueLength: 2, verbosity503: 'limited' })
  const { machine, port } = here
  const waiting = [ask(port), ask(port)]
  await vi.waitFor(() => expect([...machine.queues.values()][0]!.waiting).toHaveLength(2), PATIENCE)
  expect(await ask(port)).toBe('503')
  const worker = await new Owner(machine, 'worker').listen(port, 'attach')
  expect(await Promise.all(waiting)).toEqual(['worker', 'worker'])
  await worker.shutdown()
})

test('workers may run as a user who may not register the prefix, if the controller lets him in', async () => {
  await using here = await scene(NETWORK_SERVICE)
  const { machine, port } = here
  const worker = await new Owner(machine, 'worker', 'NS').listen(port, 'attach')
  expect(await ask(port)).toBe('worker')
  const refused = new Owner(machine, 'stranger', 'BU').listen(port, 'attach')
  await expect(refused).rejects.toMatchObject({ code: 'EACCES', remedy: expect.stringContaining('httpsys hold') })
  await worker.shutdown()
})

test.each([5, 6, 50, 87])(
  'workers serve also where Windows does not let them bind URLs to the queue, with %i',
  async (bindStatus) => {
    await using here = await scene(undefined, {}, { bindStatus })
    const { machine, port } = here
    const worker = await new Owner(machine, 'worker').listen(port, 'attach')
    expect(await ask(port)).toBe('worker')
    await worker.shutdown()
  },
)

test('workers that attach at the same time find one queue', async () => {
  await using here = await scene()
  const { machine, port } = here
  const workers = Array.from({ length: 5 }, (_, index) => new Owner(machine, `worker ${index}`))
  const queues = await Promise.all(workers.map((worker) => worker.listen(port, 'attach')))
  for (const queue of queues) await queue.shutdown()
})

test('workers go on when the controller ends, and one of them has the URLs then', async () => {
  const here = await scene()
  const { machine, port, controller } = here
  const worker = await new Owner(machine, 'worker').listen(port, 'attach')
  controller.release()
  await vi.waitFor(async () => expect(await ask(port)).toBe('worker'), PATIENCE)
  await worker.shutdown()
  await here[Symbol.asyncDispose]()
})

test('a prefix that is held can not be created, nor held twice', async () => {
  await using here = await scene()
  const { machine, port } = here
  await expect(new Owner(machine, 'other').listen(port, 'create')).rejects.toMatchObject({ code: 'EADDRINUSE' })
  const other = new QueueController(machine.start().api)
  expect(() => other.hold(UrlPrefix.parse(`http://localhost:${port}/1/`))).toThrow(HttpSysError)
  expect(() => other.hold(UrlPrefix.parse(`http://localhost:${port}/2/`), 'nonsense')).toThrow(
    /EINVAL.*nonsense.*security descriptor/s,
  )
})
