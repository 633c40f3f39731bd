import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { TIMEOUT_MS, persist } from './clients.ts'
import type { Answer, Client, Ground } from './clients.ts'
import { contentOf } from './content.ts'

const SIZE = 100

/** Small downloads on one raw connection that is kept: as wrk asks, and every byte compared. */
export class FastClient implements Client {
  readonly #ground: Ground
  readonly #pauseMs: number
  #position: number
  #socket: Socket | undefined
  #received = ''
  #wake: () => void = () => {}

  /** @param pauseMs - between an answer and the next request */
  constructor(ground: Ground, pauseMs: number) {
    this.#ground = ground
    this.#pauseMs = pauseMs
    this.#position = ground.random.integer(0, ground.prefixes.length - 1)
  }

  async step(): Promise<void> {
    const prefix = this.#ground.prefixes[this.#position++ % this.#ground.prefixes.length]!
    await persist(this.#ground.journal, [prefix], true, () => this.#ask(prefix))
    if (this.#pauseMs > 0) await delay(this.#pauseMs)
  }

  close(): void {
    this.#socket?.destroy()
    this.#socket = undefined
  }

  async #ask(prefix: string): Promise<Answer> {
    const body = contentOf(prefix, 1, SIZE).toString('latin1')
    const socket = (this.#socket ??= this.#open())
    this.#received = ''
    socket.write(`GET ${prefix}?number=1&size=${SIZE} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    const deadline = performance.now() + TIMEOUT_MS
    for (;;) {
      const headEnd = this.#received.indexOf('\r\n\r\n')
      const text = this.#received
      if (headEnd !== -1 && (text.length - headEnd - 4 >= SIZE || !text.startsWith('HTTP/1.1 200 '))) {
        if (/^connection: close\r$/im.test(text.slice(0, headEnd + 1))) this.close()
        const isRight = text.includes(`\r\nX-Prefix: ${prefix}\r\n`) && text.slice(headEnd + 4) === body
        return { outcome: isRight ? 'answered' : 'wrong', detail: text.slice(0, 200) }
      }
      if (socket.closed) {
        this.close()
        return { outcome: 'cut', detail: `the connection ended after ${text.length} bytes` }
      }
      if (performance.now() > deadline) {
        this.close()
        return { outcome: 'none', detail: `no answer in ${TIMEOUT_MS} ms` }
      }
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  #open(): Socket {
    const socket = connect(this.#ground.port, '127.0.0.1')
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#received += text
      this.#wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => this.#wake())
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy())
    return socket
  }
}
