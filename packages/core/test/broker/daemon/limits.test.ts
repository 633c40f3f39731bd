import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { QueueSettings } from '../../../src/base/queue-settings.ts'
import {
  FLAG_END,
  FRAME_BODY,
  FRAME_CREDIT,
  FRAME_DISCARD,
  FRAME_DISCONNECT,
} from '../../../src/broker/protocol/frames.ts'
import { readServerLimits } from '../../../src/broker/daemon/server-limits.ts'
import type { ServerLimits } from '../../../src/broker/daemon/server-limits.ts'
import { startBroker } from '../../support/broker-fixture.ts'
import type { BrokerFixture } from '../../support/broker-fixture.ts'
import { RawClient } from '../../support/raw-client.ts'
import { RawOwner } from '../../support/raw-owner.ts'

/** A broker and an owner of `/2/`. */
class Bench implements AsyncDisposable {
  readonly fixture: BrokerFixture
  readonly owner: RawOwner
  readonly port: number

  private constructor(fixture: BrokerFixture, owner: RawOwner, port: number) {
    this.fixture = fixture
    this.owner = owner
    this.port = port
  }

  static async open(settings: QueueSettings, limits: Partial<ServerLimits> = {}): Promise<Bench> {
    const fixture = await startBroker({ limits })
    const owner = await RawOwner.open(join(fixture.directory, 'private.sock'))
    const { port } = (await owner.claim('http://localhost:0/2/', { settings })) as { port: number }
    return new Bench(fixture, owner, port)
  }

  /** A client that has sent something. */
  async client(text: string): Promise<RawClient> {
    const client = await RawClient.open(this.port)
    client.write(text)
    return client
  }

  /** How often the broker has acted for a reason. */
  count(reason: string): number {
    return this.fixture.broker.status().reasons[reason] ?? 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.owner.die()
    expect(this.fixture.violations).toEqual([])
    await this.fixture.close()
  }
}

function head(method: string, path: string, ...fields: string[]): string {
  return [`${method} ${path} HTTP/1.1`, 'Host: localhost', ...fields, '', ''].join('\r\n')
}

const GET = head('GET', '/2/x')

