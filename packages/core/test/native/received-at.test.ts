import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test, vi } from 'vitest'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import { installListenHook } from '../../src/http/listen-hook.ts'
import { middleware } from '../../src/http/request-context.ts'
import type { RequestContext } from '../../src/http/request-context.ts'
import { NativeBackend } from '../../src/native/native-backend.ts'
import { QueueController } from '../../src/native/queue-controller.ts'
import { freePort } from '../support/free-port.ts'
import { WireClient } from '../support/wire-client.ts'
import { Machine } from './double/machine.ts'
import type { Whims } from './double/whims.ts'

process.setMaxListeners(0)

let backend: NativeBackend
installListenHook({ open: (prefix, listener) => backend.open(prefix, listener), reserve: () => undefined })

interface Waiting {
  /** What is known of the request. */
  readonly context: RequestContext
  /** Of the queue in which it has waited. */
  readonly name: string
  /** When it was sent, and when its server came. */
  readonly sent: number
  readonly listened: number
}

/** Sends a request that waits in the queue while no server is there. */
async function waitingRequest(whims: Partial<Whims>): Promise<Waiting> {
  await using machine = new Machine({ ...whims, seed: 51 })
  const url = `http://localhost:${await freePort()}/`
  const controller = new QueueController(machine.start().api)
  const name = controller.hold(UrlPrefix.parse(url))
  const sent = performance.now()
  const client = await WireClient.send(UrlPrefix.parse(url).port, { path: '/' })
  const [queue] = machine.queues.values()
  await vi.waitFor(() => expect(queue!.waiting).toHaveLength(1), { interval: 5, timeout: 60_000 })
  const listened = performance.now()
  backend = new NativeBackend({ load: () => machine.start().api })
  const use = middleware()
  const server = createServer()
  server.listen(UrlPrefix.parse(url, { mode: 'attach' }))
  const [request, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse]
  use(request, response, () => response.end())
  await client.response({ complete: true })
  server.close()
  await once(server, 'close')
  controller.release()
  return { context: request.httpsys!, name, sent, listened }
}

test('a request was received when HTTP.SYS had it, and delivered when the process got it', async () => {
  const { context, sent, listened } = await waitingRequest({})
  const { received, delivered } = context.timings
  expect(received).toBeGreaterThanOrEqual(sent)
  expect(received).toBeLessThanOrEqual(listened)
  expect(delivered).toBeGreaterThanOrEqual(listened)
  expect(context.receivedAt).toBe(received)
})

test('a request was received when the process got it where Windows does not tell', async () => {
  const { context, listened } = await waitingRequest({ isRecent: false })
  expect(context.timings.received).toBeGreaterThanOrEqual(listened)
  expect(context.receivedAt).toBe(context.timings.received)
})

test('the queue of a request has the name that the kernel knows it by', async () => {
  const { context, name } = await waitingRequest({})
  expect(context.queue).toEqual({ backend: 'native', name, mode: 'attach' })
})
