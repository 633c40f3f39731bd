import { describe, expect, test } from 'vitest'
import { freePort } from '../../support/free-port.ts'
import { RawClient } from '../../support/raw-client.ts'
import { Driver } from './driver.ts'
import { offsetOf } from './golden.ts'
import { Machine } from './machine.ts'
import { IO_PENDING, SUCCESS } from './status.ts'
import type { Whims } from './whims.ts'

const GET = 'GET /a/x HTTP/1.1\r\nHost: localhost\r\n\r\n'
const SLAB_BYTES = 16_384
const MORE_DATA = 2
const BUFFER_DATA = 4

/** A process with one URL, and a client that has sent something. */
async function scene(sent = GET, whims: Partial<Whims> = { atOnce: 0 }) {
  const port = await freePort()
  const machine = new Machine(whims)
  const url = `http://localhost:${port}/a/`
  const driver = new Driver(machine.start(), url)
  const client = await RawClient.open(port)
  client.write(sent)
  const slab = driver.bytes(SLAB_BYTES)
  return {
    machine,
    driver,
    client,
    slab,
    url,
    requestId: () => slab.view.readBigUInt64LE(offsetOf('HTTP_REQUEST_V1', 'RequestId')),
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]()
      await machine[Symbol.asyncDispose]()
    },
  }
}

