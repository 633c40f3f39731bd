import { execFile, fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, vi } from 'vitest'
import type { BrokerStatus } from '../../src/broker/protocol/status.ts'
import { RawClient } from '../support/raw-client.ts'

const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const plainOwner = fileURLToPath(new URL('owners/owner.mjs', import.meta.url))

/** A message of an owner. */
export interface Message {
  readonly kind: string
  readonly [key: string]: unknown
}

/** An owner process. */
export class Owner {
  readonly child: ChildProcess
  readonly messages: Message[] = []
  stderr = ''
  #wake: () => void = () => {}

  constructor(script: string, env: NodeJS.ProcessEnv, prefix: string, mode: string) {
    this.child = fork(script, [prefix, mode], { env, execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    this.child.on('message', (message: Message) => {
      this.messages.push(message)
      this.#wake()
    })
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.child.on('exit', () => this.#wake())
  }

  get pid(): number {
    return this.child.pid!
  }

  /** The next message of a kind, taken out of the list. */
  async next(kind: string): Promise<Message> {
    for (;;) {
      const index = this.messages.findIndex((message) => message.kind === kind)
      if (index !== -1) return this.messages.splice(index, 1)[0]!
      if (this.child.exitCode !== null)
        throw new Error(`the owner exited with ${this.child.exitCode} before ${kind}: ${this.stderr}`)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  tell(command: string): void {
    this.child.send(command)
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const gone = once(this.child, 'exit')
    this.child.kill(signal)
    await gone
  }

  async exit(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit')
    return this.child.exitCode
  }
}

/** Owners and their broker, in a runtime directory and on a port of their own; all are gone when it is disposed. */
export class Site implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'httpsys-e2e-'))
  readonly owners: Owner[] = []
  port = 0
  readonly #script: string
  readonly #env: NodeJS.ProcessEnv
  readonly #scheme: 'http' | 'https'

  /**
   * @param script - what an owner runs
   * @param env - variables of the owners, and of the broker that the first one starts
   */
  constructor(script = plainOwner, env: NodeJS.ProcessEnv = {}, scheme: 'http' | 'https' = 'http') {
    this.#script = script
    this.#env = env
    this.#scheme = scheme
  }

  /** Starts an owner without waiting for it; the variables are for this one alone. */
  start(path: string, mode = 'create', own: NodeJS.ProcessEnv = {}): Owner {
    const env = {
      ...process.env,
      HTTPSYS_RUNTIME_DIR: this.directory,
      HTTPSYS_BASE: `${this.#scheme}://localhost:${this.port}`,
      HTTPSYS_BROKER_IDLE_EXIT: '300',
      ...this.#env,
      ...own,
    }
    const owner = new Owner(this.#script, env, path, mode)
    this.owners.push(owner)
    return owner
  }

  /** Starts an owner and waits until it listens; the first one picks the port. */
  async listen(path: string, mode?: string): Promise<Owner> {
    const owner = this.start(path, mode)
    const { port } = await owner.next('listening')
    this.port = port as number
    return owner
  }

  get base(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** What `httpsys status --json` tells. */
  async status(): Promise<BrokerStatus> {
    return JSON.parse(await this.#httpsys('status', '--json')) as BrokerStatus
  }

  /** Replaces the broker by another one. */
  async upgrade(): Promise<void> {
    await this.#httpsys('upgrade')
  }

  async #httpsys(...args: string[]): Promise<string> {
    const env = { ...process.env, HTTPSYS_RUNTIME_DIR: this.directory }
    return (await promisify(execFile)(process.execPath, [cli, ...args], { env })).stdout
  }

  /** Waits until each thread of the broker has had a client: one that has just been started gets none before it runs. */
  async allThreadsRun(): Promise<void> {
    const { threads } = await this.status()
    const spread = async (): Promise<BrokerStatus['threads']> => {
      const clients: RawClient[] = []
      try {
        for (const _ of threads) {
          const client = await RawClient.open(this.port)
          clients.push(client)
          client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
          await client.until('\r\n\r\n')
        }
        return (await this.status()).threads
      } finally {
        for (const client of clients) client[Symbol.dispose]()
      }
    }
    await expect.poll(spread).toEqual(threads.map(() => ({ connections: 1 })))
    await expect.poll(async () => (await this.status()).connections).toBe(0)
  }

  /** Pids of the broker processes of this runtime directory. */
  brokers(): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        try {
          const isBroker = readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('broker/daemon/main.js')
          return (
            isBroker && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`HTTPSYS_RUNTIME_DIR=${this.directory}\0`)
          )
        } catch {
          return false
        }
      })
      .map(Number)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.owners.map((owner) => owner.kill()))
    // It would leave by itself, once nobody can come back.
    for (const broker of this.brokers()) terminate(broker)
    await vi.waitFor(
      () => {
        if (this.brokers().length > 0) throw new Error('a broker is still there')
      },
      { timeout: 15_000, interval: 20 },
    )
    rmSync(this.directory, { recursive: true, force: true })
  }
}

function terminate(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM')
  } catch {
    // It has left.
  }
}

/** Resident memory of a process in MiB. */
export function residentMebibytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}
