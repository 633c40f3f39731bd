import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type {
  Endpoint,
  Engine,
  EngineConnection,
  EngineConnectionHandler,
  EngineListener,
} from '../../../src/broker/engine/engine.ts'
import { NetEngine } from '../../../src/broker/engine/net/net-engine.ts'
import { RING_TIERS } from '../../../src/broker/engine/uring/ring.ts'
import { UringEngine } from '../../../src/broker/engine/uring/uring-engine.ts'

/** The engines that this machine has: io_uring on each kind of ring that the kernel offers. */
export const engines: { readonly name: string; readonly open: () => Engine }[] = [
  { name: 'net', open: () => new NetEngine() },
]
for (const tier of RING_TIERS) {
  const engine = UringEngine.open([tier])
  if (typeof engine === 'string') console.log(`not tested on a ${tier} ring: ${engine}`)
  else engines.push({ name: `uring, ${tier} ring`, open: () => engine })
}

export const LOOPBACK = { kind: 'tcp', host: '127.0.0.1', port: 0, ipv6Only: false } as const

/** What happened on a connection, and the text that came. */
export class Recorder implements EngineConnectionHandler {
  text = ''
  bytes = 0
  hasEnded = false
  closes = 0
  drains = 0
  readonly connection: EngineConnection

  constructor(connection: EngineConnection) {
    this.connection = connection
    connection.handler = this
  }

  onData(bytes: Buffer, start: number, end: number): void {
    this.bytes += end - start
    if (this.text.length < 1_000_000) this.text += bytes.toString('latin1', start, end)
  }
  onEnd(): void {
    this.hasEnded = true
  }
  onDrain(): void {
    this.drains++
  }
  onClose(): void {
    this.closes++
  }
}

/** A listener whose connections are recorded. */
export class Harness implements AsyncDisposable {
  readonly recorders: Recorder[] = []
  readonly listener: EngineListener
  readonly #clients: Socket[] = []

  static async listen(
    engine: Engine,
    endpoint: Endpoint = LOOPBACK,
    record: (connection: EngineConnection) => Recorder = (connection) => new Recorder(connection),
  ): Promise<Harness> {
    const recorders: Recorder[] = []
    const listener = await engine.listen(endpoint, (connection) => recorders.push(record(connection)))
    return new Harness(listener, recorders)
  }

  private constructor(listener: EngineListener, recorders: Recorder[]) {
    this.listener = listener
    this.recorders = recorders
  }

  /** A client and the engine's side of it. */
  async connect(host = '127.0.0.1'): Promise<{ client: Socket; recorder: Recorder }> {
    const client = connect({ port: this.listener.port, host, allowHalfOpen: true })
    this.#clients.push(client)
    client.on('error', () => {})
    await once(client, 'connect')
    const own = (): Recorder | undefined => this.recorders.find((one) => one.connection.remotePort === client.localPort)
    while (own() === undefined) await new Promise(setImmediate)
    return { client, recorder: own()! }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.destroy()
    for (const { connection } of this.recorders) connection.destroy()
    await this.listener.close()
  }
}
