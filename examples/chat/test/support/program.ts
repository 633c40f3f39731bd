import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Status } from '../../src/room-app.ts'

/** A program of the chat, running from dist/, with what it has printed and a runtime directory of its own. */
export class Program {
  readonly child: ChildProcess
  readonly env: NodeJS.ProcessEnv
  text = ''
  readonly #directory = mkdtempSync(join(tmpdir(), 'httpsys-chat-'))
  #wake: () => void = () => {}

  constructor(script: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    const path = fileURLToPath(new URL(`../../dist/${script}`, import.meta.url))
    const own = { HTTPSYS_RUNTIME_DIR: this.#directory, HTTPSYS_BROKER_IDLE_EXIT: '200' }
    const { PORT: _port, HTTPSYS_BASE: _base, ...rest } = process.env
    this.env = { ...rest, ...own, ...env }
    this.child = spawn(process.execPath, [path, ...args], { env: this.env })
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        this.text += chunk
        this.#wake()
      })
    }
    this.child.on('exit', () => this.#wake())
  }

  /** Waits until the program has printed something. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.text)
      if (match !== null) return match
      if (this.#hasEnded) throw new Error(`ended before it printed ${pattern}: ${this.text}`)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  /** Its exit code, null when a signal ended it. */
  async exit(): Promise<number | null> {
    if (!this.#hasEnded) await once(this.child, 'close')
    return this.child.exitCode
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (!this.#hasEnded) this.child.kill(signal)
    return this.exit()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    // Its broker may be writing down its last claims.
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 10 })
  }

  get #hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }
}

/** What `/status` answers: more than the process reports to its launcher. */
export interface StatusAnswer extends Status {
  readonly list: readonly { name: string; people: number; messages: number }[]
}

export async function statusAt(base: string): Promise<StatusAnswer> {
  return (await (await fetch(`${base}status`)).json()) as StatusAnswer
}
