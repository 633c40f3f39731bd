import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { BrokerStatus } from '../../src/broker/protocol/status.ts'
import { Http2Client } from '../support/http2-client.ts'
import { freePort } from '../support/free-port.ts'
import { certifyEverywhere, store } from '../support/pki.ts'
import type { Pki } from '../support/pki.ts'
import { Site } from './processes.ts'

const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
/** node:net gives no connection to another thread. */
const hasThreads = process.platform === 'linux' && process.env['HTTPSYS_ENGINE'] !== 'net'

/** Owners on a port with TLS, and its clients. */
class SecureSite extends Site {
  readonly threads: number
  readonly pki: Pki
  readonly #sockets: TLSSocket[] = []
  readonly #clients: Http2Client[] = []

  constructor(threads: number) {
    super(undefined, { HTTPSYS_BROKER_THREADS: String(threads) }, 'https')
    this.threads = threads
    this.pki = certifyEverywhere(this.directory)
  }

  /** A connection whose handshake is over; without ALPN it speaks HTTP/1.1. */
  async connect(options: ConnectionOptions = {}): Promise<TLSSocket> {
    const at = { port: this.port, host: '127.0.0.1', servername: 'localhost', ca: this.pki.cert }
    const socket = connect({ ...at, ...options })
    this.#sockets.push(socket)
    await once(socket, 'secureConnect')
    return socket
  }

  /** A session of HTTP/2. */
  async client(): Promise<Http2Client> {
    const client = await Http2Client.open(this.port, this.pki.cert)
    this.#clients.push(client)
    return client
  }

  /** Connections, each thread with as many of them as any other. */
  async spread<T>(each: number, open: () => Promise<T>): Promise<T[]> {
    await this.#allRun()
    const opened: T[] = []
    for (let count = 0; count < each * this.threads; count++) opened.push(await open())
    expect(await this.connectionsByThread()).toEqual(Array<number>(this.threads).fill(each))
    return opened
  }

  /** Waits until each thread has had a client: one that has just been started gets none before it runs. */
  async #allRun(): Promise<void> {
    const spread = async (): Promise<number[]> => {
      const sockets = await Promise.all(Array.from({ length: this.threads }, () => this.connect()))
      const connections = await this.connectionsByThread()
      for (const socket of sockets) socket.destroy()
      await expect.poll(() => this.connectionsByThread()).toEqual(Array(this.threads).fill(0))
      return connections
    }
    await expect.poll(spread).toEqual(Array(this.threads).fill(1))
  }

  async connectionsByThread(): Promise<number[]> {
    const status = JSON.parse(await this.run('status', '--json')) as BrokerStatus
    return status.threads.map(({ connections }) => connections)
  }

  async run(...args: string[]): Promise<string> {
    const env = { ...process.env, HTTPSYS_RUNTIME_DIR: this.directory }
    return (await promisify(execFile)(process.execPath, [cli, ...args], { env })).stdout
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    for (const client of this.#clients) await client[Symbol.asyncDispose]()
    await super[Symbol.asyncDispose]()
  }
}

/** What a request over HTTP/1.1 is answered. */
async function ask(socket: TLSSocket, path: string): Promise<string> {
  let text = ''
  const onData = (chunk: Buffer): void => void (text += chunk.toString('latin1'))
  socket.on('data', onData)
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  while (!/owner \S+ \S+$/.test(text)) await once(socket, 'data')
  socket.off('data', onData)
  return text
}

/** At a port that the first owner picks there is one socket, at another one for each thread. */
const kinds = [
  { threads: 1, port: 'that an owner picks' },
  { threads: 3, port: 'that an owner picks' },
  { threads: 3, port: 'of its own' },
].slice(0, hasThreads ? 3 : 1)

describe.each(kinds)('TLS of a broker with $threads threads, at a port $port', ({ threads, port }) => {
  async function open(): Promise<SecureSite> {
    const site = new SecureSite(threads)
    if (port === 'of its own') site.port = await freePort()
    return site
  }

  test('shares its clients out, of both protocols, and gives each request to the owner of its prefix', async () => {
    await using site = await open()
    for (const path of ['/1/', '/2/']) await site.listen(path)
    const sockets = await site.spread(2, () => site.connect())
    for (const socket of sockets) {
      for (const path of ['/1/', '/2/']) expect(await ask(socket, `${path}x`)).toContain(`owner ${path} ${path}x`)
      socket.destroy()
    }
    const clients = await site.spread(2, () => site.client())
    await Promise.all(
      clients.flatMap((client) =>
        ['/1/', '/2/'].map(async (path) =>
          expect((await client.fetch({ ':path': `${path}x` })).text).toBe(`owner ${path} ${path}x`),
        ),
      ),
    )
  })

  test('resumes in each of them what was begun in any', async () => {
    await using site = await open()
    await site.listen('/1/')
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const sessions: Buffer[] = []
      const firsts = await site.spread(1, async () => {
        const socket = connect({
          port: site.port,
          host: '127.0.0.1',
          ca: site.pki.cert,
          servername: 'localhost',
          maxVersion,
        })
        const [session] = (await once(socket, 'session')) as [Buffer]
        sessions.push(session)
        return socket
      })
      for (const socket of firsts) socket.destroy()
      for (const session of sessions) {
        const resumed = await site.spread(1, () => site.connect({ session, maxVersion }))
        expect(resumed.map((socket) => socket.isSessionReused())).toEqual(Array(threads).fill(true))
        for (const socket of resumed) socket.destroy()
      }
    }
  })

  test('knows of a take-over in all of them from the moment in which the newcomer listens', async () => {
    await using site = await open()
    await site.listen('/1/')
    const clients = await site.spread(1, () => site.client())
    for (let turn = 0; turn < 3; turn++) {
      const newcomer = await site.listen('/1/', 'takeover')
      for (const client of clients) {
        expect((await client.fetch({ ':path': '/1/x' })).headers['x-pid']).toBe(String(newcomer.pid))
      }
    }
  })

  test('shows a renewed certificate in all of them, and goes on with the connections that are open', async () => {
    await using site = await open()
    await site.listen('/1/')
    const before = await site.spread(1, () => site.connect())
    store(site.directory, 'localhost', site.pki.server('localhost'))
    const [old] = before.map((socket) => socket.getPeerCertificate().serialNumber)
    const shown = async (): Promise<string[]> => {
      const sockets = await Promise.all(Array.from({ length: threads }, () => site.connect()))
      const serials = sockets.map((socket) => socket.getPeerCertificate().serialNumber)
      for (const socket of sockets) socket.destroy()
      await expect.poll(() => site.connectionsByThread()).toEqual(Array(threads).fill(1))
      return serials
    }
    await expect.poll(shown).not.toContain(old)
    for (const socket of before) expect(await ask(socket, '/1/x')).toContain('owner /1/ /1/x')
  })

  test('finishes handshakes that have begun when the broker is replaced', async () => {
    await using site = await open()
    await site.listen('/1/')
    for (const socket of await site.spread(1, () => site.connect())) socket.destroy()
    // All at once, since a handshake may take ten seconds.
    const begun = Array.from({ length: 2 * threads }, () => connectTcp(site.port, '127.0.0.1'))
    await Promise.all(begun.map((socket) => once(socket, 'connect')))
    await site.run('upgrade')
    const secured = await Promise.all(begun.map((socket) => site.connect({ socket })))
    for (const socket of secured) {
      const answer = await ask(socket, '/1/x')
      expect(answer).toContain('owner /1/ /1/x')
      // The broker that has been replaced waits for nothing else of them.
      expect(answer).toMatch(/^Connection: close\r$/m)
    }
  })
})
