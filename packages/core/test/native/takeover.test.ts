import { once } from 'node:events'
import { Agent, createServer, get } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect, test, vi } from 'vitest'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import type { ClaimMode } from '../../src/base/url-prefix.ts'
import { installListenHook } from '../../src/http/listen-hook.ts'
import { NativeBackend } from '../../src/native/native-backend.ts'
import { freePort } from '../support/free-port.ts'
import { Machine } from './double/machine.ts'

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

test('an http.Server takes a prefix over under load: nothing is refused, and the old one finishes what it has begun', async () => {
  await using machine = new Machine({ seed: 41 })
  backend = new NativeBackend({ load: () => machine.start().api })
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

  const answers: string[] = []
  let isStopping = false
  const clients = Array.from({ length: 6 }, async () => {
    while (!isStopping) answers.push(await ask(port, agent))
  })
  await vi.waitFor(() => expect(answers.length).toBeGreaterThan(20), PATIENCE)
  const drained = once(old, 'drain')
  const closed = once(old, 'close')
  const heir = await listen(port, 'takeover', (res) => res.end('new'))
  await drained
  const before = answers.length
  await vi.waitFor(() => expect(answers.length).toBeGreaterThan(before + 40), PATIENCE)
  isStopping = true
  await Promise.all(clients)

  // What was under way when the heir came may still be the old one's, six at most.
  expect(new Set(answers.slice(before + 6))).toEqual(new Set(['new']))
  expect(answers.filter((answer) => answer !== 'old' && answer !== 'new')).toEqual([])
  begun[0]!.end('and finished by it')
  expect(await long).toBe('begun by the old one, and finished by it')
  await closed
  heir.close()
  agent.destroy()
  await vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE)
})