describe('the double of httpapi.dll', () => {
  test('serves a process that keeps to the rules, and finds nothing to say', async () => {
    await using here = await scene()
    const { driver, slab, client, machine, url } = here
    expect(await driver.receive(slab.address, SLAB_BYTES)).toMatchObject({ status: 0 })
    driver.send(here.requestId(), driver.response('hello').response)
    await client.until('hello')
    expect(client.text).toMatch(/^HTTP\/1\.1 200 \r\nContent-Length: 5\r\n/)
    driver.close(url)
    expect(machine.inspect()).toEqual([])
  })

  test('answers with 234 and the id when the buffer is too small, and gives the request to a receive by id', async () => {
    await using here = await scene(GET.replace('Host', `X-Long: ${'x'.repeat(9000)}\r\nHost`))
    const { driver, slab } = here
    const first = await driver.receive(slab.address, 4096)
    expect(first.status).toBe(0x8000_0005)
    expect(first.bytes).toBeGreaterThan(9000)
    const again = await driver.receive(slab.address, first.bytes, here.requestId())
    expect(again).toEqual({ status: 0, bytes: first.bytes })
    driver.send(here.requestId(), driver.response('ok').response)
    await here.client.until('ok')
  })

  test('refuses a receive by id when the client has gone meanwhile', async () => {
    await using here = await scene(GET.replace('Host', `X-Long: ${'x'.repeat(9000)}\r\nHost`))
    const { driver, slab, client, machine } = here
    await driver.receive(slab.address, 4096)
    const id = here.requestId()
    client.socket.resetAndDestroy()
    while (machine.requestCount > 0) await new Promise((resolve) => setImmediate(resolve))
    expect(await driver.receive(slab.address, SLAB_BYTES, id)).toMatchObject({ status: 87 })
    expect(await driver.outcome(driver.send(id, driver.response('x').response), driver.bytes(32))).toMatchObject({
      status: 1229,
    })
  })

  test('posts a completion although the call returned success, unless that was switched off', async () => {
    await using here = await scene(GET, { atOnce: 1 })
    const { driver, slab, client } = here
    driver.process.api.kernel.SetFileCompletionNotificationModes(driver.queue, 0)
    await driver.receive(slab.address, SLAB_BYTES)
    const overlapped = driver.bytes(32)
    expect(driver.send(here.requestId(), driver.response('hello').response, 0, overlapped.address)).toBe(SUCCESS)
    expect(await driver.completion(overlapped.address)).toMatchObject({ internal: 0 })
    await client.until('hello')
  })

  test('completes what is under way with 995 when the queue is closed', async () => {
    await using here = await scene('')
    const { driver, slab, machine, url } = here
    const receive = driver.receive(slab.address, SLAB_BYTES)
    driver.close(url)
    expect(await receive).toEqual({ status: 0xc000_0120, bytes: 0 })
    expect(machine.inspect()).toEqual([])
  })

  test('tells a waiting process that its client has been cut off, and ends what it still sends', async () => {
    await using here = await scene()
    const { driver, slab, client } = here
    await driver.receive(slab.address, SLAB_BYTES)
    const connection = slab.view.readBigUInt64LE(offsetOf('HTTP_REQUEST_V1', 'ConnectionId'))
    const overlapped = driver.bytes(32)
    const { http } = driver.process.api
    expect(http.HttpWaitForDisconnectEx!(driver.queue, connection, 0, overlapped.address)).toBe(IO_PENDING)
    client.socket.resetAndDestroy()
    expect(await driver.completion(overlapped.address)).toMatchObject({ internal: 0 })
    expect(driver.send(here.requestId(), driver.response('late').response)).toBe(1229)
  })

  test.each([
    ['GET /b/ HTTP/1.1\r\nHost: localhost\r\n\r\n', 404],
    ['GET /a/ HTTP/1.1\r\nHost: elsewhere\r\n\r\n', 400],
    ['GET /a/ HTTP/1.1\r\n\r\n', 400],
  ])('answers %j itself: %i', async (sent, status) => {
    await using here = await scene(sent)
    expect(await here.client.untilEnd()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  })

  const misuses: Record<string, (here: Awaited<ReturnType<typeof scene>>) => unknown> = {
    'a receive with a buffer of 2048 bytes': ({ driver, slab }) => driver.receive(slab.address, 2048),
    'the OVERLAPPED of HttpReceiveHttpRequest, in flight, was given to HttpReceiveHttpRequest': ({ driver, slab }) => {
      const overlapped = driver.bytes(32).address
      const other = driver.bytes(SLAB_BYTES).address
      const { http } = driver.process.api
      http.HttpReceiveHttpRequest(driver.queue, 0n, 0, slab.address, SLAB_BYTES, 0, overlapped)
      http.HttpReceiveHttpRequest(driver.queue, 0n, 0, other, SLAB_BYTES, 0, overlapped)
    },
    'memory of the OVERLAPPED of HttpReceiveHttpRequest was freed in flight': ({ driver, slab }) => {
      const overlapped = driver.bytes(32).address
      driver.process.api.http.HttpReceiveHttpRequest(driver.queue, 0n, 0, slab.address, SLAB_BYTES, 0, overlapped)
      driver.process.memory.free(overlapped)
    },
    'HttpReceiveHttpRequest and HttpReceiveHttpRequest were given the same memory': ({ driver, slab }) => {
      void driver.receive(slab.address, SLAB_BYTES)
      void driver.receive(slab.address + 4096, 4096)
    },
    'memory of HttpSendHttpResponse was written to in flight': ({ driver, requestId, machine, client }) => {
      client.socket.pause()
      const { response, body } = driver.response('x'.repeat(16_000_000))
      driver.send(requestId(), response)
      body[15_000_000] = 0
      machine.processes[0]!.closeQueueHandle([...machine.processes[0]!.queueHandles.values()][0]!)
    },
    'a block was freed twice': ({ driver }) => {
      const { address } = driver.bytes(64)
      driver.process.memory.free(address)
      driver.process.memory.free(address)
    },
    'something was written to freed memory': ({ driver }) => {
      const { address, view } = driver.bytes(64)
      driver.process.memory.free(address)
      view[63] = 1
    },
    'HttpSendHttpResponse points at freed memory': ({ driver, requestId }) => {
      const { response } = driver.response('x')
      driver.process.memory.free(response)
      driver.send(requestId(), response)
    },
    'HttpSendResponseEntityBody while HttpSendHttpResponse is in flight': ({ driver, requestId, client }) => {
      client.socket.pause()
      driver.send(requestId(), driver.response('x'.repeat(16_000_000)).response, MORE_DATA)
      driver.sendBody(requestId(), driver.response('x').chunks)
    },
    'HttpSendHttpResponse on a response that is open': async ({ driver, requestId }) => {
      const overlapped = driver.bytes(32)
      await driver.outcome(
        driver.send(requestId(), driver.response('x').response, MORE_DATA, overlapped.address),
        overlapped,
      )
      driver.send(requestId(), driver.response('y').response)
    },
    'DISCONNECT together with MORE_DATA': ({ driver, requestId }) =>
      driver.send(requestId(), driver.response('x').response, 3),
    'BUFFER_DATA in some calls of a response, and not in others': async ({ driver, requestId }) => {
      const overlapped = driver.bytes(32)
      const { response, chunks } = driver.response('x')
      await driver.outcome(driver.send(requestId(), response, MORE_DATA | BUFFER_DATA, overlapped.address), overlapped)
      driver.sendBody(requestId(), chunks)
    },
    'OPAQUE with status 200': ({ driver, requestId }) => driver.send(requestId(), driver.response('x').response, 0x42),
    'HttpSendHttpResponse for a request that never was': ({ driver, requestId }) =>
      driver.send(requestId() & 0xffff_ffffn, driver.response('x').response),
    'the queue handle': () => {},
    'a queue was closed before its URLs were removed': ({ driver }) =>
      driver.process.api.http.HttpCloseRequestQueue(driver.queue),
    'HttpCloseRequestQueue on a handle that is closed': ({ driver, url }) => {
      driver.close(url)
      driver.process.api.http.HttpCloseRequestQueue(driver.queue)
    },
    'CloseHandle on a request queue': ({ driver }) => driver.process.api.kernel.CloseHandle(driver.queue),
    'the completion of HttpWaitForDisconnectEx was lost': async ({ driver, slab, machine, client }) => {
      machine.drops = ({ operation }) => operation?.name === 'HttpWaitForDisconnectEx'
      const connection = slab.view.readBigUInt64LE(offsetOf('HTTP_REQUEST_V1', 'ConnectionId'))
      driver.process.api.http.HttpWaitForDisconnectEx!(driver.queue, connection, 0, driver.bytes(32).address)
      client.socket.resetAndDestroy()
      while (machine.requestCount > 0) await new Promise((resolve) => setImmediate(resolve))
    },
    'SECURITY_ATTRIBUTES of a wrong length': ({ driver }) => {
      const { address } = driver.bytes(24)
      driver.process.api.http.HttpCreateRequestQueue(2, 'other', address, 0, driver.bytes(16).address)
    },
    'a server session was closed before its URL groups': ({ driver }) =>
      driver.process.api.http.HttpCloseServerSession(driver.session),
  }

  test.each(Object.entries(misuses))('notices: %s', async (violation, misuse) => {
    await using here = await scene()
    await here.driver.receive(here.slab.address, SLAB_BYTES)
    await misuse(here)
    expect(here.machine.inspect()).toContainEqual(expect.stringContaining(violation))
  })
})
