import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { vi } from 'vitest'
import { nodeExe, stageDirectory, wineDirectory } from '../../../../tools/wine/directory.ts'

/** How long an owner may take to start, to answer and to leave; Wine itself takes about a second. */
const PATIENCE_MS = 60_000

/** A message of an owner. */
export interface WineMessage {
  readonly kind: string
  readonly [key: string]: unknown
}

/** A program that runs in a genuine node.exe. */
export class WineOwner {
  readonly #child: ChildProcess
  readonly #outputPath: string
  readonly #messages: WineMessage[] = []
  #socket: Socket | undefined
  #wake: () => void = () => {}

  constructor(child: ChildProcess, outputPath: string) {
    this.#child = child
    this.#outputPath = outputPath
    child.on('exit', () => this.#wake())
  }

  /** What the process has written; a file, since node.exe can't write to a pipe of Linux's. */
  get output(): string {
    return readFileSync(this.#outputPath, 'utf8')
  }

  /** The next message of a kind, taken out of the list. */
  async next(kind: string): Promise<WineMessage> {
    const timeout = AbortSignal.timeout(PATIENCE_MS)
    for (;;) {
      const index = this.#messages.findIndex((message) => message.kind === kind)
      if (index !== -1) return this.#messages.splice(index, 1)[0]!
      if (this.#child.exitCode !== null) {
        throw new Error(`the owner exited with ${this.#child.exitCode} before "${kind}":\n${this.output}`)
      }
      if (timeout.aborted) throw new Error(`the owner did not say "${kind}":\n${this.output}`)
      await this.#change(timeout)
    }
  }

  /** Waits until the output matches; for programs that know nothing of the test. */
  async written(pattern: RegExp): Promise<void> {
    await vi.waitFor(
      () => {
        if (this.#child.exitCode !== null) return
        if (!pattern.test(this.output)) throw new Error(`no ${String(pattern)} in ${JSON.stringify(this.output)}`)
      },
      { timeout: PATIENCE_MS, interval: 50 },
    )
    if (!pattern.test(this.output)) throw new Error(`exited with ${this.#child.exitCode}:\n${this.output}`)
  }

  tell(command: string, data: object = {}): void {
    this.#socket!.write(`${JSON.stringify({ command, ...data })}\n`)
  }

  /** Resolves with the exit code. */
  async exit(): Promise<number | null> {
    const timeout = AbortSignal.timeout(PATIENCE_MS)
    while (this.#child.exitCode === null && this.#child.signalCode === null) {
      if (timeout.aborted) throw new Error(`the owner does not exit:\n${this.output}`)
      await this.#change(timeout)
    }
    return this.#child.exitCode
  }

  adopt(socket: Socket): void {
    this.#socket = socket
  }

  onMessage(message: WineMessage): void {
    this.#messages.push(message)
    this.#wake()
  }

  #change(timeout: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      timeout.addEventListener('abort', () => resolve(), { once: true })
    })
  }
}

/**
 * A wineserver of its own, the owners in it, and the port that they share. All of it is gone when disposed: under stock Wine
 * a process that closes its queue takes the listeners of all others with it, so no two tests share one.
 */
export class WineSite implements AsyncDisposable {
  readonly port: number
  readonly #directory = mkdtempSync(join(tmpdir(), 'httpsys-wine-'))
  readonly #control: Server
  readonly #owners = new Map<string, WineOwner>()
  readonly #major: number

  private constructor(major: number, port: number, control: Server) {
    this.#major = major
    this.port = port
    this.#control = control
    control.on('connection', (socket) => this.#onConnection(socket))
  }

  /** @param major - the release of Node that the owners run on */
  static async open(major: number): Promise<WineSite> {
    const control = createServer()
    await once(control.listen(0, '127.0.0.1'), 'listening')
    return new WineSite(major, await freePort(), control)
  }

  get base(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Starts a program of the stage, like `owners/plain.mjs`, without waiting for it. */
  start(script: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): WineOwner {
    const name = `owner-${this.#owners.size}`
    const outputPath = join(this.#directory, `${name}.txt`)
    const output = openSync(outputPath, 'w')
    const child = spawn(wineEnvironment['WINE']!, [nodeExe(this.#major), join(stageDirectory(), script), ...args], {
      cwd: stageDirectory(),
      stdio: ['ignore', output, output],
      env: {
        ...process.env,
        ...wineEnvironment,
        NODE_OPTIONS: '',
        HTTPSYS_BASE: `http://+:${this.port}`,
        HTTPSYS_WINE_CONTROL: String((this.#control.address() as AddressInfo).port),
        HTTPSYS_WINE_OWNER: name,
        ...env,
      },
    })
    closeSync(output)
    const owner = new WineOwner(child, outputPath)
    this.#owners.set(name, owner)
    return owner
  }

  /** Starts a program and waits until it listens. */
  async listen(script: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<WineOwner> {
    const owner = this.start(script, args, env)
    await owner.next('listening')
    return owner
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runWineserver('-k')
    await Promise.all([...this.#owners.values()].map((owner) => owner.exit()))
    this.#control.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #onConnection(socket: Socket): void {
    let owner: WineOwner | undefined
    socket.on('error', () => {})
    createInterface({ input: socket })
      .on('line', (line) => {
        if (owner !== undefined) return owner.onMessage(JSON.parse(line) as WineMessage)
        owner = this.#owners.get(line)
        owner?.adopt(socket)
      })
      .on('error', () => {})
  }
}

const root = `${wineDirectory()}/wine`

/** As in the `env.sh` that the set-up writes. */
const wineEnvironment: NodeJS.ProcessEnv = {
  WINE: `${root}/root/usr/lib/wine/wine64`,
  WINESERVER: `${root}/root/usr/lib/wine/wineserver64`,
  WINEARCH: 'win64',
  WINEPREFIX: `${root}/prefix`,
  WINEDEBUG: '-all',
  WINEDLLOVERRIDES: 'mscoree,mshtml=;winemenubuilder.exe=d',
  DISPLAY: undefined,
  WAYLAND_DISPLAY: undefined,
}

async function runWineserver(option: '-k' | '-w'): Promise<void> {
  const child = spawn(wineEnvironment['WINESERVER']!, [option], {
    stdio: 'ignore',
    env: { ...process.env, ...wineEnvironment },
  })
  await once(child, 'exit')
}

/** Wine's http.sys can't pick a port. */
async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
