import assert from 'node:assert/strict'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import type { NativeBackend } from '../../src/native/native-backend.ts'
import type { QueueController } from '../../src/native/queue-controller.ts'
import { LENGTH_UNKNOWN, RESPONSE_OPAQUE } from '../../src/queue/exchange.ts'
import type { Exchange, ExchangeListener, RequestQueue } from '../../src/queue/exchange.ts'
import { freePort } from '../support/free-port.ts'
import { RawClient } from '../support/raw-client.ts'
import { offsetOf } from './double/golden.ts'
import type { Machine } from './double/machine.ts'
import { PretendedTls } from './double/request-struct.ts'

/** How long a fault may make the backend wait for nothing. What is sound has no limit of time. */
const STUCK_MS = 1500

const CERTIFICATE = Buffer.from('not DER, and not looked into')
const SETTINGS = {
  queueLength: 7,
  entityBodyTimeout: 5000,
  idleConnectionTimeout: 70_000,
  headerWaitTimeout: 9000,
  minSendRate: 300,
  maxConnections: 12,
}
const UPLOAD = Buffer.alloc(200_000, 'upload')

/** Notes what a backend delivers, and lets the exercise wait for it. */
class Recorder implements ExchangeListener {
  readonly requests: Exchange[] = []
  body = Buffer.alloc(0)
  ends = 0
  disconnects = 0
  #wake: () => void = () => {}
  #isCut = false

  onRequest(exchange: Exchange): void {
    this.requests.push(exchange)
    this.#wake()
  }
  onBody(exchange: Exchange, chunk: Buffer): void {
    this.body = Buffer.concat([this.body, chunk])
    exchange.grantBody(chunk.length)
    this.#wake()
  }
  onBodyEnd(): void {
    this.ends++
    this.#wake()
  }
  onDisconnect(exchange: Exchange): void {
    this.disconnects++
    exchange.cancel()
    this.#wake()
  }
  onWritable(): void {}
  onLost(exchange: Exchange): void {
    exchange.cancel()
  }
  onQueueRevoked(): void {}
  onQueueLost(): void {}

  /** The kernel has ended a client's connection. */
  onClientCut(): void {
    this.#isCut = true
    this.#wake()
  }

  async until(isThere: () => boolean): Promise<void> {
    while (!isThere()) {
      if (this.#isCut) throw new Error('a client was cut off')
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  async request(count: number): Promise<Exchange> {
    await this.until(() => this.requests.length >= count)
    return this.requests[count - 1]!
  }
}

interface Scene {
  readonly machine: Machine
  readonly port: number
  readonly recorder: Recorder
  readonly queue: RequestQueue
  readonly clients: RawClient[]
  /** A client that has sent something; it is a fault when Windows ends its connection, unless that is to be. */
  readonly client: (sent: string | Buffer, isToEnd?: boolean) => Promise<RawClient>
}

/**
 * Uses a backend in every way in which it reads or writes a struct of Windows or hands memory over, and checks what comes out at both
 * ends.
 *
 * @returns what went wrong; empty when all is well
 */
export async function exercise(
  backend: NativeBackend,
  makeController: () => QueueController,
  machine: Machine,
  isFaulty: boolean,
): Promise<string[]> {
  const complaints: string[] = []
  const port = await freePort()
  const clients: RawClient[] = []
  const run = async (): Promise<void> => {
    machine.tls.set(port, new PretendedTls(CERTIFICATE, 'shop.example', 0x800b_0101))
    const recorder = new Recorder()
    const prefix = UrlPrefix.parse(`http://localhost:${port}/x/`, SETTINGS)
    const queue = await backend.open(prefix, recorder)
    const client = async (sent: string | Buffer, isToEnd = false): Promise<RawClient> => {
      const opened = await RawClient.open(port)
      clients.push(opened)
      const onCut = (): void => (isToEnd ? undefined : recorder.onClientCut())
      opened.socket.once('end', onCut).once('error', onCut)
      opened.write(sent)
      return opened
    }
    const scene: Scene = { machine, port, recorder, queue, clients, client }
    const controller = makeController()
    const held = controller.hold(UrlPrefix.parse(`http://localhost:${port}/held/`), 'D:(A;;GA;;;NS)')
    assert.ok(machine.queues.get(held)!.admits('NS'))
    controller.release()
    for (const step of STEPS) await step(scene)
    await untilQuiet(machine)
    complaints.push(...machine.inspect())
  }
  const failed = run().catch((error: unknown) => void complaints.push(String(error)))
  await (isFaulty ? Promise.race([failed, firstTrouble(machine, complaints)]) : failed)
  for (const client of clients) client[Symbol.dispose]()
  return complaints
}

/** Resolves when the double has noticed something, or nothing happens any more. */
async function firstTrouble(machine: Machine, complaints: string[]): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, STUCK_MS)
    machine.ledger.onViolation = (violation) => {
      complaints.push(violation)
      clearTimeout(timer)
      resolve()
    }
  })
  if (complaints.length === 0) complaints.push('something never came', ...machine.inspect())
}

