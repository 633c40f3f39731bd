import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import type { FastifyServerFactory } from 'fastify'
import { describe, expect, test } from 'vitest'
import { UrlPrefix } from '../../core/src/base/url-prefix.ts'
import { brokerBackend } from '../../core/src/broker/client/open-broker-queue.ts'
import { listenOnPrefix } from '../../core/src/http/listen-hook.ts'
import { RawClient } from '../../core/test/support/raw-client.ts'
import { deferred, useBroker } from './support/mount.ts'

useBroker()

const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'

/** As HTTPSYS_PREFIX=auto does it. */
const onOwnPort: FastifyServerFactory = (handler) => {
  const server = createServer(handler)
  const listen = (_options: unknown, callback: () => void) =>
    listenOnPrefix(server, UrlPrefix.parse('http://*:0/'), brokerBackend, { callback, bind: { host: undefined } })
  return Object.assign(server, { listen })
}

describe.each([
  ['node:http', undefined],
  ['a port of its own', onOwnPort],
])('an app on %s that closes', (_where, serverFactory) => {
  test.each([
    [true, '503 Service Unavailable'],
    [false, '200 OK'],
  ])('with return503OnClosing %j answers later requests of a busy connection with %s', async (isRefused, status) => {
    const [arrived, mayGoOn] = [deferred(), deferred()]
    const app = fastify({ return503OnClosing: isRefused, ...(serverFactory && { serverFactory }) })
    app.get('/', async () => {
      arrived.resolve()
      await mayGoOn.promise
      return 'served'
    })
    await app.listen({ port: 0 })
    using client = await RawClient.open((app.server.address() as AddressInfo).port)
    client.write(GET)
    await arrived.promise
    const closed = app.close()
    await expect.poll(() => app.server.listening).toBe(false)
    mayGoOn.resolve()
    await client.until('served')
    client.write(GET)
    const text = await client.untilEnd()
    expect(text.match(/HTTP\/1\.1 .*/g)).toEqual(['HTTP/1.1 200 OK', `HTTP/1.1 ${status}`])
    expect(text.match(/connection: .*/gi)!.at(-1)).toMatch(/: close$/)
    await closed
  })
})
