import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { contentOf, receiptOf } from './content.ts'
import type { Journal, Outcome } from './journal.ts'
import type { Random } from './random.ts'

/** Longer than any fault lasts, and than requests wait for an owner. */
export const TIMEOUT_MS = 45_000

/** What every client needs. */
export interface Ground {
  readonly port: number
  readonly prefixes: readonly string[]
  readonly random: Random
  readonly journal: Journal
}

/** A kind of client: one request after the other until it is stopped. */
export interface Client {
  step(): Promise<void>
  close(): void
}

/** What came of one attempt. */
export interface Answer {
  /** `wrong`: something that no fault excuses. */
  readonly outcome: Outcome | 'wrong' | 'none'
  readonly detail: string
}

/**
 * Sends the same request until it is answered, as clients do with idempotent ones; gives up when nothing explains a failure.
 *
 * @param prefixes - what happens to any of them may be felt
 */
export async function persist(
  journal: Journal,
  prefixes: readonly string[],
  isIdempotent: boolean,
  attempt: () => Promise<Answer>,
): Promise<void> {
  const { counts } = journal
  counts.sent++
  const first = performance.now()
  for (;;) {
    const start = performance.now()
    const { outcome, detail } = await attempt()
    if (outcome === 'answered') return void counts.answered++
    const what = `${prefixes.join(' ')}: ${detail}`
    if (outcome === 'wrong') return journal.misroute(what)
    if (outcome === 'none' || !journal.isAllowed(outcome, prefixes, start)) return journal.lose(`${outcome}: ${what}`)
    counts[outcome]++
    // Somebody has been told that it failed: that is not lost.
    if (!isIdempotent && outcome === 'cut') return
    if (start - first > TIMEOUT_MS) return journal.lose(`no answer after many tries: ${what}`)
    counts.retried++
    await delay(20)
  }
}

/** Downloads and uploads over node:http, on a connection that is kept. */
export class HttpClient implements Client {
  readonly #ground: Ground
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  #number = 0

  constructor(ground: Ground) {
    this.#ground = ground
  }

