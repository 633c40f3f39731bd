import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { ResponseReader } from './response-reader.ts'

/** What a connection tells. */
export interface LoadConnectionEvents {
  /** @param since - what `send` was given */
  onAnswer(connection: LoadConnection, status: number, since: number): void
  onFailure(): void
}

/** How often a connection is opened anew before its failures are left at that. */
const MAX_REOPENS = 1_000

/** One keep-alive connection with at most one request under way; opened anew when the server closes it. */
export class LoadConnection {
  /** Bytes received. */
  bytes = 0
  /** Resolves to whether the first connection came about. */
  readonly opened: Promise<boolean>
  readonly #address: { readonly port: number; readonly tls?: boolean }
  readonly #isHead: boolean
  readonly #events: LoadConnectionEvents
  #socket!: Socket
  #since: number | undefined
  #reopens = 0

  constructor(address: { port: number; tls?: boolean }, isHead: boolean, events: LoadConnectionEvents) {
    this.#address = address
    this.#isHead = isHead
    this.#events = events
    this.opened = new Promise((resolve) => this.#open(resolve))
  }

  /** Since when a request waits for its answer; undefined when none does. */
  get waitingSince(): number | undefined {
    return this.#since
  }

  /** Sends a request whose latency counts from `since`. */
  send(request: Buffer, since: number): void {
    this.#since = since
    this.#socket.write(request)
  }

  #open(onOpened: (isOpen: boolean) => void): void {
    const { port, tls } = this.#address
    const options = { port, host: '127.0.0.1' }
    // A certificate of a machine under test is nobody's to trust.
    const socket = tls === true ? connectTls({ ...options, rejectUnauthorized: false }) : connect(options)
    this.#socket = socket
    socket.setNoDelay(true)
    socket.once(tls === true ? 'secureConnect' : 'connect', () => onOpened(true))
    let isClosing = false
    const reader = new ResponseReader(this.#isHead, (status, closes) => {
      if (closes && !isClosing) {
        isClosing = true
        socket.destroy()
        this.#open(() => {})
      }
      this.#answered(status)
    })
    socket.on('data', (data) => {
      this.bytes += data.length
      try {
        reader.push(data)
      } catch {
        this.#events.onFailure()
        socket.destroy()
      }
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      onOpened(false)
      if (isClosing || socket !== this.#socket) return
      if (this.#reopens++ < MAX_REOPENS) this.#open(() => {})
      if (reader.endsWithConnection) return this.#answered(reader.status)
      if (this.#since !== undefined) this.#events.onFailure()
      this.#since = undefined
    })
  }

  #answered(status: number): void {
    const since = this.#since
    if (since === undefined) return
    this.#since = undefined
    this.#events.onAnswer(this, status, since)
  }
}
