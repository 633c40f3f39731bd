import { join } from 'node:path'
import { connect } from 'node:net'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { QueueSettings } from '../../../src/base/queue-settings.ts'
import { encodeClaim } from '../../../src/broker/protocol/claims.ts'
import {
  FRAME_BODY,
  FRAME_CLAIM,
  FRAME_HELLO,
  FRAME_LEAVING,
  FRAME_RELEASE,
  FRAME_RELEASED,
  FRAME_REFUSED,
  FRAME_REQUEST,
  FRAME_REVOKED,
  FRAME_STATUS,
  FRAME_STATUS_REPLY,
  FRAME_UPGRADE,
  FRAME_UPGRADED,
} from '../../../src/broker/protocol/frames.ts'
import { encodeHello } from '../../../src/broker/protocol/hello.ts'
import type { BrokerStatus } from '../../../src/broker/protocol/status.ts'
import { startBroker } from '../../support/broker-fixture.ts'
import type { BrokerFixture } from '../../support/broker-fixture.ts'
import { RawClient } from '../../support/raw-client.ts'
import { RawOwner } from '../../support/raw-owner.ts'

let fixture: BrokerFixture
let port: number
let anchor: RawOwner

beforeEach(async () => {
  fixture = await startBroker()
  // Keeps the port, whatever becomes of the other claims.
  anchor = await openOwner()
  port = portOf(await anchor.claim('http://localhost:0/anchor/'))
})
afterEach(async () => {
  anchor.die()
  expect(fixture.violations).toEqual([])
  await fixture.close()
})

function openOwner(): Promise<RawOwner> {
  return RawOwner.open(join(fixture.directory, 'private.sock'))
}

/** Requests that wait for an owner. */
function waitingRequests(): number {
  return fixture.broker.status().queues.reduce((sum, queue) => sum + queue.waiting, 0)
}

async function ownerOf(path: string, settings: QueueSettings = {}): Promise<RawOwner> {
  const owner = await openOwner()
  await owner.claim(hrefOf(path), { settings })
  return owner
}

function hrefOf(path: string): string {
  return `http://localhost:${port}${path}`
}

function portOf(claimed: Awaited<ReturnType<RawOwner['claim']>>): number {
  if (claimed === 'revoked') throw new Error('the claim was revoked')
  return claimed.port
}

const GET = 'GET /2/x HTTP/1.1\r\nHost: localhost\r\n\r\n'
const POST = 'POST /2/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody'

test('a claim that is given back before it is granted is never granted', async () => {
  using owner = await openOwner()
  const payload = Buffer.from(encodeClaim({ href: hrefOf('/2/'), mode: 'create', settings: {} }))
  owner.send({ type: FRAME_CLAIM, id: 77, payload })
  owner.send({ type: FRAME_RELEASE, id: 77 })
  expect((await owner.next(FRAME_RELEASED)).id).toBe(77)
  using client = await RawClient.open(port)
  client.write(GET)
  await client.until('404 Not Found')
  await owner.claim(hrefOf('/2/'))
  expect(owner.frames).toEqual([])
})

test('a process that connects while the broker hands over hears HELLO first, and is refused', async () => {
  using owner = await ownerOf('/2/')
  using client = await RawClient.open(port)
  client.write(GET)
  const { id } = await owner.request()
  using late = await RawOwner.silent(join(fixture.directory, 'private.sock'))
  // Accepted behind it.
  using other = await openOwner()
  const left = fixture.broker.leave(() => {})
  await other.next(FRAME_LEAVING)
  late.send({ type: FRAME_HELLO, payload: Buffer.from(encodeHello(process.pid)) })
  await late.next(FRAME_HELLO)
  expect(late.frames).toEqual([])
  await expect(late.claim(hrefOf('/3/'))).rejects.toMatchObject({ code: 'ECONNRESET' })
  owner.respond(id, 'answered')
  await client.until('answered')
  client[Symbol.dispose]()
  await left
})

