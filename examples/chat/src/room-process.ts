import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Status } from './room-app.ts'
import type { Failure, Report } from './room-server.ts'

const script = fileURLToPath(new URL('room-server.js', import.meta.url))

/** A process that lived this long has not failed at once: its next restart hardly waits. */
const STABLE_MS = 5000
const MIN_DELAY_MS = 100
const MAX_DELAY_MS = 5000
/** One that dies so often before it ever listened will not do better next time. */
const MAX_STILLBIRTHS = 3
/** How long a process may take to finish what is in flight when it is asked to stop. */
const STOP_MS = 5000

/** idle ──▶ starting ──▶ listening ──dies──▶ waiting ──▶ starting; failed and stopped are final */
export type State = 'idle' | 'starting' | 'listening' | 'waiting' | 'failed' | 'stopped'

/** What a room process tells whoever started it. */
export interface Watcher {
  /** State or status are others than before. */
  onChange(): void
  /** The process wrote a line on its output. */
  onLine(line: string): void
}

/** One of the chat's processes: started, watched, and started again when it dies. */
export class RoomProcess {
  readonly number: number
  state: State = 'idle'
  /** Of the last report. */
  status: Status | undefined
  /** Why it could not listen, at its last try. */
  failure: Failure | undefined
  /** What ended it last, in words. */
  lastEnd = ''
  restarts = 0
  /** Milliseconds that it waits before it starts again. */
  delayMs = 0
  /** 0 until it has listened. */
  port = 0
  readonly #env: () => NodeJS.ProcessEnv
  readonly #watcher: Watcher
  #child: ChildProcess | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param env - asked at each start */
  constructor(number: number, env: () => NodeJS.ProcessEnv, watcher: Watcher) {
    this.number = number
    this.#env = env
    this.#watcher = watcher
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  start(): void {
    const startedAt = Date.now()
    const child = fork(script, [String(this.number)], {
      execArgv: [],
      env: this.#env(),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#child = child
    this.failure = undefined
    this.#set('starting')
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => this.#watcher.onLine(line))
    }
    child.on('message', (report: Report) => this.#onReport(report))
    child.on('error', (error) => this.#watcher.onLine(error.message))
    child.on('exit', (code, signal) => {
      this.#child = undefined
      if (this.state === 'stopped') return
      this.lastEnd = this.failure?.message ?? (signal === null ? `exit code ${code}` : `killed by ${signal}`)
      this.#onDeath(Date.now() - startedAt)
    })
  }

  /** Ends the process for good, by force when it does not end by itself or it is urgent; resolves when it is gone. */
  stop(isUrgent = false): Promise<void> {
    clearTimeout(this.#timer)
    this.#set('stopped')
    const child = this.#child
    if (child === undefined) return Promise.resolve()
    if (isUrgent) child.kill('SIGKILL')
    else if (child.connected) child.disconnect()
    this.#timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    return new Promise((resolve) => {
      child.once('exit', () => {
        clearTimeout(this.#timer)
        resolve()
      })
    })
  }

  #onDeath(livedMs: number): void {
    const hasListened = this.port !== 0
    if (!hasListened && (this.failure !== undefined || this.restarts === MAX_STILLBIRTHS)) return this.#set('failed')
    const delay = livedMs > STABLE_MS ? MIN_DELAY_MS : this.delayMs * 2
    this.delayMs = Math.min(MAX_DELAY_MS, Math.max(MIN_DELAY_MS, delay))
    this.restarts++
    this.#timer = setTimeout(() => this.start(), this.delayMs)
    this.#set('waiting')
  }

  #onReport(report: Report): void {
    if (this.state === 'stopped') return
    if (report.kind === 'error') {
      this.failure = report
    } else if (report.kind === 'listening') {
      this.port = report.port
      this.#set('listening')
    } else {
      this.status = report.status
      this.#watcher.onChange()
    }
  }

  #set(state: State): void {
    this.state = state
    if (state !== 'listening') this.status = undefined
    this.#watcher.onChange()
  }
}
