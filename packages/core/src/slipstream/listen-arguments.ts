/** A call of `listen` that asks for a TCP port. */
export interface PortListen {
  readonly port: number
  /** undefined: every address. */
  readonly host: string | undefined
  readonly signal: AbortSignal | undefined
  readonly callback: (() => void) | undefined
}

interface ListenOptionsLike {
  readonly port?: unknown
  readonly host?: unknown
  readonly signal?: unknown
  readonly path?: unknown
  readonly fd?: unknown
  readonly handle?: unknown
  readonly _handle?: unknown
  readonly ipv6Only?: unknown
}

/**
 * Reads the arguments of `server.listen` the way node:net does; undefined for everything that is no plain TCP port (paths, handles,
 * descriptors, what node:net refuses), which is left to node:net.
 *
 * @see https://nodejs.org/api/net.html#serverlisten
 */
export function readPortListen(args: readonly unknown[]): PortListen | undefined {
  const callback = args.findLast((argument) => typeof argument === 'function') as (() => void) | undefined
  const [first, second] = args
  if (first === undefined || first === null || typeof first === 'function') {
    return { port: 0, host: undefined, signal: undefined, callback }
  }
  if (typeof first !== 'object') {
    const port = readPort(first)
    return port && { port: port.number, host: readHost(second), signal: undefined, callback }
  }
  const options = first as ListenOptionsLike
  const isElsewhere = [options.path, options.fd, options.handle, options._handle].some((given) => given !== undefined)
  if (isElsewhere || options.ipv6Only === true || !('port' in options)) return undefined
  const port = options.port === undefined || options.port === null ? { number: 0 } : readPort(options.port)
  const signal = options.signal instanceof AbortSignal ? options.signal : undefined
  return port && { port: port.number, host: readHost(options.host), signal, callback }
}

function readPort(value: unknown): { number: number } | undefined {
  const isNumeric = typeof value === 'number' || (typeof value === 'string' && value.trim() !== '')
  const number = isNumeric ? Number(value) : Number.NaN
  return Number.isInteger(number) && number >= 0 && number <= 65535 ? { number } : undefined
}

function readHost(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