describe('while a successor is being started', () => {
  /** It has come up, or not. */
  let succeed: (pid: number) => void
  let fail: (error: Error) => void
  let own: BrokerFixture
  let upgrader: RawOwner
  let newcomer: RawOwner
  let ownPort: number
  let claimed: ReturnType<RawOwner['claim']>

  beforeEach(async () => {
    const started = new Promise<number>((resolve, reject) => {
      succeed = resolve
      fail = reject
    })
    let onUpgrade = (): void => {}
    const asked = new Promise<void>((resolve) => (onUpgrade = resolve))
    own = await startBroker({
      onUpgrade: () => {
        onUpgrade()
        return started
      },
    })
    upgrader = await RawOwner.open(join(own.directory, 'private.sock'))
    newcomer = await RawOwner.open(join(own.directory, 'private.sock'))
    ownPort = portOf(await upgrader.claim('http://localhost:0/'))
    upgrader.send({ type: FRAME_UPGRADE, payload: Buffer.from('{}') })
    await asked
    claimed = newcomer.claim(`http://localhost:${ownPort}/late/`)
    claimed.catch(() => {})
    // Behind the claim: the broker has read it.
    newcomer.send({ type: FRAME_STATUS })
    const { queues } = JSON.parse((await newcomer.next(FRAME_STATUS_REPLY)).payload.toString()) as BrokerStatus
    expect(queues.map(({ prefix }) => prefix)).toEqual([`http://localhost:${ownPort}/`])
  })
  afterEach(async () => {
    upgrader.die()
    newcomer.die()
    await own.close()
  })

  test('claims wait, and are granted when it does not come up', async () => {
    fail(new Error('it does not come up'))
    await upgrader.next(FRAME_REFUSED)
    expect(portOf(await claimed)).toBe(ownPort)
  })

  test('claims wait, and are sent to it once this broker has let go of the sockets', async () => {
    using client = await RawClient.open(ownPort)
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const { id } = await upgrader.request()
    succeed(1)
    await upgrader.next(FRAME_UPGRADED)
    let onLetGo = (): void => {}
    const letGo = new Promise<void>((resolve) => (onLetGo = resolve))
    const left = own.broker.leave(onLetGo)
    await newcomer.next(FRAME_LEAVING)
    await expect(claimed).rejects.toMatchObject({ code: 'ECONNRESET' })
    await letGo
    await expect(RawClient.open(ownPort)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await expect(RawOwner.open(join(own.directory, 'private.sock'))).rejects.toThrow()
    upgrader.respond(id, 'answered')
    await client.until('answered')
    client[Symbol.dispose]()
    await left
  })
})

describe('the owner of a prefix dies', () => {
  test('what comes then waits for the next owner, in order, and on connections that are used again', async () => {
    const first = await ownerOf('/2/')
    using client = await RawClient.open(port)
    client.write(GET)
    first.respond((await first.request()).id, 'first')
    await client.until('first')
    first.die()
    using late = await RawClient.open(port)
    client.write('GET /2/a HTTP/1.1\r\nHost: localhost\r\n\r\nGET /2/b HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await expect.poll(waitingRequests).toBe(1)
    late.write('POST /2/c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nhalf')
    await expect.poll(waitingRequests).toBe(2)
    late.write('half')
    using heir = await ownerOf('/2/')
    for (const path of ['/2/a', '/2/c', '/2/b']) {
      const { id, head, body } = await heir.request()
      expect(head).toContain(` ${path} HTTP`)
      if (path === '/2/c') expect(body === 'halfhalf' ? body : body + (await heir.body())).toBe('halfhalf')
      heir.respond(id, `heir of ${path}`)
    }
    await client.until('heir of /2/b')
    expect(await late.until('heir of /2/c')).toMatch(/^HTTP\/1\.1 200 /)
    expect(client.text.indexOf('/2/a')).toBeLessThan(client.text.indexOf('/2/b'))
  })

  test.each([
    ['GET', GET, ''],
    ['PUT with its body', POST.replace('POST', 'PUT'), 'body'],
    ['DELETE', GET.replace('GET', 'DELETE'), ''],
  ])('a %s that it had not answered goes to the next one, once', async (_what, request, body) => {
    const first = await ownerOf('/2/')
    using client = await RawClient.open(port)
    client.write(request + 'GET /anchor/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const asked = await first.request()
    first.die()
    const second = await ownerOf('/2/')
    expect(await second.request()).toMatchObject({ head: asked.head, body })
    second.die()
    expect(await client.until('Connection_Abandoned_By_AppPool')).toMatch(/^HTTP\/1\.1 502 /)
    // The connection goes on with what was pipelined behind it.
    anchor.respond((await anchor.request()).id, 'anchor')
    await client.until('anchor')
    // The next request may be saved again.
    client.write(request)
    using third = await ownerOf('/2/')
    third.respond((await third.request()).id, 'third')
    await client.until('third')
  })

  test('a body of which a part had come is sent to the next owner from its beginning', async () => {
    const first = await ownerOf('/2/')
    using client = await RawClient.open(port)
    client.write('PUT /2/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n')
    await first.request()
    expect(await first.body()).toBe('one')
    first.die()
    using second = await ownerOf('/2/')
    await second.request()
    expect(await second.body()).toBe('one')
    client.write('3\r\ntwo\r\n0\r\n\r\n')
    expect(await second.body()).toBe('two')
  })

  test.each([
    ['a POST', POST],
    ['a method nobody knows', GET.replace('GET', 'GETS')],
    [
      'a PUT that is too long to be kept',
      `PUT /2/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 80000\r\n\r\n${'x'.repeat(80_000)}`,
    ],
  ])('%s that it had not answered is answered with 502', async (_what, request) => {
    const first = await ownerOf('/2/')
    using client = await RawClient.open(port)
    client.write(request)
    let { length } = (await first.request()).body
    while (request.length > 80_000 && length < 80_000) length += (await first.body()).length
    first.die()
    expect(await client.until('Connection_Abandoned_By_AppPool: ')).toMatch(/^HTTP\/1\.1 502 /)
  })

  test('a response that has begun breaks, also of a GET', async () => {
    const first = await ownerOf('/2/')
    using client = await RawClient.open(port)
    client.write(GET)
    first.respond((await first.request()).id, 'part', 100)
    await client.until('part')
    first.die()
    expect(await client.untilEnd()).toMatch(/part$/)
    using heir = await ownerOf('/2/')
    await heir.release(0)
    expect(heir.frames.filter(({ type }) => type === FRAME_REQUEST)).toEqual([])
  })

  test('no one comes: 503 with Retry-After when the time is up, then the prefix is unknown', async () => {
    const first = await ownerOf('/2/', { holdFor: 50 })
    using asked = await RawClient.open(port)
    asked.write(GET)
    await first.request()
    first.die()
    using client = await RawClient.open(port)
    client.write(POST)
    for (const { text } of [await ended(asked, 'AppOffline: '), await ended(client, 'AppOffline: ')]) {
      expect(text).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/)
      expect(text).toMatch(/\r\nRetry-After: 1\r\n/)
    }
    client.text = ''
    client.write(GET)
    expect(await client.until('NotFound')).toMatch(/^HTTP\/1\.1 404 /)
  })

  test.each([
    ['gives its prefix back', false, {}, 404],
    ['leaves it to the next', true, {}, 200],
    ['gives it back where holdFor is set', false, { holdFor: 5000 }, 200],
  ])('or %s', async (_what, isHeld, settings, status) => {
    using first = await openOwner()
    const claimed = await first.claim(hrefOf('/2/'), { settings })
    await first.release((claimed as { id: number }).id, isHeld)
    using client = await RawClient.open(port)
    client.write(GET)
    if (status === 200) {
      await expect.poll(waitingRequests).toBe(1)
      using heir = await ownerOf('/2/')
      heir.respond((await heir.request()).id, 'heir')
    }
    expect(await client.until('\r\n\r\n')).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  })

  test('holdFor 0 holds nothing', async () => {
    const first = await ownerOf('/2/', { holdFor: 0 })
    using asked = await RawClient.open(port)
    asked.write(GET)
    await first.request()
    first.die()
    expect(await asked.until('Abandoned')).toMatch(/^HTTP\/1\.1 502 /)
    asked.write(GET)
    await asked.until('NotFound')
  })

  test('a client that leaves while it waits is forgotten, one that only ended its side is answered', async () => {
    ;(await ownerOf('/2/')).die()
    const gone = await RawClient.open(port)
    gone.write(GET)
    using patient = await RawClient.open(port)
    patient.write(GET.replace('/x', '/patient'))
    patient.socket.end()
    await expect.poll(waitingRequests).toBe(2)
    gone.socket.resetAndDestroy()
    await expect.poll(waitingRequests).toBe(1)
    using heir = await ownerOf('/2/')
    const { id, head } = await heir.request()
    expect(head).toContain('/2/patient')
    heir.respond(id, 'late')
    expect(await patient.untilEnd()).toMatch(/late$/)
    expect(heir.frames.filter(({ type }) => type === FRAME_REQUEST)).toEqual([])
  })

  test('its WebSockets close with 1012; one that was in the middle of a frame breaks', async () => {
    const owner = await ownerOf('/2/')
    const upgrade = `${GET.slice(0, -2)}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`
    const [whole, cut] = [await RawClient.open(port), await RawClient.open(port)]
    const ids: number[] = []
    for (const client of [whole, cut]) {
      client.write(upgrade)
      const { id } = await owner.request()
      owner.switchProtocols(id, 'websocket')
      ids.push(id)
      await client.until('\r\n\r\n')
      client.text = ''
    }
    // Text frames of 5 and of 126 bytes, in pieces that end anywhere.
    const long = Buffer.concat([Buffer.from([0x82, 126, 0, 126]), Buffer.alloc(126, 'x')])
    for (const piece of [[0x81], [5, 104, 101], [108, 108, 111], long.subarray(0, 3), long.subarray(3)]) {
      owner.send({ type: FRAME_BODY, id: ids[0]!, payload: Buffer.from(piece) })
    }
    owner.send({ type: FRAME_BODY, id: ids[1]!, payload: Buffer.from([0x81, 5, 104]) })
    await whole.until('x'.repeat(126))
    await cut.until('h')
    owner.die()
    expect(Buffer.from(await whole.untilEnd(), 'latin1').subarray(-4)).toEqual(Buffer.from([0x88, 2, 0x03, 0xf4]))
    expect(await cut.untilEnd()).toBe('\x81\x05h')
    for (const client of [whole, cut]) client[Symbol.dispose]()
  })

  test('other upgraded connections just end', async () => {
    const owner = await ownerOf('/2/')
    using client = await RawClient.open(port)
    client.write(`${GET.slice(0, -2)}Connection: Upgrade\r\nUpgrade: echo\r\n\r\n`)
    owner.switchProtocols((await owner.request()).id, 'echo')
    await client.until('\r\n\r\n')
    owner.die()
    expect(await client.untilEnd()).toMatch(/\r\n\r\n$/)
  })
})

describe('a request queue', () => {
  test.each([
    ['full', /^HTTP\/1\.1 503 .*Retry-After: 1\r\n.*QueueFull: /s],
    ['limited', /^HTTP\/1\.1 503 .*Retry-After: 1\r\n.*\r\n\r\n$/s],
    ['basic', /^$/],
  ] as const)('that is full says so at once, as verbosity %s wants it', async (verbosity503, answer) => {
    ;(await ownerOf('/2/', { queueLength: 1, verbosity503 })).die()
    using waiting = await RawClient.open(port)
    waiting.write(GET)
    await expect.poll(waitingRequests).toBe(1)
    using second = await RawClient.open(port)
    second.write(GET + 'GET /anchor/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
    if (verbosity503 === 'basic') await second.untilEnd()
    else await anchor.request()
    expect(second.text).toMatch(answer)
    using heir = await ownerOf('/2/')
    heir.respond((await heir.request()).id, 'served')
    await waiting.until('served')
  })

  test('holds what an owner that does not read can not take, and gives it to the next when that one dies', async () => {
    const stopped = await ownerOf('/2/')
    stopped.stop()
    const filler = 'x'.repeat(15_000)
    const clients: RawClient[] = []
    // The kernel's buffers take some 200 KiB, the broker another 1 MiB.
    while (waitingRequests() === 0) {
      const client = await RawClient.open(port)
      clients.push(client)
      client.write(`POST /2/ HTTP/1.1\r\nHost: localhost\r\nA: ${filler}\r\n\r\n`)
      // Answered by another owner of the port: the request before has been read.
      using probe = await RawClient.open(port)
      probe.write('GET /anchor/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
      anchor.respond((await anchor.request()).id, 'anchor')
      await probe.until('anchor')
    }
    expect(clients.length).toBeGreaterThan(60)
    expect(clients.length).toBeLessThan(150)
    const last = clients.at(-1)!
    stopped.die()
    using heir = await ownerOf('/2/')
    heir.respond((await heir.request()).id, 'saved')
    expect(await last.until('saved')).toMatch(/^HTTP\/1\.1 200 /)
    for (const client of clients.slice(0, -1)) expect(await client.until('Abandoned')).toMatch(/^HTTP\/1\.1 502 /)
    for (const client of clients) client[Symbol.dispose]()
  })

  test('goes on with what waits once its owner reads again', async () => {
    using owner = await ownerOf('/2/')
    owner.stop()
    const clients: RawClient[] = []
    while (waitingRequests() < 3) {
      const client = await RawClient.open(port)
      clients.push(client)
      client.write(`POST /2/${clients.length} HTTP/1.1\r\nHost: localhost\r\nA: ${'x'.repeat(15_000)}\r\n\r\n`)
      await new Promise((resolve) => setImmediate(resolve))
    }
    owner.resume()
    for (let count = 0; count < clients.length; count++) {
      const { id, head } = await owner.request()
      owner.respond(id, `answer ${/\d+/.exec(head.slice(8))![0]}`)
    }
    for (const [index, client] of clients.entries()) await client.until(`answer ${index + 1}`)
    for (const client of clients) client[Symbol.dispose]()
  })

  test('turns away what has waited too long for an owner that does not read', async () => {
    ;(await ownerOf('/2/', { requestQueueTimeout: 500, holdFor: 60_000 })).die()
    using client = await RawClient.open(port)
    client.write(GET)
    expect(await client.until('Timer_ReqQueue: ')).toMatch(/^HTTP\/1\.1 503 /)
  })

  test('answers what is being read when its port is closed, and what waited until then', async () => {
    const owner = await ownerOf('/2/', { holdFor: 60_000 })
    const { broker } = fixture
    for (const waits of [false, true]) {
      using client = await RawClient.open(port)
      if (waits) {
        owner.die()
        client.write(GET)
        await expect.poll(waitingRequests).toBe(1)
      }
      // As another thread hears of it: between a head that has come and the search for its owner.
      broker.refresh = () => {
        delete (broker as { refresh?: unknown }).refresh
        broker.onPortClosed(port)
      }
      if (waits) broker.onPortClosed(port)
      else {
        client.write(GET)
        owner.respond((await owner.request()).id, 'answer')
      }
      const said = await client.untilEnd()
      expect(said).toMatch(waits ? /^HTTP\/1\.1 503 .*AppShutdown: /s : /^HTTP\/1\.1 200 .*answer/s)
    }
  })

  test('answers what waits when the broker is closed', async () => {
    ;(await ownerOf('/2/')).die()
    using client = await RawClient.open(port)
    client.write(GET)
    await expect.poll(waitingRequests).toBe(1)
    await fixture.broker.close()
    expect(await client.untilEnd()).toMatch(/^HTTP\/1\.1 503 .*AppShutdown: /s)
  })
})

describe('a prefix is taken over', () => {
  test('every later request is the newcomer’s, what the old one has it finishes', async () => {
    using old = await ownerOf('/2/')
    using client = await RawClient.open(port)
    client.write(GET)
    const begun = await old.request()
    using heir = await openOwner()
    await heir.claim(hrefOf('/2/'), { mode: 'takeover' })
    await old.next(FRAME_REVOKED)
    using other = await RawClient.open(port)
    other.write(GET)
    heir.respond((await heir.request()).id, 'heir')
    await other.until('heir')
    client.write(GET)
    old.respond(begun.id, 'old')
    await client.until('old')
    heir.respond((await heir.request()).id, 'heir')
    await client.until('heir')
    await old.release(0)
    expect(old.frames.filter(({ type }) => type === FRAME_REQUEST)).toEqual([])
  })

  test('what the old owner dies with goes to the newcomer', async () => {
    const old = await ownerOf('/2/')
    using client = await RawClient.open(port)
    client.write(GET)
    await old.request()
    using heir = await openOwner()
    await heir.claim(hrefOf('/2/'), { mode: 'takeover' })
    old.die()
    heir.respond((await heir.request()).id, 'heir')
    await client.until('heir')
  })

  test('the port stays open throughout, and is freed with the last owner', async () => {
    const alone = await openOwner()
    const { port: own } = (await alone.claim('http://localhost:0/')) as { port: number }
    const heir = await openOwner()
    await heir.claim(`http://localhost:${own}/`, { mode: 'takeover', settings: { holdFor: 0 } })
    await alone.next(FRAME_REVOKED)
    alone.die()
    using client = await RawClient.open(own)
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    heir.respond((await heir.request()).id, 'heir')
    await client.until('heir')
    heir.die()
    await expect
      .poll(async () => {
        const probe = connect(own, '127.0.0.1')
        await once(probe, 'connect').catch(() => {})
        const isOpen = !probe.destroyed
        probe.destroy()
        return isOpen
      })
      .toBe(false)
  })

  test('after a broker was lost the later claim counts, in whatever order they come back', async () => {
    using old = await openOwner()
    using heir = await openOwner()
    expect(await heir.claim(hrefOf('/2/'), { mode: 'takeover', epoch: 2000 })).toMatchObject({ epoch: 2000 })
    expect(await old.claim(hrefOf('/2/'), { mode: 'takeover', epoch: 1000 })).toBe('revoked')
    expect(await old.claim(hrefOf('/3/'), { mode: 'takeover', epoch: 1000 })).toMatchObject({ epoch: 1000 })
    await heir.claim(hrefOf('/3/'), { mode: 'takeover', epoch: 2000 })
    await old.next(FRAME_REVOKED)
    // A claim that is not a take-over steals nothing.
    await expect(old.claim(hrefOf('/3/'), { mode: 'create' })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(await old.claim(hrefOf('/3/'), { mode: 'create', epoch: 1500 })).toBe('revoked')
  })

  test('a fresh claim is later than any before, those of other brokers included', async () => {
    using owner = await openOwner()
    const first = (await owner.claim(hrefOf('/2/'))) as { epoch: number }
    const second = (await owner.claim(hrefOf('/3/'))) as { epoch: number }
    expect(second.epoch).toBeGreaterThan(first.epoch)
    expect(first.epoch).toBeGreaterThan(Date.parse('2026-01-01'))
  })
})

async function ended(client: RawClient, text: string): Promise<RawClient> {
  await client.until(text)
  return client
}