  async step(): Promise<void> {
    const prefix = this.#ground.random.pick(this.#ground.prefixes)
    const method = this.#ground.random.pick(['GET', 'GET', 'GET', 'PUT', 'POST'])
    const number = this.#number++
    const size = this.#ground.random.integer(0, this.#ground.random.pick([100, 5000, 200_000, 2_000_000]))
    const body = contentOf(prefix, number, size)
    await persist(this.#ground.journal, [prefix], method !== 'POST', async () => {
      if (method === 'GET')
        return this.#exchange('GET', `${prefix}?number=${number}&size=${size}`, prefix, undefined, body)
      return this.#exchange(method, prefix, prefix, body, Buffer.from(receiptOf(prefix, body)))
    })
  }

  close(): void {
    this.#agent.destroy()
  }

  async #exchange(
    method: string,
    path: string,
    prefix: string,
    sent: Buffer | undefined,
    expected: Buffer,
  ): Promise<Answer> {
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const outgoing = request({ host: '127.0.0.1', port: this.#ground.port, method, path, agent: this.#agent, signal })
    try {
      const half = sent === undefined ? 0 : Math.floor(sent.length / 2)
      if (half > 0) outgoing.write(sent!.subarray(0, half))
      setImmediate(() => outgoing.end(sent?.subarray(half)))
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
      const pieces: Buffer[] = []
      for await (const piece of response) pieces.push(piece as Buffer)
      const answer = judge(response.statusCode!, response.headers, Buffer.concat(pieces), prefix, expected)
      // The broker has kept such a request, and another owner was there for it.
      const isSaved = method !== 'POST' && (sent?.length ?? 0) < 60_000
      return isSaved && response.statusCode === 502 ? { outcome: 'none', detail: answer.detail } : answer
    } catch (error) {
      if (signal.aborted) return { outcome: 'none', detail: `${method} ${path} had no answer in ${TIMEOUT_MS} ms` }
      return { outcome: 'cut', detail: `${method} ${path}: ${(error as Error).message}` }
    }
  }
}

function judge(
  status: number,
  headers: IncomingMessage['headers'],
  body: Buffer,
  prefix: string,
  expected: Buffer,
): Answer {
  const text = `${status} ${body.toString('latin1', 0, 100).trim()}`
  if (status === 503) return { outcome: headers['retry-after'] === undefined ? 'wrong' : 'refused', detail: text }
  if (status === 502) return { outcome: 'cut', detail: text }
  if (status !== 200 || headers['x-prefix'] !== prefix) return { outcome: 'wrong', detail: text }
  return body.equals(expected)
    ? { outcome: 'answered', detail: '' }
    : { outcome: 'wrong', detail: `${body.length} bytes instead of ${expected.length}` }
}

/** Four requests in one write, for four prefixes, on a fresh connection each time. */
export class PipeliningClient implements Client {
  readonly #ground: Ground
  #number = 0

  constructor(ground: Ground) {
    this.#ground = ground
  }

  async step(): Promise<void> {
    const number = this.#number++
    const wanted = Array.from({ length: 4 }, () => this.#ground.random.pick(this.#ground.prefixes))
    const requests = wanted.map((prefix, index) => {
      const last = index === wanted.length - 1 ? 'Connection: close\r\n' : ''
      return `GET ${prefix}?number=${number}&size=500 HTTP/1.1\r\nHost: localhost\r\n${last}\r\n`
    })
    await persist(this.#ground.journal, wanted, true, async () => {
      const text = await this.#send(requests.join(''))
      const answers = [...text.matchAll(/HTTP\/1\.1 (\d{3}) [^\r]*\r\n(?:X-Prefix: (\S+)\r\n)?/g)]
      const detail = `pipelined, got ${answers.map(([, status, prefix]) => `${status} ${prefix ?? ''}`).join(', ')}`
      // In their order, each from its owner or turned away.
      const isKnown = answers.every(([, status, prefix], index) =>
        status === '200' ? prefix === wanted[index] : status === '503',
      )
      if (!isKnown) return { outcome: 'wrong', detail }
      if (answers.some(([, status]) => status === '503')) return { outcome: 'refused', detail }
      const isWhole = wanted.every((prefix) => text.includes(contentOf(prefix, number, 500).toString('latin1')))
      const isComplete = isWhole && answers.length === 4
      return { outcome: isComplete ? 'answered' : 'cut', detail }
    })
  }

  close(): void {}

  #send(text: string): Promise<string> {
    return new Promise((resolve) => {
      let received = ''
      const socket = connect(this.#ground.port, '127.0.0.1')
      socket.setTimeout(TIMEOUT_MS, () => socket.destroy())
      socket.setEncoding('latin1')
      socket.on('connect', () => socket.write(text))
      socket.on('data', (piece: string) => (received += piece))
      socket.on('error', () => {})
      socket.on('close', () => resolve(received))
    })
  }
}

/** Messages that wait for their echo. */
export class ChatClient implements Client {
  readonly #ground: Ground
  #socket: WebSocket | undefined
  #prefix = ''
  #number = 0

  constructor(ground: Ground) {
    this.#ground = ground
  }

  async step(): Promise<void> {
    if (this.#ground.random.next() < 0.05) this.close()
    const number = this.#number++
    this.#prefix ||= this.#ground.random.pick(this.#ground.prefixes)
    await persist(this.#ground.journal, [this.#prefix], true, async () => {
      try {
        const socket = await this.#open()
        const echo = await this.#echo(socket, String(number))
        const isRight = echo === `${this.#prefix} ${number}`
        return { outcome: isRight ? 'answered' : 'wrong', detail: `echo ${echo}` }
      } catch (error) {
        const { message } = error as Error
        return { outcome: message.endsWith('1012') ? 'closed' : 'cut', detail: message }
      }
    })
  }

  close(): void {
    this.#socket?.terminate()
    this.#socket = undefined
    this.#prefix = ''
  }

  async #open(): Promise<WebSocket> {
    if (this.#socket?.readyState === WebSocket.OPEN) return this.#socket
    const socket = new WebSocket(`ws://127.0.0.1:${this.#ground.port}${this.#prefix}`, { handshakeTimeout: TIMEOUT_MS })
    this.#socket = socket
    socket.on('error', () => {})
    await once(socket, 'open')
    return socket
  }

  #echo(socket: WebSocket, text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const onClose = (code: number): void => reject(new Error(`WebSocket closed with ${code}`))
      socket.once('close', onClose)
      socket.once('message', (data: Buffer) => {
        socket.off('close', onClose)
        resolve(data.toString())
      })
      socket.send(text)
    })
  }
}
