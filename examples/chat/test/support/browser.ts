import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

/** Debian's name, then others. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

/** The Chromium that is installed; undefined when there is none. */
export const chromium = NAMES.find((name) => spawnSync(name, ['--version']).error === undefined)

interface Reply {
  readonly id?: number
  readonly method?: string
  readonly params: Record<string, unknown>
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

/** What the browser says of a WebSocket's handshake. */
export interface Handshake {
  readonly status: number
}

/**
 * A page in Chromium without a window, which is told what to do over the DevTools protocol, on two pipes.
 *
 * @see https://chromedevtools.github.io/devtools-protocol/
 */
export class Page implements AsyncDisposable {
  /** Of the WebSockets that the page has opened. */
  readonly handshakes: Handshake[] = []
  readonly #directory = mkdtempSync(join(tmpdir(), 'httpsys-chromium-'))
  readonly #child: ChildProcess
  readonly #commands: Writable
  readonly #waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>()
  #session: string | undefined
  #lastId = 0
  #text = ''

  private constructor(trustedKey: string) {
    const args = [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--remote-debugging-pipe',
      `--user-data-dir=${this.#directory}`,
      `--ignore-certificate-errors-spki-list=${trustedKey}`,
    ]
    // What it writes on its own standard output and error is of no interest; commands are on 3, answers on 4.
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] as const
    this.#child = spawn(chromium!, args, { stdio: [...stdio], detached: true })
    this.#commands = this.#child.stdio[3] as Writable
    this.#commands.on('error', () => {})
    const replies = this.#child.stdio[4] as Readable
    replies.setEncoding('utf8').on('data', (text: string) => this.#onText(text))
    replies.on('close', () => {
      for (const waiting of this.#waiting.values()) waiting.reject(new Error('Chromium has ended'))
    })
  }

  /** @param trustedKey - the one public key, SHA-256 of its SPKI in base64, that needs no authority */
  static async open(trustedKey: string): Promise<Page> {
    const page = new Page(trustedKey)
    const { targetId } = await page.#ask<{ targetId: string }>('Target.createTarget', { url: 'about:blank' })
    const attach = { targetId, flatten: true }
    page.#session = (await page.#ask<{ sessionId: string }>('Target.attachToTarget', attach)).sessionId
    await page.#ask('Network.enable')
    return page
  }

  /** @throws Error when nothing could be loaded, for want of trust for instance */
  async goto(url: string): Promise<void> {
    const { errorText } = await this.#ask<{ errorText?: string }>('Page.navigate', { url })
    if (errorText !== undefined) throw new Error(errorText)
  }

  /** The value of an expression in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const options = { expression, awaitPromise: true, returnByValue: true }
    const answer = await this.#ask<{ result: { value: unknown } }>('Runtime.evaluate', options)
    return answer.result.value
  }

  /** Types text into what has the focus, and Enter. */
  async type(text: string): Promise<void> {
    await this.#ask('Input.insertText', { text })
    const enter = { key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13, text: '\r' }
    for (const type of ['keyDown', 'keyUp']) await this.#ask('Input.dispatchKeyEvent', { type, ...enter })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = once(this.#child, 'exit')
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      // Its helpers are of its group.
      process.kill(-this.#child.pid!, 'SIGKILL')
      await gone
    }
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 10 })
  }

  #ask<Result>(method: string, params: object = {}): Promise<Result> {
    const id = ++this.#lastId
    this.#commands.write(`${JSON.stringify({ id, method, params, sessionId: this.#session })}\0`)
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: (result) => resolve(result as Result), reject })
    })
  }

  #onText(text: string): void {
    const messages = (this.#text + text).split('\0')
    this.#text = messages.pop()!
    for (const message of messages) this.#onMessage(JSON.parse(message) as Reply)
  }

  #onMessage({ id, method, params, result, error }: Reply): void {
    if (method === 'Network.webSocketHandshakeResponseReceived') this.handshakes.push(params['response'] as Handshake)
    const waiting = this.#waiting.get(id ?? 0)
    if (waiting === undefined) return
    this.#waiting.delete(id!)
    if (error === undefined) waiting.resolve(result)
    else waiting.reject(new Error(error.message))
  }
}
