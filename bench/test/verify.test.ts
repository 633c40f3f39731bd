import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { createHello, HELLO } from '../src/apps/hello.ts'
import { verifyAnswers, verifyOwners } from '../src/verify.ts'

const OWNERS = [1, 2, 3, 4, 5, 6, 7, 8]
const requests = OWNERS.map((owner) => ({ method: 'GET', path: `/${owner}/` }))

async function check(handler: RequestListener, routes: boolean): Promise<void> {
  await using server = createServer(handler)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await verifyAnswers({ port, tls: false }, requests, { answerBytes: HELLO.length, routes })
  if (routes) await verifyOwners(port, OWNERS)
}

const owners = Array.from({ length: 9 }, (_, owner) => createHello(String(owner)))
const routed: RequestListener = (request, response) => owners[Number(request.url?.split('/')[1])]?.(request, response)

describe('the check before a measurement', () => {
  test('passes when each prefix is answered by its own owner', async () => {
    await expect(check(routed, true)).resolves.toBeUndefined()
  })

  test('lets one server answer for all where nothing is routed', async () => {
    await expect(check(createHello('0'), false)).resolves.toBeUndefined()
  })

  test.each<[string, RequestListener, string]>([
    ['one server answers for all', createHello('0'), '/1/ was answered by nobody known'],
    [
      'an owner answers for its neighbour',
      (request, response) => {
        request.url = request.url?.replace('/5/', '/6/')
        routed(request, response)
      },
      '/5/ was answered by 6',
    ],
    ['a status is bad', (_, response) => response.writeHead(502).end('Bad Gateway'), '/1/ answered 502: Bad Gateway'],
    ['a body is another', (_, response) => response.end('Hello'), "/1/ answered 5 bytes, not 13: 'Hello'"],
    [
      'a measured response carries the owner',
      (request, response) => {
        response.setHeader('X-Owner', '1')
        routed(request, response)
      },
      '/1/ names its owner in a measured response',
    ],
  ])('fails when %s', async (_, handler, message) => {
    await expect(check(handler, true)).rejects.toThrow(message)
  })
})
