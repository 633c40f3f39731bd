import { connect, createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import type { PipeApi, PipeEar } from './win32-api.ts'

const nothing = (): void => {}

/** Named pipes through Node, none of which keeps the process alive. Those of one user are open to that user and administrators. */
export class NamedPipes implements PipeApi {
  readonly #pathOf: (name: string) => string

  /** @param pathOf - what Node calls the pipe of a name */
  constructor(pathOf: (name: string) => string) {
    this.#pathOf = pathOf
  }

  listen(name: string, onCall: (call: Duplex) => void): Promise<PipeEar | null> {
    return new Promise((resolve) => {
      const server = createServer((call) => onCall(call.unref())).unref()
      // Once it listens, it only fails to accept somebody; that one sees it on his side.
      server.on('error', () => resolve(null))
      server.listen({ path: this.#pathOf(name) }, () => resolve({ close: () => server.close(nothing) }))
    })
  }

  call(name: string): Promise<Duplex | null> {
    return new Promise((resolve) => {
      const call = connect({ path: this.#pathOf(name) }).unref()
      call.on('connect', () => resolve(call)).on('error', () => resolve(null))
    })
  }
}
