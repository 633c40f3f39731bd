import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { Site } from './processes.ts'

/** A program that was started as its user would, with everything it prints. */
export class Program {
  readonly child: ChildProcess
  output = ''
  errors = ''
  readonly #exit: Promise<unknown[]>

  constructor(args: readonly string[], env: NodeJS.ProcessEnv, program = process.execPath) {
    this.child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.child.stdout!.on('data', (chunk: Buffer) => (this.output += chunk.toString()))
    this.child.stderr!.on('data', (chunk: Buffer) => (this.errors += chunk.toString()))
    this.#exit = once(this.child, 'close')
  }

  async ready(): Promise<void> {
    await expect.poll(() => this.output || this.child.exitCode, { timeout: 60_000, interval: 10 }).toMatch(/ready/)
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal)
    return this.exit()
  }

  async exit(): Promise<number | null> {
    await this.#exit
    return this.child.exitCode
  }
}

/** A runtime directory and a port of its own for programs; all are gone when it is disposed. */
export class ProgramSite extends Site {
  readonly #programs: Program[] = []

  static async open(): Promise<ProgramSite> {
    const site = new ProgramSite()
    site.port = await freePort()
    return site
  }

  run(args: readonly string[], env: NodeJS.ProcessEnv, command = process.execPath): Program {
    const all = {
      ...process.env,
      HTTPSYS_RUNTIME_DIR: this.directory,
      HTTPSYS_BASE: `http://localhost:${this.port}`,
      HTTPSYS_BROKER_IDLE_EXIT: '300',
      ...env,
    }
    const program = new Program(args, all, command)
    this.#programs.push(program)
    return program
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs) await program.end('SIGKILL')
    await super[Symbol.asyncDispose]()
  }
}
