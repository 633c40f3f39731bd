import { latin1 } from '../base/latin1.ts'
import { HttpSysError } from '../base/errors.ts'
import { LENGTH_UNKNOWN, RESPONSE_CLOSE, RESPONSE_OPAQUE } from '../queue/exchange.ts'
import type { Exchange } from '../queue/exchange.ts'

/** A head longer than this is no head. */
const MAX_HEAD_BYTES = 64 * 1024

const FRAMING_FIELD = /^(?:connection|keep-alive|proxy-connection|transfer-encoding|content-length)$/i

/**
 * A response that an app writes as text on the socket, as it must after `'upgrade'`: the head is read back and sent as such,
 * since framing belongs to the backend.
 */
export class RawResponse {
  /** A 101 has been sent: from here on the connection carries bytes. */
  isOpaque = false
  readonly #exchange: Exchange
  #head: Buffer | null = Buffer.alloc(0)

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  /**
   * Takes what the app writes; returns whether the queue has room for more.
   *
   * @throws HttpSysError `EINVAL` when the text is no response head.
   */
  write(chunk: Buffer): boolean {
    if (this.#head === null) return this.#exchange.sendBody(chunk, null, false, '')
    const bytes = Buffer.concat([this.#head, chunk])
    const end = bytes.indexOf('\r\n\r\n')
    if (end === -1) {
      if (bytes.length > MAX_HEAD_BYTES) throw malformed('it does not end')
      this.#head = bytes
      return true
    }
    this.#head = null
    return this.#sendHead(latin1(bytes, 0, end + 2), bytes.subarray(end + 4))
  }

  /** The app has ended its side. */
  end(): void {
    if (this.#head === null) this.#exchange.sendBody(null, null, true, '')
    else this.#exchange.cancel()
  }

  #sendHead(head: string, rest: Buffer): boolean {
    const lines = head.split('\r\n')
    const status = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(lines[0]!)
    if (status === null) throw malformed(`it begins with ${JSON.stringify(lines[0])}`)
    const code = Number(status[1])
    let fields = ''
    let contentLength = LENGTH_UNKNOWN
    for (const line of lines.slice(1, -1)) {
      const colon = line.indexOf(':')
      if (colon < 1) throw malformed(`${JSON.stringify(line)} is no header field`)
      const name = line.slice(0, colon)
      const value = line.slice(colon + 1).trim()
      if (/^content-length$/i.test(name) && /^\d{1,15}$/.test(value)) contentLength = Number(value)
      if (!FRAMING_FIELD.test(name)) fields += `${name}: ${value}\r\n`
    }
    this.isOpaque = code === 101
    // The app speaks for itself on this connection, so nothing that follows may be taken for another response.
    const flags = this.isOpaque ? RESPONSE_OPAQUE : RESPONSE_CLOSE
    const chunk = rest.length > 0 ? rest : null
    const exchange = this.#exchange
    const hasRoom = exchange.sendResponse(code, status[2] ?? '', fields, contentLength, flags, chunk, null, false)
    // What is written on a socket leaves at once, whatever becomes of the socket in the same turn.
    exchange.commit()
    return hasRoom
  }
}

function malformed(reason: string): HttpSysError {
  return new HttpSysError({
    code: 'EINVAL',
    syscall: 'write',
    subject: 'response head',
    reason: `what was written on the socket is no HTTP/1.1 response head: ${reason}`,
    remedy: 'Write a complete head first, or use the ServerResponse.',
  })
}
