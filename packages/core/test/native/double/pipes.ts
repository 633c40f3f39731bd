import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { NamedPipes } from '../../../src/native/named-pipes.ts'
import type { PipeApi, PipeEar } from '../../../src/native/win32-api.ts'

let machines = 0

/** Named pipes of a machine, over what this system has in their place. */
export function machinePipes(): PipeApi {
  const machine = `${process.pid}-${++machines}`
  return new NamedPipes((name) => {
    // Paths of sockets are short on some systems.
    const file = `httpsys-double-${machine}-${createHash('sha256').update(name).digest('hex').slice(0, 12)}`
    return process.platform === 'win32' ? `\\\\.\\pipe\\${file}` : join(tmpdir(), file)
  })
}

/** The pipes of one process of a machine: they end with it. */
export class ProcessPipes implements PipeApi {
  readonly #pipes: PipeApi
  readonly #ears = new Map<PipeEar, string>()
  readonly #calls = new Set<Duplex>()
  readonly #taken = new Set<Duplex>()

  constructor(pipes: PipeApi) {
    this.#pipes = pipes
  }

  /** Names that are listened at. */
  get listening(): string[] {
    return [...this.#ears.values()]
  }

  /** Calls of others that are open. */
  get taken(): number {
    return this.#taken.size
  }

  async listen(name: string, onCall: (call: Duplex) => void): Promise<PipeEar | null> {
    const ear = await this.#pipes.listen(name, (call) => {
      this.#taken.add(call)
      call.once('close', () => this.#taken.delete(call))
      onCall(this.#keep(call))
    })
    if (ear === null) return null
    const kept: PipeEar = {
      close: () => {
        ear.close()
        this.#ears.delete(kept)
      },
    }
    this.#ears.set(kept, name)
    return kept
  }

  async call(name: string): Promise<Duplex | null> {
    const call = await this.#pipes.call(name)
    return call === null ? null : this.#keep(call)
  }

  /** The process dies. */
  kill(): void {
    for (const ear of this.#ears.keys()) ear.close()
    for (const call of this.#calls) call.destroy()
  }

  #keep(call: Duplex): Duplex {
    this.#calls.add(call)
    call.once('close', () => this.#calls.delete(call))
    return call
  }
}
