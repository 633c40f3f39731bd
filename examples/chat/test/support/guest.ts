import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'
import type { ClientOptions } from 'ws'

export interface Frame {
  readonly type: string
  readonly [key: string]: unknown
}

/** Somebody in a room, over WebSocket. */
export class Guest {
  readonly socket: WebSocket
  readonly frames: Frame[] = []
  #wake: () => void = () => {}

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url.replace(/^http/, 'ws'), options)
    this.socket.on('message', (data: Buffer) => {
      this.frames.push(JSON.parse(data.toString('utf8')) as Frame)
      this.#wake()
    })
    this.socket.on('error', () => {})
  }

  /** Somebody who has been welcomed. */
  static async enter(url: string): Promise<Guest> {
    const guest = new Guest(url)
    await guest.next('welcome')
    return guest
  }

  /** The next frame of a type; it and those before it are taken off. */
  async next(type: string): Promise<Frame> {
    for (;;) {
      const index = this.frames.findIndex((frame) => frame.type === type)
      if (index !== -1) return this.frames.splice(0, index + 1).at(-1)!
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  say(frame: unknown): void {
    this.socket.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame))
  }

  [Symbol.dispose](): void {
    this.socket.terminate()
  }
}

/** What a handshake that is refused is answered with. */
export async function refusedHandshake(url: string, options: ClientOptions = {}): Promise<[number, unknown]> {
  const { socket } = new Guest(url, options)
  const [, response] = (await once(socket, 'unexpected-response')) as [ClientRequest, IncomingMessage]
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) body += chunk as string
  return [response.statusCode!, JSON.parse(body)]
}
