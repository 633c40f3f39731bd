import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { queryStatus } from '../../src/broker/client/query-status.ts'
import { UringEngine } from '../../src/broker/engine/uring/uring-engine.ts'
import { Http2Client } from '../support/http2-client.ts'
import { END_STREAM, FrameClient, HEADERS, block, frame, get } from '../support/http2-frames.ts'
import { certifyEverywhere } from '../support/pki.ts'
import { RawClient } from '../support/raw-client.ts'
import { Site } from './processes.ts'
import type { Owner } from './processes.ts'

/** Of the broker, from the environment of the process that starts it. */
const BROKER = {
  HTTPSYS_HEADER_WAIT_TIMEOUT: '1000',
  HTTPSYS_IDLE_CONNECTION_TIMEOUT: '1000',
  HTTPSYS_MAX_FIELD_LENGTH: '200',
  HTTPSYS_MAX_REQUEST_BYTES: '2000',
  HTTPSYS_URL_SEGMENT_MAX_LENGTH: '20',
  HTTPSYS_URL_SEGMENT_MAX_COUNT: '5',
}
/** Of a prefix, from the environment of its owner. */
const PREFIX = {
  HTTPSYS_ENTITY_BODY_TIMEOUT: '1000',
  HTTPSYS_DRAIN_ENTITY_BODY_TIMEOUT: '1000',
  HTTPSYS_MIN_SEND_RATE: '100000',
  HTTPSYS_MAX_BODY_SIZE: '1000',
  HTTPSYS_QUEUE_LENGTH: '1',
  HTTPSYS_REQUEST_QUEUE_TIMEOUT: '1000',
  HTTPSYS_HOLD_FOR: '60000',
}

/** Of a prefix whose broker has the defaults, from the environment of its owner. */
const OWN = {
  HTTPSYS_HEADER_WAIT_TIMEOUT: '1000',
  HTTPSYS_IDLE_CONNECTION_TIMEOUT: '1000',
  HTTPSYS_MAX_FIELD_LENGTH: '200',
  HTTPSYS_MAX_REQUEST_BYTES: '2000',
  HTTPSYS_URL_SEGMENT_MAX_LENGTH: '20',
  HTTPSYS_URL_SEGMENT_MAX_COUNT: '5',
  HTTPSYS_MAX_BODY_SIZE: '1000',
}

interface Request {
  readonly path: string
  readonly fields?: Readonly<Record<string, string>>
  readonly body?: string
}

/** What a client is told; status 0 when connection or stream break without an answer. */
interface Answer {
  readonly status: number
  readonly text: string
}

/** A client's connection. */
interface Wire extends AsyncDisposable {
  /** Without `isWhole` the body has no end. */
  ask(request: Request, isWhole?: boolean): Promise<Answer>
}

class Http1Wire implements Wire {
  readonly client: RawClient

  constructor(client: RawClient) {
    this.client = client
  }

  async ask({ path, fields = {}, body }: Request): Promise<Answer> {
    const { client } = this
    client.text = ''
    const isChunked = body !== undefined && fields['content-length'] === undefined
    const all = { host: 'localhost', ...fields, ...(isChunked ? { 'transfer-encoding': 'chunked' } : {}) }
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
    client.write(`${body === undefined ? 'GET' : 'POST'} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
    if (body !== undefined) client.write(isChunked ? `${body.length.toString(16)}\r\n${body}\r\n` : body)
    try {
      const head = await client.until('\r\n\r\n')
      const start = head.indexOf('\r\n\r\n') + 4
      const length = Number(/content-length: (\d+)/i.exec(head)![1])
      await client.until(new RegExp(`\r\n\r\n[^]{${length}}`))
      return { status: Number(head.slice(9, 12)), text: client.text.slice(start) }
    } catch {
      return { status: 0, text: client.text }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]()
  }
}

class Http2Wire implements Wire {
  readonly client: Http2Client

  constructor(client: Http2Client) {
    this.client = client
  }

  async ask({ path, fields = {}, body }: Request): Promise<Answer> {
    const method = body === undefined ? 'GET' : 'POST'
    const response = this.client.begin({ ':method': method, ':path': path, ...fields }, body !== undefined)
    if (body !== undefined) response.stream.write(body)
    await response.until(() => response.isEnded)
    return { status: response.status, text: response.text }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.client[Symbol.asyncDispose]()
  }
}

/** A broker with apps on a port without TLS and on one with it, each with an app of one connection beside. */
class LimitedSite extends Site {
  readonly ca = certifyEverywhere(this.directory).cert
  readonly ports = { http: 0, https: 0 }
  readonly apps: Owner[] = []

  /**
   * @param broker - variables of the process that starts the broker; the others do not have them
   * @param prefix - of the owners of `/app/`
   */
  async open(broker: NodeJS.ProcessEnv, prefix: NodeJS.ProcessEnv = PREFIX): Promise<void> {
    for (const scheme of ['http', 'https'] as const) {
      const first = this.start(`${scheme}://localhost:0/one/`, 'create', { ...broker, HTTPSYS_MAX_CONNECTIONS: '1' })
      this.ports[scheme] = (await first.next('listening'))['port'] as number
      const app = this.start(`${scheme}://localhost:${this.ports[scheme]}/app/`, 'create', prefix)
      await app.next('listening')
      this.apps.push(app)
    }
  }

