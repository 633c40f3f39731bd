import { describe, test } from 'vitest'
import { queueContract } from '../../src/queue/contract.ts'
import type { ContractClient, ContractRequest, ContractResponse } from '../../src/queue/contract-harness.ts'
import { MemoryBackend } from '../../src/queue/memory-queue.ts'
import type { MemoryExchange } from '../../src/queue/memory-queue.ts'

/** The contract's client on method calls. */
class MemoryClient implements ContractClient {
  readonly #exchange: MemoryExchange
  #wake: () => void = () => {}

  constructor(exchange: MemoryExchange) {
    this.#exchange = exchange
    exchange.onProgress = () => this.#wake()
  }

  write(bytes: Buffer): void {
    this.#exchange.write(bytes)
  }

  end(): void {
    this.#exchange.end()
  }

  abort(): void {
    this.#exchange.disconnect('reset')
  }

  setReading(isReading: boolean): void {
    this.#exchange.setReading(isReading)
  }

  async response(until: Parameters<ContractClient['response']>[0]): Promise<ContractResponse> {
    const { received } = this.#exchange
    for (;;) {
      const size = received.body.reduce((total, piece) => total + piece.length, 0)
      if (received.isBroken || received.isComplete) break
      if (until.head && received.status > 0) break
      if (until.bytes !== undefined && size >= until.bytes) break
      if (until.informational !== undefined && received.informational.length >= until.informational) break
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    const lines = received.fields.split('\r\n').filter((line) => line !== '')
    return {
      ...received,
      headers: Object.fromEntries(lines.map((line) => [line.split(': ')[0]!.toLowerCase(), line.split(': ')[1]!])),
      informational: received.informational.map(({ status }) => status),
      body: Buffer.concat(received.body),
    }
  }
}

describe('MemoryQueue', () => {
  for (const { name, run } of queueContract) {
    test(name, async () => {
      const backend = new MemoryBackend()
      const send = ({ path, method = 'GET', headers = {}, body }: ContractRequest): Promise<ContractClient> => {
        const rawHeaders = ['Host', 'localhost', ...Object.entries(headers).flat()]
        const exchange = backend.request({ method, target: path, rawHeaders, hasBody: body !== undefined })
        if (exchange === null) throw new Error(`no prefix for ${path}`)
        return Promise.resolve(new MemoryClient(exchange))
      }
      await run({ open: backend.open, base: 'http://localhost:8080', send })
    })
  }
})
