import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'

/** A TCP client that shows every byte. */
export class RawClient implements Disposable {
  readonly socket: Socket
  /** Everything received so far, one byte a character. */
  text = ''
  isEnded = false
  isClosed = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => (this.text += chunk))
    socket.on('end', () => (this.isEnded = true))
    socket.on('close', () => (this.isClosed = true))
    socket.on('error', () => {})
  }

  static async open(port: number, host = '127.0.0.1'): Promise<RawClient> {
    const socket = connect({ port, host, noDelay: true, allowHalfOpen: true })
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  write(text: string | Uint8Array): void {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
  }

  /** Resolves when what has been received contains the text, or matches; rejects when the connection closes before. */
  async until(pattern: string | RegExp): Promise<string> {
    const isThere = (): boolean => (typeof pattern === 'string' ? this.text.includes(pattern) : pattern.test(this.text))
    while (!isThere()) {
      if (this.isClosed || this.isEnded) throw new Error(`closed after ${JSON.stringify(this.text)}`)
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'end'), once(this.socket, 'close')])
    }
    return this.text
  }

  /** Resolves with everything received once the server has ended its side or the connection is gone. */
  async untilEnd(): Promise<string> {
    while (!this.isEnded && !this.isClosed) {
      await Promise.race([once(this.socket, 'end'), once(this.socket, 'close')])
    }
    return this.text
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}