  async count(reason: string): Promise<number> {
    return (await queryStatus())!.reasons[reason] ?? 0
  }
}

type Opener = (site: LimitedSite) => Promise<Wire>

const wires: [name: string, open: Opener][] = [
  ['HTTP/1.1', async ({ ports }) => new Http1Wire(await RawClient.open(ports.http))],
  ['HTTP/1.1 over TLS', async ({ ports, ca }) => new Http1Wire(await RawClient.openSecure(ports.https, ca))],
  ['HTTP/2', async ({ ports, ca }) => new Http2Wire(await Http2Client.open(ports.https, ca))],
]

const TOO_LARGE: [what: string, request: Request, status: number, reason: string][] = [
  ['a field', { path: '/app/x', fields: { 'x-a': 'a'.repeat(300) } }, 431, 'FieldLength'],
  [
    'a head',
    { path: '/app/x', fields: Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`x-${i}`, 'a'.repeat(150)])) },
    431,
    'RequestLength',
  ],
  ['a request line', { path: `/app${'/x'.repeat(1000)}` }, 414, 'URL_Length'],
  ['a segment', { path: `/app/${'x'.repeat(21)}` }, 400, 'URL'],
  ['segments', { path: '/app/2/3/4/5/6' }, 400, 'URL'],
  [
    'a body of known length',
    { path: '/app/upload', fields: { 'content-length': '1001' }, body: 'x' },
    413,
    'EntityTooLarge',
  ],
  ['a body without length', { path: '/app/upload', body: 'x'.repeat(1001) }, 413, 'EntityTooLarge'],
]

const hasUring = process.env['HTTPSYS_ENGINE'] !== 'net' && typeof UringEngine.open() !== 'string'
const runs: [name: string, env: NodeJS.ProcessEnv, isHad: boolean][] = [
  ['on io_uring', { HTTPSYS_ENGINE: 'uring', HTTPSYS_BROKER_THREADS: '1' }, hasUring],
  ['on node:net', { HTTPSYS_ENGINE: 'net' }, true],
  ['in three threads', { HTTPSYS_ENGINE: 'uring', HTTPSYS_BROKER_THREADS: '3' }, hasUring],
]

