/** The part of autocannon that the load generator uses; the package ships no types. */
declare module 'autocannon' {
  interface Request {
    readonly method: string
    readonly path: string
  }
  interface Client {
    setRequests(requests: Request[]): void
  }
  interface Result {
    readonly requests: { readonly total: number }
    /** Seconds. */
    readonly duration: number
    /** Milliseconds. */
    readonly latency: { readonly p50: number; readonly p99: number }
    readonly non2xx: number
    /** Socket errors and time-outs. */
    readonly errors: number
  }
  export default function autocannon(options: {
    readonly url: string
    readonly connections: number
    /** Seconds. */
    readonly duration: number
    readonly requests: Request[]
    readonly setupClient: (client: Client) => void
  }): Promise<Result>
}
