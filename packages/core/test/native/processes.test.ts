import { expect, test, vi } from 'vitest'
import type { HttpSysError } from '../../src/base/errors.ts'
import { freePort } from '../support/free-port.ts'
import { WireClient } from '../support/wire-client.ts'
import { Machine } from './double/machine.ts'
import { Owner } from './owner.ts'

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
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), { interval: 5, timeout: 60_000 })
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
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), { interval: 5, timeout: 60_000 })
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
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), { interval: 5, timeout: 60_000 })
})

test('a prefix can be claimed again while the process that closed it finishes a response', async () => {
  await using machine = new Machine({ seed: 9 })
  const port = await freePort()
  const first = new Owner(machine, 'first')
  first.keeps = true
  const queue = await first.listen(port, 'create')
  const client = await WireClient.send(port, { path: '/1/' })
  await vi.waitFor(() => expect(first.kept).toHaveLength(1), { interval: 5, timeout: 60_000 })
  await queue.shutdown()
  const next = await new Owner(machine, 'next').listen(port, 'attach')
  expect(await ask(port)).toBe('next')
  first.answer(first.kept[0]!)
  expect((await client.response({ complete: true })).body.toString()).toBe('first')
  await next.shutdown()
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), { interval: 5, timeout: 60_000 })
})