for (const [run, env, isHad] of runs) {
  describe.skipIf(!isHad)(`limits from the environment, ${run}`, () => {
    let site: LimitedSite

    beforeAll(async () => {
      site = new LimitedSite(undefined, env)
      vi.stubEnv('HTTPSYS_RUNTIME_DIR', site.directory)
      await site.open(BROKER)
    })
    afterAll(async () => {
      vi.unstubAllEnvs()
      await site[Symbol.asyncDispose]()
    })

    describe.each(wires)('over %s', (_wire, open) => {
      test.each(TOO_LARGE)('%s that is too large is refused and counted', async (_what, request, status, reason) => {
        await using wire = await open(site)
        const before = await site.count(reason)
        const answer = await wire.ask(request)
        expect(answer).toEqual({ status, text: expect.stringMatching(new RegExp(`^${reason}: `)) as string })
        expect(await site.count(reason)).toBe(before + 1)
      })

      test('a connection more than a prefix may have is turned away', async () => {
        const before = await site.count('ConnLimit')
        await using first = await open(site)
        await expect.poll(async () => (await first.ask({ path: '/one/x' })).status).toBe(200)
        await using second = await open(site)
        const answer = await second.ask({ path: '/one/x' })
        expect(answer).toEqual({ status: 503, text: expect.stringMatching(/^ConnLimit: /) as string })
        expect(await site.count('ConnLimit')).toBeGreaterThan(before)
        expect((await second.ask({ path: '/app/x' })).status).toBe(200)
      })
    })

    test('times that run out end connections and streams, and are counted', async () => {
      const upload = { path: '/app/upload', fields: { 'content-length': '500' }, body: 'half' }
      const bodyStops = wires.map(async ([, open]) => {
        await using wire = await open(site)
        expect(await wire.ask(upload)).toEqual({ status: 0, text: '' })
      })
      const others = wires.map(async ([name, open]) => {
        await using wire = await open(site)
        expect((await wire.ask({ path: '/app/x' })).status).toBe(200)
        if (wire instanceof Http1Wire) return void (await wire.client.untilEnd())
        const { session } = (wire as Http2Wire).client
        await new Promise((resolve) => session.on('close', resolve))
        expect(name).toBe('HTTP/2')
      })
      const plain = [await RawClient.open(site.ports.http), await RawClient.openSecure(site.ports.https, site.ca)]
      const heads = plain.map(async (client) => {
        client.write('GET /app/x HTTP/1.1\r\nHost: ')
        expect(await client.untilEnd()).toBe('')
      })
      // HTTP/2 has no timer of its own for it: without a request the connection is idle.
      using half = await FrameClient.open(site.ports.https, site.ca)
      half.send(frame(HEADERS, END_STREAM, 1, block(...get('/app/x'))))
      const rests = [await RawClient.open(site.ports.http), await RawClient.openSecure(site.ports.https, site.ca)]
      const drains = rests.map(async (client) => {
        client.write('POST /app/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n')
        await client.until('owner ')
        const drip = setInterval(() => client.write('x'), 100)
        await client.untilEnd()
        clearInterval(drip)
      })
      await using unread = await Http2Client.open(site.ports.https, site.ca)
      unread.begin({ ':path': '/app/download/64' }).stream.pause()
      const stopped = [await RawClient.open(site.ports.http), await RawClient.openSecure(site.ports.https, site.ca)]
      for (const client of stopped) {
        client.write('GET /app/download/64 HTTP/1.1\r\nHost: localhost\r\n\r\n')
        client.socket.pause()
      }
      await Promise.all([...bodyStops, ...others, ...heads, ...drains])
      await expect.poll(() => site.count('Timer_MinBytesPerSecond'), { timeout: 20_000 }).toBe(3)
      await expect.poll(() => half.isClosed, { timeout: 20_000 }).toBe(true)
      for (const client of [...plain, ...rests, ...stopped]) client[Symbol.dispose]()
      // A body that stops, over each; the rest of one that nobody wants, which HTTP/2 ends with the response.
      expect(await site.count('Timer_EntityBody')).toBe(5)
      expect(await site.count('Timer_HeaderWait')).toBe(2)
      expect(await site.count('Timer_ConnectionIdle')).toBeGreaterThanOrEqual(4)
    })

    test('what waits for an owner is bounded in number and time', async () => {
      await Promise.all(site.apps.map((app) => app.kill()))
      for (const [, open] of wires) {
        await using first = await open(site)
        await using second = await open(site)
        const waits = first.ask({ path: '/app/x' })
        const waiting = async (): Promise<number> => {
          return (await queryStatus())!.queues.reduce((sum, queue) => sum + queue.waiting, 0)
        }
        await expect.poll(waiting).toBe(1)
        const full = await second.ask({ path: '/app/x' })
        expect(full).toEqual({ status: 503, text: expect.stringMatching(/^QueueFull: /) as string })
        expect(await waits).toEqual({ status: 503, text: expect.stringMatching(/^Timer_ReqQueue: /) as string })
      }
      expect(await site.count('QueueFull')).toBe(3)
      expect(await site.count('Timer_ReqQueue')).toBe(3)
    })
  })

  test.skipIf(!isHad)(`the environment of an owner limits what comes to its prefix alone, ${run}`, async () => {
    await using site = new LimitedSite(undefined, { ...env, HTTPSYS_HOLD_FOR: '0' })
    vi.stubEnv('HTTPSYS_RUNTIME_DIR', site.directory)
    await site.open({}, OWN)
    // Whatever the broker itself lets pass.
    const requestLine: Request = { path: `/app${`/${'x'.repeat(250)}`.repeat(10)}` }
    for (const [, open] of wires) {
      for (const [what, asked, status, reason] of TOO_LARGE) {
        const request = what === 'a request line' ? requestLine : asked
        await using wire = await open(site)
        const answer = await wire.ask(request)
        expect(answer).toEqual({ status, text: expect.stringMatching(new RegExp(`^${reason}: `)) as string })
        if (request.body !== undefined) continue
        await using other = await open(site)
        expect((await other.ask({ ...request, path: request.path.replace('/app', '/one') })).status).toBe(200)
      }
    }
    const open = async (path: string): Promise<RawClient> => {
      const client = await RawClient.open(site.ports.http)
      client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      await client.until('owner ')
      return client
    }
    using other = await open('/one/x')
    using idle = await open('/app/x')
    using slow = await open('/app/x')
    slow.write('GET /')
    other.write('GET /')
    await Promise.all([idle.untilEnd(), slow.untilEnd()])
    expect([await site.count('Timer_ConnectionIdle'), await site.count('Timer_HeaderWait')]).toEqual([1, 1])
    expect(other.isEnded).toBe(false)
    vi.unstubAllEnvs()
  })

  test.skipIf(!isHad)(`a connection more than the whole broker may have is closed at once, ${run}`, async () => {
    await using site = new LimitedSite(undefined, env)
    vi.stubEnv('HTTPSYS_RUNTIME_DIR', site.directory)
    await site.open({ HTTPSYS_MAX_SERVER_CONNECTIONS: '2' })
    await using plain = new Http1Wire(await RawClient.open(site.ports.http))
    await using secure = new Http2Wire(await Http2Client.open(site.ports.https, site.ca))
    for (const wire of [plain, secure]) expect((await wire.ask({ path: '/app/x' })).status).toBe(200)
    using third = await RawClient.open(site.ports.http)
    expect(await third.untilEnd()).toBe('')
    await expect(RawClient.openSecure(site.ports.https, site.ca)).rejects.toThrow()
    expect(await site.count('Connections_Refused')).toBe(2)
    vi.unstubAllEnvs()
  })
}
