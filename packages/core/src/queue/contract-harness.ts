import type { OpenQueue } from './exchange.ts'

/** A client's view of one request; the methods behave as a client on the wire. */
export interface ContractClient {
  write(bytes: Buffer): void
  end(): void
  /** Breaks the connection. */
  abort(): void
  setReading(isReading: boolean): void
  /** Resolves when this much of the response has arrived, or it is complete, or the connection is broken. */
  response(until: {
    bytes?: number
    informational?: number
    head?: boolean
    complete?: boolean
  }): Promise<ContractResponse>
}

/** What a client has received so far. */
export interface ContractResponse {
  readonly status: number
  readonly reason: string
  /** Lower-case names; several values of one name are joined with `, `. */
  readonly headers: Record<string, string>
  readonly informational: number[]
  readonly body: Buffer
  readonly isComplete: boolean
  readonly isBroken: boolean
}

/** A request that a client sends. */
export interface ContractRequest {
  readonly path: string
  readonly method?: string
  readonly headers?: Record<string, string>
  /** The client will send a body with `write` and `end`, of this many bytes or of a length not known before. */
  readonly body?: number | 'chunked'
}

/** How the suite reaches a backend. */
export interface ContractHarness {
  readonly open: OpenQueue
  /** `scheme://host:port` that prefixes are put on. */
  readonly base: string
  send(request: ContractRequest): Promise<ContractClient>
}

/** One behaviour that every backend must show. */
export interface ContractCase {
  readonly name: string
  readonly run: (harness: ContractHarness) => Promise<void>
}
