import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { ContractClient, ContractRequest, ContractResponse } from '../../src/queue/contract-harness.ts'

/** The contract's client on a TCP connection of its own; reads responses by itself, so that nothing else stands between. */
export class WireClient implements ContractClient {
  readonly #socket: Socket
  readonly #isChunked: boolean
  #bytes = Buffer.alloc(0)
  #isClosed = false
  #isEnded = false

  private constructor(socket: Socket, isChunked: boolean) {
    this.#socket = socket
    this.#isChunked = isChunked
    socket.on('data', (chunk: Buffer) => (this.#bytes = Buffer.concat([this.#bytes, chunk])))
    socket.on('end', () => (this.#isEnded = true))
    socket.on('close', () => (this.#isClosed = true))
    socket.on('error', () => {})
  }

  static async send(port: number, { path, method = 'GET', headers = {}, body }: ContractRequest): Promise<WireClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
    const client = new WireClient(socket, body === 'chunked')
    const framing =
      body === undefined ? [] : body === 'chunked' ? ['Transfer-Encoding: chunked'] : [`Content-Length: ${body}`]
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    socket.write(
      [`${method} ${path} HTTP/1.1`, `Host: localhost:${port}`, ...fields, ...framing, '', ''].join('\r\n'),
      'latin1',
    )
    return client
  }

  write(bytes: Buffer): void {
    if (this.#isChunked) this.#socket.write(`${bytes.length.toString(16)}\r\n`)
    this.#socket.write(bytes)
    if (this.#isChunked) this.#socket.write('\r\n')
  }

  end(): void {
    if (this.#isChunked) this.#socket.write('0\r\n\r\n')
    else if (this.#read().status === 101) this.#socket.end()
  }

  abort(): void {
    this.#socket.resetAndDestroy()
  }

  setReading(isReading: boolean): void {
    if (isReading) this.#socket.resume()
    else this.#socket.pause()
  }

  async response(until: Parameters<ContractClient['response']>[0]): Promise<ContractResponse> {
    for (;;) {
      const state = this.#read()
      const isEnough =
        (until.head === true && state.status > 0) ||
        (until.bytes !== undefined && state.body.length >= until.bytes) ||
        (until.informational !== undefined && state.informational.length >= until.informational)
      if (isEnough || state.isComplete || state.isBroken) return state
      // A reset is an 'error', after which 'close' follows.
      await Promise.race(['data', 'end', 'close'].map((event) => once(this.#socket, event).catch(() => {})))
    }
  }

  #read(): ContractResponse {
    const informational: number[] = []
    let rest = this.#bytes
    for (;;) {
      const end = rest.indexOf('\r\n\r\n')
      const isOver = this.#isEnded || this.#isClosed
      const none = {
        status: 0,
        reason: '',
        headers: {},
        informational,
        body: Buffer.alloc(0),
        isComplete: false,
        isBroken: isOver,
      }
      if (end === -1) return none
      const [line, ...fields] = rest.toString('latin1', 0, end).split('\r\n')
      const [, code, reason = ''] = /^HTTP\/1\.1 (\d{3}) (.*)$/.exec(line!)!
      rest = rest.subarray(end + 4)
      const status = Number(code)
      if (status < 200 && status !== 101) {
        informational.push(status)
        continue
      }
      const headers: Record<string, string> = {}
      for (const field of fields) {
        const [name, value] = field.split(/: (.*)/)
        headers[name!.toLowerCase()] = value!
      }
      const { body, isComplete } = status === 101 ? { body: rest, isComplete: this.#isEnded } : bodyOf(headers, rest)
      return { status, reason, headers, informational, body, isComplete, isBroken: !isComplete && isOver }
    }
  }
}

function bodyOf(headers: Record<string, string>, bytes: Buffer): { body: Buffer; isComplete: boolean } {
  const length = headers['content-length']
  if (length !== undefined) return { body: bytes, isComplete: bytes.length === Number(length) }
  const pieces: Buffer[] = []
  for (let position = 0; ;) {
    const lineEnd = bytes.indexOf('\r\n', position)
    if (lineEnd === -1) return { body: Buffer.concat(pieces), isComplete: false }
    const size = parseInt(bytes.toString('latin1', position, lineEnd), 16)
    if (size === 0) return { body: Buffer.concat(pieces), isComplete: true }
    pieces.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size))
    position = lineEnd + 4 + size
  }
}
