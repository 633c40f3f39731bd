import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test, vi } from 'vitest'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import { installListenHook } from '../../src/http/listen-hook.ts'
import { middleware } from '../../src/http/request-context.ts'
import { NativeBackend } from '../../src/native/native-backend.ts'
import { QueueController } from '../../src/native/queue-controller.ts'
import { freePort } from '../support/free-port.ts'
import { WireClient } from '../support/wire-client.ts'
import { Machine } from './double/machine.ts'
import type { Whims } from './double/whims.ts'

process.setMaxListeners(0)

let backend: NativeBackend
installListenHook({ open: (prefix, listener) => backend.open(prefix, listener), reserve: () => undefined })

/** When a request came that waits in the queue while no server is there, and when the server came. */
async function momentsOf(whims: Partial<Whims>): Promise<{ sent: number; received: number; listened: number }> {
  await using machine = new Machine({ ...whims, seed: 51 })
  const url = `http://localhost:${await freePort()}/`
  const controller = new QueueController(machine.start().api)
  controller.hold(UrlPrefix.parse(url))
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
  return { sent, received: request.httpsys!.receivedAt, listened }
}

test('receivedAt is when HTTP.SYS had the request, not when the process got it', async () => {
  const { sent, received, listened } = await momentsOf({})
  expect(received).toBeGreaterThanOrEqual(sent)
  expect(received).toBeLessThanOrEqual(listened)
})

test('receivedAt is when the process got the request where Windows does not tell', async () => {
  const { received, listened } = await momentsOf({ isRecent: false })
  expect(received).toBeGreaterThanOrEqual(listened)
})
