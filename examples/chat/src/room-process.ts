import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Status } from './room-app.ts'
import type { Report } from './room-server.ts'

const script = fileURLToPath(new URL('room-server.js', import.meta.url))

/** A process that lived this long has not failed at once: its next restart does not wait. */
const STABLE_MS = 5000
const MAX_DELAY_MS = 5000

/** starting ──▶ listening ──dies──▶ waiting ──▶ starting; failed and stopped are final */
export type State = 'starting' | 'listening' | 'waiting' | 'failed' | 'stopped'

/** One of the chat's processes: started, watched, and started again when it dies. */
export class RoomProcess {
  readonly number: number
  state: State = 'starting'
  /** Of the last report. */
  status: Status | undefined
  /** Why it can't run, in state `failed`. */
  failure = ''
  restarts = 0
  port = 0
  readonly #onChange: () => void
  #child: ChildProcess | undefined
  #timer: NodeJS.Timeout | undefined
  #delayMs = 0

  constructor(number: number, onChange: () => void) {
    this.number = number
    this.#onChange = onChange
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  start(): void {
    const startedAt = Date.now()
    const child = fork(script, [String(this.number)], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.#child = child
    this.#set('starting')
    child.on('message', (report: Report) => this.#onReport(report))
    child.on('exit', () => {
      this.#child = undefined
      if (this.state === 'failed') this.#onChange()
      else if (this.state === 'stopped') this.#onChange()
      else this.#restart(Date.now() - startedAt)
    })
  }

  /** Ends the process; resolves when it is gone. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    clearTimeout(this.#timer)
    this.#set('stopped')
    const child = this.#child
    if (child === undefined) return Promise.resolve()
    child.kill(signal)
    return new Promise((resolve) => child.once('exit', () => resolve()))
  }

  #restart(livedMs: number): void {
    this.#delayMs = livedMs > STABLE_MS ? 0 : Math.min(MAX_DELAY_MS, this.#delayMs * 2 || 100)
    this.restarts++
    this.#set('waiting')
    this.#timer = setTimeout(() => this.start(), this.#delayMs)
  }

  #onReport(report: Report): void {
    if (this.state === 'stopped') return
    if (report.kind === 'error') {
      this.failure = report.message
      this.#set('failed')
    } else if (report.kind === 'listening') {
      this.port = report.port
      this.#set('listening')
    } else {
      this.status = report.status
      this.#onChange()
    }
  }

  #set(state: State): void {
    this.state = state
    if (state !== 'listening') this.status = undefined
    this.#onChange()
  }
}
