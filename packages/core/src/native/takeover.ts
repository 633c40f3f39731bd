import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PipeApi, PipeEar } from './win32-api.ts'

/** Processes of one queue that can be asked to leave. */
const MAX_EARS = 64
/** A process that is too busy to answer is not waited for any longer; it leaves when it gets to it. */
const PATIENCE_MS = 5000
/** Until a process that has hung up is called again. */
const RETRY_MS = 50
/** Whoever may connect must not fill the process's memory: who says nothing is dropped, and sooner when others come. */
const MAX_SILENT = 64
const SILENCE_MS = 1000

/** What an heir writes: others than this user and administrators may connect to a pipe of ours and listen, but not write. */
const LEAVE = /^leave to (-1|\d{1,2}) of (\d{1,40})$/

/** What a process that was asked to leave says: it receives no more, and later that its URLs are about to be free; or that it came later. */
const STOPPED = 's'
const URLS_FREE = 'u'
const STAYS = 'n'

function earName(stem: string, number: number): string {
  return `${stem}-takeover-${number}`
}

/** Who took over last stays. The clock is the machine's, the same in all processes. */
function newRank(): bigint {
  return (process.hrtime.bigint() << 32n) + BigInt(process.pid)
}

/** What an {@link Incumbent} needs of whoever has the queue. */
export interface IncumbentHome {
  readonly pipes: PipeApi
  /** What the queue's names begin with. */
  readonly stem: string
  /** Resolves when this process receives no further request. */
  readonly leave: () => Promise<void>
  /** Another process that was asked to leave is about to give its URLs back, or has died. */
  readonly onUrlsFree: () => void
}

/** A process that has a queue, as far as it asks others to leave, and heirs it: who writes to its pipe is one. */
export class Incumbent {
  readonly #home: IncumbentHome
  #ear: PipeEar | null = null
  #number = -1
  #listening: Promise<void> | null = null
  #isClosed = false
  /** Who only attaches leaves for everybody. */
  #rank = 0n
  #takingOver: Promise<void> | null = null
  readonly #silent = new Set<Duplex>()
  readonly #heirs: Duplex[] = []

  constructor(home: IncumbentHome) {
    this.#home = home
  }

  /** Takes the first of the names that is free. Without any it serves all the same, and no heir can ask it. */
  listen(): Promise<void> {
    this.#listening ??= this.#listen()
    return this.#listening
  }

  /** Asks the other processes of the queue to leave it; resolves when they receive no more. */
  takeOver(): Promise<void> {
    this.#rank = newRank()
    this.#takingOver = this.#takeOver()
    return this.#takingOver
  }

  /** Called right before the URLs are given back. */
  announceUrls(): void {
    for (const heir of this.#heirs.splice(0)) heir.end(URLS_FREE)
  }

  /** Nobody can ask it any more; what was promised is kept. */
  close(): void {
    this.#isClosed = true
    this.#ear?.close()
    this.#ear = null
  }

  async #listen(): Promise<void> {
    const { pipes, stem } = this.#home
    for (let number = 0; number < MAX_EARS && this.#ear === null && !this.#isClosed; number++) {
      this.#ear = await pipes.listen(earName(stem, number), (caller) => this.#onCall(caller))
      if (this.#ear !== null) this.#number = number
    }
    if (this.#isClosed) this.#ear?.close()
  }

  /** Of two that do so at once the later one may find the other before that one can be called: it is found by it then. */
  async #takeOver(): Promise<void> {
    await this.listen()
    if (this.#isClosed) return
    const numbers = Array.from({ length: MAX_EARS }, (_, number) => number)
    await this.#sendAway(numbers.filter((number) => number !== this.#number))
  }

  async #sendAway(numbers: readonly number[]): Promise<void> {
    let isOver = false
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise((resolve) => (timer = setTimeout(resolve, PATIENCE_MS)))
    const asking = numbers.map((number) => this.#askToLeave(number, () => isOver))
    await Promise.race([patience, Promise.all(asking)])
    isOver = true
    clearTimeout(timer)
  }

  async #askToLeave(number: number, isOver: () => boolean): Promise<void> {
    const { pipes, stem, onUrlsFree } = this.#home
    for (;;) {
      const call = await pipes.call(earName(stem, number))
      if (call === null) return
      call.write(`leave to ${this.#number} of ${this.#rank}`)
      if ((await hasStopped(call, onUrlsFree)) || isOver()) return
      // It has died, or strangers had it drop the call.
      await sleep(RETRY_MS)
    }
  }

  #onCall(caller: Duplex): void {
    const [eldest] = this.#silent
    if (this.#silent.size === MAX_SILENT) eldest!.destroy()
    const timer = setTimeout(() => caller.destroy(), SILENCE_MS).unref()
    const forget = (): void => {
      clearTimeout(timer)
      this.#silent.delete(caller)
    }
    this.#silent.add(caller)
    // An heir may go; whether he is told anything is of no matter then.
    caller.on('error', () => {})
    caller.once('close', forget)
    caller.once('data', (said: Buffer) => {
      forget()
      // So little arrives in one piece.
      const [, number, rank] = LEAVE.exec(said.toString('latin1')) ?? []
      if (rank === undefined) caller.destroy()
      else void this.#onHeir(caller, Number(number), BigInt(rank))
    })
  }

  async #onHeir(heir: Duplex, number: number, rank: bigint): Promise<void> {
    if (rank <= this.#rank) {
      heir.end(STAYS)
      // It could not be called yet when this process took over. What it is told is not enough: a stranger may have the name and say so.
      if (rank < this.#rank && number >= 0) await this.#sendAway([number])
      return
    }
    this.#heirs.push(heir)
    // An app hears that it has the prefix before it hears that it has lost it.
    await this.#takingOver
    await this.#home.leave()
    if (heir.writable) heir.write(STOPPED)
  }
}

/** Whether it says so before it hangs up. */
function hasStopped(call: Duplex, onUrlsFree: () => void): Promise<boolean> {
  return new Promise((resolve) => {
    call.on('data', (said: Buffer) => {
      if (said.includes(STOPPED) || said.includes(STAYS)) resolve(true)
      if (said.includes(URLS_FREE)) onUrlsFree()
    })
    call.on('close', () => {
      resolve(false)
      onUrlsFree()
    })
  })
}
