import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { RequestListener, Server, ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, expect, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { queryStatus } from '../../src/broker/client/query-status.ts'
import type { BrokerStatus } from '../../src/broker/protocol/status.ts'
import { closeServer, listenOn } from '../support/listening.ts'
import { RawClient } from '../support/raw-client.ts'
import { ProgramSite } from './programs.ts'

const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** An app of this process, on `/app/` of a broker that `httpsys serve` runs. */
class ServedSite implements AsyncDisposable {
  readonly server: Server
  port = 0
  readonly #programs: ProgramSite

  private constructor(programs: ProgramSite, listener: RequestListener) {
    this.#programs = programs
    this.server = createServer(listener)
  }

  static async open(flags: readonly string[], listener: RequestListener): Promise<ServedSite> {
    const programs = await ProgramSite.open()
    const site = new ServedSite(programs, listener)
    vi.stubEnv('HTTPSYS_RUNTIME_DIR', programs.directory)
    programs.run([cli, 'serve', ...flags], {})
    await expect.poll(queryStatus).toBeDefined()
    site.port = await listenOn(site.server, '/app/', 0, { responseCache: true })
    return site
  }

  /** Writes this on a connection of its own, and reads what comes until the broker ends it. */
  async tell(text: string): Promise<string> {
    using client = await RawClient.open(this.port)
    client.write(text)
    return await client.untilEnd()
  }

  async status(): Promise<BrokerStatus> {
    return (await queryStatus())!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeServer(this.server)
    // One that has followed the first has its output, which must end.
    process.kill((await this.status()).pid, 'SIGTERM')
    await this.#programs[Symbol.asyncDispose]()
  }
}

afterEach(() => void vi.unstubAllEnvs())

const answer: RequestListener = (_request, response) => void response.end('answered')

function get(path: string, ...fields: string[]): string {
  return [`GET ${path} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...fields, '', ''].join('\r\n')
}

const fields = Array.from({ length: 15 }, (_, index) => `X-${index}: ${'a'.repeat(150)}`)

const FIELD = /^HTTP\/1\.1 431 [^]*\r\n\r\nFieldLength: /
const HEAD = /^HTTP\/1\.1 431 [^]*\r\n\r\nRequestLength: /
const LINE = /^HTTP\/1\.1 414 [^]*\r\n\r\nURL_Length: /
const URL_REFUSED = /^HTTP\/1\.1 400 [^]*\r\n\r\nURL: /

/** Each has a broker of its own, so that nothing but the option can be the reason. */
const ON_THE_WIRE: [option: string, what: string, sent: string, seen: RegExp, reason: string][] = [
  ['--header-wait-timeout=1000', 'half a head', 'GET /app/x HTTP/1.1\r\nHost: ', /^$/, 'Timer_HeaderWait'],
  [
    '--idle-connection-timeout=1000',
    'one request',
    'GET /app/x HTTP/1.1\r\nHost: localhost\r\n\r\n',
    /^HTTP\/1\.1 200 [^]*\r\n\r\nanswered$/,
    'Timer_ConnectionIdle',
  ],
  ['--max-field-length=200', 'a long field', get('/app/x', `X-Long: ${'a'.repeat(200)}`), FIELD, 'FieldLength'],
  ['--max-request-bytes=2000', 'many fields', get('/app/x', ...fields), HEAD, 'RequestLength'],
  ['--max-request-bytes=2000', 'a long target', get(`/app${'/x'.repeat(1000)}`), LINE, 'URL_Length'],
  ['--url-segment-max-length=20', 'a long segment', get(`/app/${'x'.repeat(21)}`), URL_REFUSED, 'URL'],
  ['--url-segment-max-count=5', 'many segments', get('/app/2/3/4/5/6'), URL_REFUSED, 'URL'],
]

test.each(ON_THE_WIRE)('httpsys serve %s and %s', async (option, _what, sent, seen, reason) => {
  await using site = await ServedSite.open([option], answer)
  expect(await site.tell(get('/app/x'))).toMatch(/^HTTP\/1\.1 200 /)
  expect(await site.tell(sent)).toMatch(seen)
  expect((await site.status()).reasons).toEqual({ [reason]: 1 })
})

test('httpsys serve --max-server-connections=1 closes a second connection at once', async () => {
  await using site = await ServedSite.open(['--max-server-connections=1'], answer)
  using first = await RawClient.open(site.port)
  first.write('GET /app/x HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await first.until('answered')
  expect(await site.tell(get('/app/x'))).toBe('')
  expect((await site.status()).reasons).toEqual({ Connections_Refused: 1 })
})

test.each([
  ['--response-cache-bytes=0', 8, 2],
  ['--uri-max-uri-bytes=8', 9, 2],
  ['--uri-max-uri-bytes=8', 8, 1],
])('httpsys serve %s: with a response of %i bytes the app is asked %i times of 2', async (option, length, times) => {
  let asked = 0
  await using site = await ServedSite.open([option], (_request, response) => {
    asked++
    response.cachePolicy = { ttl: 60 }
    response.end('x'.repeat(length))
  })
  for (let count = 0; count < 2; count++)
    expect(await site.tell(get('/app/x'))).toMatch(new RegExp(`\r\n\r\nx{${length}}$`))
  expect(asked).toBe(times)
})

test('httpsys serve --response-cache-wait=0: a request does not wait for the response to another', async () => {
  const held: ServerResponse[] = []
  await using site = await ServedSite.open(['--response-cache-wait=0'], (_request, response) => {
    held.push(response)
  })
  const asked = [site.tell(get('/app/x')), site.tell(get('/app/x'))]
  await expect.poll(() => held.length).toBe(2)
  for (const response of held) response.setHeader('Cache-Control', 'public, max-age=60').end('answered')
  for (const text of await Promise.all(asked)) expect(text).toMatch(/answered$/)
  expect((await site.status()).cache).toMatchObject({ waits: 0 })
})

test('httpsys serve --shutdown-timeout=500: the broker that was replaced closes WebSockets with 1012', async () => {
  await using site = await ServedSite.open(['--shutdown-timeout=500'], answer)
  const sockets = new WebSocketServer({ server: site.server })
  const socket = new WebSocket(`ws://127.0.0.1:${site.port}/app/`)
  const closed = once(socket, 'close')
  await once(socket, 'open')
  await promisify(execFile)(process.execPath, [cli, 'upgrade'])
  expect((await closed)[0]).toBe(1012)
  sockets.close()
})

test('httpsys serve --port: clients are answered before any process has claimed a prefix', async () => {
  await using programs = await ProgramSite.open()
  vi.stubEnv('HTTPSYS_RUNTIME_DIR', programs.directory)
  programs.run([cli, 'serve', '--port', String(programs.port)], {})
  await expect.poll(async () => (await queryStatus())?.ports.map(({ port }) => port)).toEqual([programs.port])
  using client = await RawClient.open(programs.port)
  client.write(get('/app/x'))
  expect(await client.untilEnd()).toMatch(/^HTTP\/1\.1 400 [^]*\r\n\r\nHostname: /)
  expect((await queryStatus())!.reasons).toEqual({ Hostname: 1 })
})
