import type { Duplex } from 'node:stream'
import type { PipeApi, PipeEar } from './win32-api.ts'

/** Processes of one queue that can be asked to leave. */
const MAX_EARS = 64
/** A process that is too busy to answer is not waited for any longer; it leaves when it gets to it. */
const PATIENCE_MS = 5000

/** What an heir writes: others than this user and administrators may connect to a pipe of ours and listen, but not write. */
const LEAVE = 'l'

/** What a process that was asked to leave says: it receives no more, and later that its URLs are about to be free. */
const STOPPED = 's'
const URLS_FREE = 'u'

function earName(stem: string, number: number): string {
  return `${stem}-takeover-${number}`
}

/** A process that has a queue, as far as heirs can ask it to leave: who writes to its pipe is one. */
export class Incumbent {
  #ear: PipeEar | null = null
  #number = -1
  #isClosed = false
  readonly #heirs: Duplex[] = []
  readonly #leave: () => Promise<void>

  /** @param leave - resolves when this process receives no further request */
  constructor(leave: () => Promise<void>) {
    this.#leave = leave
  }

  /** Which of the names is its own; -1 for none. */
  get number(): number {
    return this.#number
  }

  /** Takes the first of the names that is free. Without any it serves all the same, and no heir can ask it. */
  async listen(pipes: PipeApi, stem: string): Promise<void> {
    for (let number = 0; number < MAX_EARS && this.#ear === null && !this.#isClosed; number++) {
      this.#ear = await pipes.listen(earName(stem, number), (caller) => this.#onCall(caller))
      this.#number = number
    }
    if (this.#isClosed) this.#ear?.close()
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

  #onCall(caller: Duplex): void {
    // An heir may go; whether he is told anything is of no matter then.
    caller.on('error', () => {})
    caller.once('data', () => this.#onHeir(caller))
  }

  #onHeir(heir: Duplex): void {
    this.#heirs.push(heir)
    void this.#leave().then(() => heir.writable && heir.write(STOPPED))
  }
}

/**
 * Asks the other processes of a queue to leave it; resolves when they receive no more.
 *
 * @param stem - what the queue's names begin with
 * @param own - the number of this process, which is not asked
 * @param onUrlsFree - one of them is about to give its URLs back, or has died
 */
export async function askToLeave(pipes: PipeApi, stem: string, own: number, onUrlsFree: () => void): Promise<void> {
  const numbers = Array.from({ length: MAX_EARS }, (_, number) => number).filter((number) => number !== own)
  await Promise.all(
    numbers.map(async (number) => {
      const call = await pipes.call(earName(stem, number))
      if (call !== null) await hasStopped(call, onUrlsFree)
    }),
  )
}

function hasStopped(call: Duplex, onUrlsFree: () => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, PATIENCE_MS)
    const done = (): void => {
      clearTimeout(timer)
      resolve()
    }
    call.write(LEAVE)
    call.on('data', (said: Buffer) => {
      if (said.includes(STOPPED)) done()
      if (said.includes(URLS_FREE)) onUrlsFree()
    })
    call.on('close', () => {
      done()
      onUrlsFree()
    })
  })
}
