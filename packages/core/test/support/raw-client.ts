import { once } from 'node:events'
import { connect } from 'node:net'
import type { NetConnectOpts, Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'

/** A client, of TCP or TLS, that shows every byte. */
export class RawClient implements Disposable {
  readonly socket: Socket
  /** Everything received so far, one byte a character. */
  text = ''
  isEnded = false
  isClosed = false

  #wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      this.text += chunk
      this.#wake()
    })
    socket.on('end', () => {
      this.isEnded = true
      this.#wake()
    })
    socket.on('close', () => {
      this.isClosed = true
      this.#wake()
    })
    socket.on('error', () => {})
  }

  static async open(port: number, host = '127.0.0.1'): Promise<RawClient> {
    const socket = connect({ port, host, noDelay: true, allowHalfOpen: true })
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  /** @param ca - the authority that signed the certificate of `localhost` */
  static async openSecure(port: number, ca: string): Promise<RawClient> {
    const options: ConnectionOptions & NetConnectOpts = {
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca,
      allowHalfOpen: true,
    }
    const socket = connectTls(options)
    await once(socket, 'secureConnect')
    return new RawClient(socket)
  }

  write(text: string | Uint8Array): void {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
  }

  /** Resolves when what has been received contains the text `count` times, or matches; rejects when the connection ends before. */
  async until(pattern: string | RegExp, count = 1): Promise<string> {
    const isThere = (): boolean =>
      typeof pattern === 'string' ? this.text.split(pattern).length > count : pattern.test(this.text)
    while (!isThere()) {
      if (this.isClosed || this.isEnded) throw new Error(`closed after ${JSON.stringify(this.text)}`)
      await this.#change()
    }
    return this.text
  }

  /** Resolves with everything received once the server has ended its side or the connection is gone. */
  async untilEnd(): Promise<string> {
    while (!this.isEnded && !this.isClosed) await this.#change()
    return this.text
  }

  #change(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve))
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}