// Timers tick once a second: these wait side by side.
describe('times that run out', () => {
  test.concurrent('HeaderWait counts from the first byte, however slowly the others drip', async () => {
    await using bench = await Bench.open({}, { headerWaitTimeout: 1000 })
    using idle = await RawClient.open(bench.port)
    using client = await bench.client('GET /2/x HTTP/1.1\r\n')
    const drip = setInterval(() => client.write('A: b\r\n'), 100)
    expect(await client.untilEnd()).toBe('')
    clearInterval(drip)
    expect(bench.count('Timer_HeaderWait')).toBe(1)
    // One that has sent nothing is only idle.
    expect(idle.isClosed).toBe(false)
  })

  test.concurrent('IdleConnection ends a connection that is not used', async () => {
    await using bench = await Bench.open({}, { idleConnectionTimeout: 1000 })
    using client = await bench.client(GET)
    bench.owner.respond((await bench.owner.request()).id, 'served')
    expect(await client.untilEnd()).toMatch(/\r\nKeep-Alive: timeout=1\r\n.*served$/s)
    expect(bench.count('Timer_ConnectionIdle')).toBe(1)
  })

  test.concurrent('HeaderWait and IdleConnection are the prefix’s own once a request has come there', async () => {
    await using bench = await Bench.open({ headerWaitTimeout: 1000, idleConnectionTimeout: 2000 })
    using unrouted = await bench.client('GET /2/x HTTP/1.1\r\n')
    const served = async (): Promise<RawClient> => {
      const client = await bench.client(GET)
      bench.owner.respond((await bench.owner.request()).id, 'served')
      await client.until('served')
      return client
    }
    using slow = await served()
    using idle = await served()
    expect(idle.text).toContain('\r\nKeep-Alive: timeout=1\r\n')
    slow.write('GET /2/x HTTP/1.1\r\n')
    await Promise.all([slow.untilEnd(), idle.untilEnd()])
    expect(bench.count('Timer_HeaderWait')).toBe(1)
    expect(bench.count('Timer_ConnectionIdle')).toBe(1)
    expect(unrouted.isClosed).toBe(false)
  })

  test.concurrent('a time of 0 is none at all', async () => {
    const none = { headerWaitTimeout: 0, idleConnectionTimeout: 0 }
    await using bench = await Bench.open({ entityBodyTimeout: 0, drainEntityBodyTimeout: 0 }, none)
    await bench.owner.claim(`http://localhost:${bench.port}/other/`, { settings: { idleConnectionTimeout: 1000 } })
    using silent = await bench.client('')
    using head = await bench.client('GET /2/x HTTP/1.1\r\n')
    using body = await bench.client(`POST /2/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf`)
    await bench.owner.request()
    using rest = await bench.client(`POST /2/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf`)
    const { id } = await bench.owner.request()
    bench.owner.send({ type: FRAME_DISCARD, id })
    bench.owner.respond(id, 'enough')
    await rest.until('enough')
    expect(rest.text).toContain('\r\nConnection: keep-alive\r\nContent-Length: 6\r\n')
    // By then a second has passed, and what counts from 0 is over.
    using other = await bench.client('GET /other/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
    bench.owner.respond((await bench.owner.request()).id, 'served')
    await other.untilEnd()
    for (const client of [silent, head, body, rest]) expect(client.isClosed).toBe(false)
    expect(bench.fixture.broker.status().reasons).toEqual({ Timer_ConnectionIdle: 1 })
  })

  test.concurrent('EntityBody ends a connection whose body stops coming, and the owner hears of it', async () => {
    await using bench = await Bench.open({ entityBodyTimeout: 1000 })
    using client = await bench.client(head('POST', '/2/x', 'Content-Length: 10') + 'half')
    await bench.owner.request()
    expect(await client.untilEnd()).toBe('')
    await bench.owner.next(FRAME_DISCONNECT)
    expect(bench.count('Timer_EntityBody')).toBe(1)
  })

  test.concurrent('DrainEntityBody bounds the time for a body that nobody wants, however steadily it comes', async () => {
    await using bench = await Bench.open({ drainEntityBodyTimeout: 1000 })
    using client = await bench.client(head('POST', '/2/x', 'Content-Length: 1000000'))
    const { id } = await bench.owner.request()
    bench.owner.send({ type: FRAME_DISCARD, id })
    bench.owner.respond(id, 'enough')
    await client.until('enough')
    const drip = setInterval(() => client.write('x'), 100)
    await client.untilEnd()
    clearInterval(drip)
    expect(bench.count('Timer_EntityBody')).toBe(1)
  })

  test.concurrent('MinSendRate ends a connection whose client does not read', async () => {
    await using bench = await Bench.open({ minSendRate: 100_000 })
    using client = await bench.client(GET)
    client.socket.pause()
    const { id } = await bench.owner.request()
    bench.owner.respond(id, 'x', 100_000_000)
    const piece = Buffer.alloc(65_536)
    // The kernel takes some megabytes for a client that does not read, then there is no more credit.
    for (let granted = 131_071; ;) {
      for (; granted >= piece.length; granted -= piece.length) {
        bench.owner.send({ type: FRAME_BODY, id, payload: piece })
      }
      const frame = await bench.owner.next(FRAME_CREDIT, FRAME_DISCONNECT)
      if (frame.type === FRAME_DISCONNECT) break
      granted += frame.payload.readUInt32LE(0)
    }
    expect(bench.count('Timer_MinBytesPerSecond')).toBe(1)
  })

  test.concurrent('MinSendRate leaves a client alone that reads slowly, but fast enough', async () => {
    await using bench = await Bench.open({ minSendRate: 1_000_000 })
    using client = await bench.client(GET)
    // At most 64 KiB each time: some 5 MB a second, so that something always waits.
    client.socket.on('data', () => {
      client.socket.pause()
      setTimeout(() => client.socket.resume(), 10)
    })
    const { id } = await bench.owner.request()
    const size = 20_000_000
    bench.owner.respond(id, 'x', size)
    const piece = Buffer.alloc(65_536)
    for (let sent = 1, granted = 131_071; sent < size;) {
      const length = Math.min(piece.length, granted, size - sent)
      sent += length
      granted -= length
      const flags = sent === size ? FLAG_END : 0
      bench.owner.send({ type: FRAME_BODY, flags, id, payload: piece.subarray(0, length) })
      if (granted === 0) granted = await bench.owner.credit()
    }
    await vi.waitUntil(() => client.text.length > size, { timeout: 15_000 })
    expect(bench.count('Timer_MinBytesPerSecond')).toBe(0)
  })
})

describe('sizes', () => {
  test.each<[what: string, request: string, answer: RegExp]>([
    ['a field', head('GET', '/2/x', `A: ${'x'.repeat(98)}`), /^HTTP\/1\.1 431 .*FieldLength: /s],
    [
      'a head',
      head('GET', '/2/x', ...Array.from({ length: 20 }, () => 'A: 3456789')),
      /^HTTP\/1\.1 431 .*RequestLength: /s,
    ],
    ['a request line', head('GET', `/2/${'/x'.repeat(150)}`), /^HTTP\/1\.1 414 .*URL_Length: /s],
    ['a segment', head('GET', '/2/23456789012'), /^HTTP\/1\.1 400 .*URL: /s],
    ['segments', head('GET', '/2/3/4/5/6'), /^HTTP\/1\.1 400 .*URL: /s],
    [
      'a body of known length',
      head('POST', '/2/x', 'Content-Length: 9') + '123456789',
      /^HTTP\/1\.1 413 .*EntityTooLarge: /s,
    ],
    [
      'a chunked body',
      head('POST', '/2/x', 'Transfer-Encoding: chunked') + '5\r\n12345\r\n4\r\n6789\r\n0\r\n\r\n',
      /^HTTP\/1\.1 413 .*EntityTooLarge: /s,
    ],
  ])('%s beyond its limit is refused, and the connection ends', async (_what, request, answer) => {
    await using bench = await Bench.open(
      { maxBodySize: 8 },
      { maxFieldLength: 100, maxRequestBytes: 250, urlSegmentMaxLength: 10, urlSegmentMaxCount: 4 },
    )
    using client = await bench.client(request + GET)
    expect(await client.untilEnd()).toMatch(answer)
    expect(client.text).toMatch(/\r\nConnection: close\r\n/)
    const reason = /(\w+): [^\r\n]*\n$/.exec(client.text)![1]!
    expect(bench.count(reason)).toBe(1)
  })

  test.each<[what: string, request: string]>([
    ['a field', head('GET', '/2/x', `A: ${'x'.repeat(97)}`)],
    ['a segment', head('GET', '/2/2345678901')],
    ['segments', head('GET', '/2/3//4/?/5/6/7')],
    ['a body of known length', head('POST', '/2/x', 'Content-Length: 8') + '12345678'],
    ['a chunked body', head('POST', '/2/x', 'Transfer-Encoding: chunked') + '5\r\n12345\r\n3\r\n678\r\n0\r\n\r\n'],
  ])('%s at its limit passes', async (_what, request) => {
    await using bench = await Bench.open(
      { maxBodySize: 8 },
      { maxFieldLength: 100, maxRequestBytes: 250, urlSegmentMaxLength: 10, urlSegmentMaxCount: 4 },
    )
    using client = await bench.client(request)
    bench.owner.respond((await bench.owner.request()).id, 'served')
    await client.until('served')
  })

  test.each<[what: string, target: string, fields: string[], answer: RegExp]>([
    ['a field', '/2/x', [`A: ${'x'.repeat(98)}`], /^HTTP\/1\.1 431 .*FieldLength: /s],
    ['a head', '/2/x', Array.from({ length: 20 }, () => 'A: 3456789'), /^HTTP\/1\.1 431 .*RequestLength: /s],
    ['a request line', `/2/${'/x'.repeat(150)}`, [], /^HTTP\/1\.1 414 .*URL_Length: /s],
    ['a segment', '/2/23456789012', [], /^HTTP\/1\.1 400 .*URL: /s],
    ['segments', '/2/3/4/5/6', [], /^HTTP\/1\.1 400 .*URL: /s],
  ])(
    '%s beyond the limit of its prefix is refused there alone, and what follows is read as before',
    async (_what, target, fields, answer) => {
      const settings = { maxFieldLength: 100, maxRequestBytes: 250, urlSegmentMaxLength: 10, urlSegmentMaxCount: 4 }
      await using bench = await Bench.open(settings)
      await bench.owner.claim(`http://localhost:${bench.port}/`)
      const body = 'GET /2/body HTTP/1.1\r\nHost: localhost\r\n\r\n'
      const post = (path: string): string => head('POST', path, `Content-Length: ${body.length}`, ...fields) + body
      using client = await bench.client(post(target) + GET)
      const served = await bench.owner.request()
      expect(served.head).toMatch(/^GET \/2\/x /)
      bench.owner.respond(served.id, 'served')
      await client.until('served')
      expect(client.text).toMatch(answer)
      client.write(post(target.replace('/2/', '/9/')))
      const other = await bench.owner.request()
      expect(other).toMatchObject({ head: expect.stringMatching(/^POST \/9\//) as string, body })
    },
  )

  test('a prefix can not have more than the broker lets pass', async () => {
    await using bench = await Bench.open({ maxFieldLength: 1000 }, { maxFieldLength: 100 })
    using client = await bench.client(head('GET', '/2/x', `A: ${'x'.repeat(98)}`))
    expect(await client.untilEnd()).toMatch(/^HTTP\/1\.1 431 .*FieldLength: /s)
  })

  test('0 is as much as there can be', async () => {
    await using bench = await Bench.open({ maxRequestBytes: 0 }, { maxRequestBytes: 0, maxFieldLength: 0 })
    using client = await bench.client(head('GET', '/2/x', `A: ${'x'.repeat(60_000)}`))
    bench.owner.respond((await bench.owner.request()).id, 'served')
    await client.until('served')
    client.write(head('GET', '/2/x', `A: ${'x'.repeat(70_000)}`))
    expect(await client.untilEnd()).toMatch(/RequestLength: /)
  })

  test.each([
    [`/2/${'x'.repeat(260)}`, 200],
    [`/2/${'x'.repeat(261)}`, 400],
    [`/2${'/x'.repeat(254)}`, 200],
    [`/2${'/x'.repeat(255)}`, 400],
  ])('HTTP.SYS’s limits of segments hold unless others are set', async (path, status) => {
    await using bench = await Bench.open({})
    using client = await bench.client(head('GET', path))
    if (status === 200) bench.owner.respond((await bench.owner.request()).id, 'served')
    expect(await client.until('\r\n\r\n')).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  })
})

describe('connections', () => {
  test('of a prefix beyond its limit get 503, until another one ends or goes elsewhere', async () => {
    await using bench = await Bench.open({ maxConnections: 1 })
    await bench.owner.claim(`http://localhost:${bench.port}/other/`)
    const serve = async (client: RawClient, path: string): Promise<void> => {
      client.text = ''
      client.write(head('GET', path))
      bench.owner.respond((await bench.owner.request()).id, `served ${path}`)
      await client.until(`served ${path}`)
    }
    const first = await RawClient.open(bench.port)
    using second = await RawClient.open(bench.port)
    await serve(first, '/2/x')
    await serve(first, '/2/x')
    second.write(GET)
    expect(await second.until('ConnLimit: ')).toMatch(/^HTTP\/1\.1 503 .*Retry-After: 1\r\n/s)
    expect(bench.count('ConnLimit')).toBe(1)
    await serve(second, '/other/')
    await serve(first, '/other/')
    await serve(second, '/2/x')
    second.socket.destroy()
    await expect
      .poll(async () => {
        first.text = ''
        first.write(GET)
        bench.owner.request().then(
          ({ id }) => bench.owner.respond(id, 'served'),
          () => {},
        )
        return (await first.until(/served|ConnLimit/)).includes('served')
      })
      .toBe(true)
    first[Symbol.dispose]()
  })

  test('of the whole server beyond its limit are not let in', async () => {
    await using bench = await Bench.open({}, { maxServerConnections: 1 })
    const first = await bench.client(GET)
    bench.owner.respond((await bench.owner.request()).id, 'served')
    await first.until('served')
    using second = await bench.client(GET)
    expect(await second.untilEnd()).toBe('')
    expect(bench.count('Connections_Refused')).toBe(1)
    first.socket.destroy()
    await expect.poll(() => bench.fixture.broker.status().connections).toBe(0)
    using third = await bench.client(GET)
    bench.owner.respond((await bench.owner.request()).id, 'served')
    await third.until('served')
  })
})

describe('the environment', () => {
  test('sets limits of the server', () => {
    expect(readServerLimits({ HTTPSYS_HEADER_WAIT_TIMEOUT: '5000', HTTPSYS_MAX_REQUEST_BYTES: '' })).toEqual({
      headerWaitTimeout: 5000,
    })
  })

  test.each(['-1', '5s', '70000', 'Infinity'])('a value of %j is refused by its name, with what it may be', (value) => {
    expect(readServerLimits({ HTTPSYS_MAX_REQUEST_BYTES: value })).toEqual({
      reason: expect.stringContaining(`HTTPSYS_MAX_REQUEST_BYTES is '${value}'`) as string,
      remedy: 'Write HTTPSYS_MAX_REQUEST_BYTES=N, N a whole number from 0 to 65535',
    })
  })
})
