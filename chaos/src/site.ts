import { execFile, fork, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { CONTROL, give } from './orders.ts'
import type { Holdings, Order } from './orders.ts'

const inside = new URL('inside.js', import.meta.url).href
const ownerScript = fileURLToPath(new URL('owner.js', import.meta.url))
export const PREFIXES = ['/1/', '/2/', '/3/', '/4/', '/5/', '/6/', '/7/', '/8/']

/** Enough for the clients and some more, and few enough to be used up. */
const BROKER_DESCRIPTORS = 400
const QUEUE_LENGTH = 50

/** The processes under test, in a runtime directory of their own. */
export class Site {
  readonly directory = mkdtempSync(join(tmpdir(), 'httpsys-chaos-'))
  readonly owners = new Map<string, ChildProcess>()
  readonly port: number
  readonly #control = join(this.directory, 'control')

  private constructor(port: number) {
    this.port = port
    mkdirSync(this.#control)
  }

  /** Starts a broker and an owner for each prefix. */
  static async open(): Promise<Site> {
    const site = new Site(await freePort())
    await site.#startBroker()
    await Promise.all(PREFIXES.map((prefix) => site.start(prefix)))
    return site
  }

  /** Starts an owner and waits until it listens. One that can't since descriptors are used up is started again. */
  async start(prefix: string, mode = 'create'): Promise<void> {
    for (;;) {
      const child = fork(ownerScript, [prefix, mode], {
        env: this.#env(),
        // It counts objects in a way that is not settled yet.
        execArgv: ['--disable-warning=ExperimentalWarning'],
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      })
      const said = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => null)])
      if (said === null) continue
      this.owners.set(prefix, child)
      return
    }
  }

  /** Starts the broker, with few descriptors, before any owner does. */
  async #startBroker(): Promise<void> {
    const main = new URL('../../packages/core/dist/broker/daemon/main.js', import.meta.url)
    const command = `ulimit -n ${BROKER_DESCRIPTORS}; exec "$@"`
    const program = [process.execPath, '--import', inside, fileURLToPath(main)]
    spawn('sh', ['-c', command, 'sh', ...program], { env: this.#env(), stdio: 'ignore' })
    while (this.brokerPid() === undefined) await delay(10)
  }

  #env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      HTTPSYS_RUNTIME_DIR: this.directory,
      [CONTROL]: this.#control,
      HTTPSYS_BASE: `http://localhost:${this.port}`,
      // It waits for its owners, however slow the machine is.
      HTTPSYS_BROKER_IDLE_EXIT: '30000',
      HTTPSYS_QUEUE_LENGTH: String(QUEUE_LENGTH),
      // A new owner comes, however slow the machine is.
      HTTPSYS_HOLD_FOR: '30000',
    }
  }

  /** The local socket that owners connect to. */
  get socketPath(): string | undefined {
    const numbers = readdirSync(this.directory).flatMap((name) => /^broker-(\d+)\.sock$/.exec(name)?.[1] ?? [])
    return numbers.length === 0 ? undefined : join(this.directory, `broker-${Math.max(...numbers.map(Number))}.sock`)
  }

  /** The broker's process, once it can be reached; the youngest, when others still finish what they have. */
  brokerPid(): number | undefined {
    return this.socketPath === undefined ? undefined : this.#brokers().at(-1)
  }

  #brokers(): number[] {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && this.#isBroker(name))
    return pids.map(Number).toSorted((one, other) => one - other)
  }

  #isBroker(pid: string): boolean {
    try {
      const isDaemon = readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('broker/daemon/main.js')
      return isDaemon && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(this.directory)
    } catch {
      // It has just ended.
      return false
    }
  }

  /** Has one of the processes carry out an order, and waits for it. */
  give(pid: number, order: Order): Promise<Holdings | null> {
    return give(this.#control, pid, order)
  }

  /** `httpsys upgrade` */
  async upgradeBroker(): Promise<void> {
    const cli = fileURLToPath(new URL('../../packages/core/dist/cli/main.js', import.meta.url))
    await promisify(execFile)(process.execPath, [cli, 'upgrade'], { env: this.#env() })
  }

  /** Waits until every prefix answers. */
  async serving(): Promise<void> {
    for (const prefix of this.owners.keys()) {
      while (!(await this.#answers(prefix))) await delay(20)
    }
  }

  #answers(prefix: string): Promise<boolean> {
    return new Promise((resolve) => {
      let text = ''
      const socket = connect(this.port, '127.0.0.1')
      socket.on('connect', () =>
        socket.write(`GET ${prefix}?number=0&size=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`),
      )
      socket.on('data', (piece) => (text += piece.toString('latin1')))
      socket.on('error', () => {})
      socket.on('close', () => resolve(text.startsWith('HTTP/1.1 200')))
    })
  }

  /** Ends everything that was started. */
  async close(): Promise<void> {
    for (const owner of this.owners.values()) owner.kill('SIGKILL')
    for (const broker of this.#brokers()) process.kill(broker, 'SIGKILL')
    await delay(100)
    rmSync(this.directory, { recursive: true, force: true })
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