/** The last response may still be on its way when the client has it. */
async function untilQuiet(machine: Machine): Promise<void> {
  while (machine.requestCount > 0 || machine.processes.some(({ queueHandles }) => queueHandles.size > 0)) {
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const STEPS: readonly ((scene: Scene) => Promise<void>)[] = [
  async function settingsArrive({ machine }) {
    const [group] = machine.processes[0]!.groups.values()
    const timeouts = group!.properties.get(3)!
    assert.equal(timeouts.readUInt16LE(offsetOf('HTTP_TIMEOUT_LIMIT_INFO', 'EntityBody')), 5)
    assert.equal(timeouts.readUInt16LE(offsetOf('HTTP_TIMEOUT_LIMIT_INFO', 'DrainEntityBody')), 120)
    assert.equal(timeouts.readUInt16LE(offsetOf('HTTP_TIMEOUT_LIMIT_INFO', 'RequestQueue')), 120)
    assert.equal(timeouts.readUInt16LE(offsetOf('HTTP_TIMEOUT_LIMIT_INFO', 'IdleConnection')), 70)
    assert.equal(timeouts.readUInt16LE(offsetOf('HTTP_TIMEOUT_LIMIT_INFO', 'HeaderWait')), 9)
    assert.equal(timeouts.readUInt32LE(offsetOf('HTTP_TIMEOUT_LIMIT_INFO', 'MinSendRate')), 300)
    assert.equal(group!.maxConnections, 12)
    assert.equal([...machine.queues.values()][0]!.length, 7)
  },

  async function headAndResponse({ machine, port, recorder, client }) {
    const before = performance.now()
    const one = await client(
      'BREW /x/a?b=c HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\nX-One: 1\r\nX-Two: two\r\n\r\n',
    )
    const exchange = await recorder.request(1)
    assert.equal(exchange.method, 'BREW')
    assert.equal(exchange.target, '/x/a?b=c')
    assert.equal(`${exchange.majorVersion}.${exchange.minorVersion}`, machine.whims.isMultiplexed ? '2.0' : '1.1')
    assert.equal(exchange.hasBody, false)
    assert.deepEqual(exchange.rawHeaders, ['Accept', 'text/plain', 'Host', 'localhost', 'X-One', '1', 'X-Two', 'two'])
    assert.ok(
      exchange.receivedAt! >= before && exchange.receivedAt! <= performance.now(),
      `received at ${exchange.receivedAt}`,
    )
    const { connection } = exchange
    assert.equal(connection.remoteAddress, machine.whims.isIpv6 ? '::ffff:127.0.0.1' : '127.0.0.1')
    assert.equal(connection.remotePort, one.socket.localPort)
    assert.equal(connection.localPort, port)
    assert.equal(connection.tls?.protocol, 'TLSv1.3')
    assert.equal(connection.tls.authorizationError, 'CERT_HAS_EXPIRED')
    assert.equal(connection.tls.servername, 'shop.example')
    assert.equal(connection.tls.cipher.name, 'TLS_AES_256_GCM_SHA384')
    assert.equal(connection.tls.alpnProtocol, machine.whims.isMultiplexed && 'h2')
    assert.deepEqual(connection.tls.peerCertificates, [CERTIFICATE])
    const fields = 'Content-Type: text/plain\r\nX-Own: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Last: 2\r\n'
    exchange.sendResponse(299, 'Fine Day', fields, 5, 0, 'hello', 'latin1', true)
    await one.until('hello')
    const [line, ...rest] = one.text.split('\r\n')
    assert.equal(line, 'HTTP/1.1 299 Fine Day')
    for (const field of [...fields.trim().split('\r\n'), 'Content-Length: 5']) assert.ok(rest.includes(field), field)
    // A second request of the connection: it is the same one, and is watched from now on.
    one.write('GET /x/2 HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const second = await recorder.request(2)
    assert.equal(second.connection, connection)
    one.socket.resetAndDestroy()
    await recorder.until(() => recorder.disconnects === 1)
  },

  async function smallBody({ recorder, client }) {
    recorder.body = Buffer.alloc(0)
    const one = await client('POST /x/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nsmall')
    const exchange = await recorder.request(3)
    await recorder.until(() => recorder.ends === 1)
    assert.equal(String(recorder.body), 'small')
    exchange.sendResponse(200, '', '', LENGTH_UNKNOWN, 0, 'one', 'latin1', false)
    exchange.sendBody('two', 'latin1', false, '')
    exchange.sendBody(null, null, true, 'X-Trailer: t\r\n')
    await one.until('X-Trailer: t\r\n\r\n')
    assert.match(one.text, /3\r\none\r\n3\r\ntwo\r\n0\r\nX-Trailer: t/)
  },

  async function largeBody({ recorder, client }) {
    recorder.body = Buffer.alloc(0)
    const head = 'POST /x/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n'
    const size = `${UPLOAD.length.toString(16)}\r\n`
    const one = await client(Buffer.concat([Buffer.from(head + size), UPLOAD, Buffer.from('\r\n0\r\n\r\n')]))
    const exchange = await recorder.request(4)
    await recorder.until(() => recorder.ends === 2)
    assert.ok(recorder.body.equals(UPLOAD))
    exchange.sendResponse(200, '', '', UPLOAD.length, 0, UPLOAD, null, true)
    await one.until(String(UPLOAD))
  },

  async function largeHead({ recorder, client }) {
    const one = await client(`GET /x/ HTTP/1.1\r\nHost: localhost\r\nX-Large: ${'l'.repeat(30_000)}\r\n\r\n`)
    const exchange = await recorder.request(5)
    assert.equal(exchange.rawHeaders[exchange.rawHeaders.indexOf('X-Large') + 1]!.length, 30_000)
    exchange.sendResponse(204, '', '', LENGTH_UNKNOWN, 0, null, null, true)
    await one.until('HTTP/1.1 204 No Content\r\n')
  },

  async function cachedResponse({ machine, recorder, client }) {
    const one = await client('GET /x/cached HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const exchange = await recorder.request(6)
    exchange.setCachePolicy(60)
    exchange.sendResponse(200, '', '', 6, 0, 'cached', 'latin1', true)
    await one.until('cached')
    const [cached] = machine.cache.values()
    const seconds = Math.round((cached!.expires - Date.now()) / 1000)
    assert.ok(seconds > 30 && seconds <= 60, `kept for ${seconds} s`)
  },

  async function opaque({ machine, recorder, client }) {
    recorder.body = Buffer.alloc(0)
    if (machine.whims.isMultiplexed) {
      // HTTP/2 has no upgrade.
      await client('GET /x/ HTTP/1.1\r\nHost: localhost\r\n\r\n', true)
      return (await recorder.request(7)).cancel()
    }
    const one = await client('GET /x/ HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n', true)
    const exchange = await recorder.request(7)
    assert.equal(exchange.isUpgrade, true)
    exchange.sendResponse(101, '', 'Upgrade: raw\r\n', LENGTH_UNKNOWN, RESPONSE_OPAQUE, null, null, false)
    await one.until('Connection: Upgrade\r\n')
    // A read is under way when something is sent that needs a block of the same size.
    exchange.sendBody(UPLOAD, null, false, '')
    await one.until(String(UPLOAD))
    one.write('up')
    await recorder.until(() => String(recorder.body) === 'up')
    exchange.cancel()
  },

  async function severalAtOnce({ recorder, client }) {
    const all = await Promise.all(
      Array.from({ length: 5 }, () => client('GET /x/many HTTP/1.1\r\nHost: localhost\r\n\r\n')),
    )
    await recorder.request(12)
    for (const exchange of recorder.requests.slice(7)) {
      exchange.sendResponse(200, '', '', 4, 0, exchange.target.slice(3, 7), 'latin1', true)
    }
    for (const one of all) await one.until('many')
  },

  async function oldVersion({ recorder, client }) {
    const one = await client('GET /x/ HTTP/1.0\r\nHost: localhost\r\n\r\n', true)
    const exchange = await recorder.request(13)
    assert.equal(exchange.minorVersion, 0)
    exchange.sendResponse(200, '', '', 3, 0, 'old', 'latin1', true)
    assert.match(await one.untilEnd(), /old$/)
  },

  async function closing({ machine, recorder, queue, client }) {
    // Windows has given the request to a receive, whose completion is not taken yet, when the queue is shut down.
    const one = await client('GET /x/late HTTP/1.1\r\nHost: localhost\r\n\r\n')
    while (machine.requestCount === 0) await new Promise((resolve) => setImmediate(resolve))
    const closed = queue.shutdown()
    const exchange = await recorder.request(14)
    assert.equal(exchange.target, '/x/late')
    exchange.sendResponse(200, '', '', 4, 0, 'late', 'latin1', true)
    await one.until('late')
    await closed
  },
]
