import { HttpSysError } from '../../base/errors.ts'
import type { UrlPrefix } from '../../base/url-prefix.ts'
import type { Engine, EngineConnection, EngineListener } from '../engine/engine.ts'

/** What a port is bound to: every address, or only the named ones. */
type Scope = readonly string[]

const EVERY_ADDRESS = '::'
const EVERY_IPV4_ADDRESS = '0.0.0.0'
const LOOPBACK: Scope = ['127.0.0.1', '::1']

interface Port {
  readonly number: number
  /** One entry for each live claim on the port. */
  readonly scopes: Scope[]
  readonly listeners: Map<string, EngineListener>
}

/**
 * The TCP ports that live claims need, each bound to no more addresses than they need: `localhost` binds the loopback
 * interface, an address literal that address, everything else all addresses.
 *
 * Changes run one after the other, since claims and releases of one port may arrive together.
 */
export class Listeners {
  readonly #ports = new Map<number, Port>()
  readonly #engine: Engine
  readonly #onConnection: (connection: EngineConnection, port: number) => void
  #queue: Promise<unknown> = Promise.resolve()

  constructor(engine: Engine, onConnection: (connection: EngineConnection, port: number) => void) {
    this.#engine = engine
    this.#onConnection = onConnection
  }

  /**
   * Binds what the prefix needs and resolves to the real port.
   *
   * @throws HttpSysError `EADDRINUSE` or `EACCES`, naming the port.
   */
  acquire(prefix: UrlPrefix): Promise<number> {
    return this.#serially(async () => {
      const scope = scopeOf(prefix)
      const port = prefix.port === 0 ? await this.#openFree(scope) : (this.#ports.get(prefix.port) ?? newPort(prefix.port))
      port.scopes.push(scope)
      this.#ports.set(port.number, port)
      try {
        await this.#rebind(port)
      } catch (error) {
        port.scopes.pop()
        await this.#rebind(port)
        throw describe(error, port.number)
      }
      return port.number
    })
  }

  /** Gives back what {@link Listeners.acquire} took. */
  release(prefix: UrlPrefix, portNumber: number): Promise<void> {
    return this.#serially(async () => {
      const port = this.#ports.get(portNumber)
      if (port === undefined) return
      const wanted = scopeOf(prefix).join()
      const index = port.scopes.findIndex((scope) => scope.join() === wanted)
      if (index !== -1) port.scopes.splice(index, 1)
      await this.#rebind(port)
    })
  }

  /** Whether any claim holds the port. */
  has(port: number): boolean {
    return this.#ports.has(port)
  }

  /** Stops listening everywhere. */
  close(): Promise<void> {
    return this.#serially(async () => {
      for (const port of this.#ports.values()) {
        port.scopes.length = 0
        await this.#rebind(port)
      }
    })
  }

  /** The address to show for a prefix. */
  static addressOf(prefix: UrlPrefix): { address: string; family: 'IPv4' | 'IPv6' } {
    const address = scopeOf(prefix)[0]!
    return { address, family: address.includes(':') ? 'IPv6' : 'IPv4' }
  }

  #serially<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(task)
    this.#queue = result.catch(() => {})
    return result
  }

  /** Brings the listeners of a port in line with its scopes. */
  async #rebind(port: Port): Promise<void> {
    const wanted = addressesOf(port.scopes)
    // Narrower sockets must go first: a wildcard address can't be bound beside them.
    for (const [address, listener] of port.listeners) {
      if (wanted.includes(address) || (address === EVERY_IPV4_ADDRESS && wanted.includes(EVERY_ADDRESS))) continue
      port.listeners.delete(address)
      await listener.close()
    }
    for (const address of wanted) await this.#bind(port, address)
    if (port.scopes.length === 0) this.#ports.delete(port.number)
  }

  async #bind(port: Port, address: string): Promise<void> {
    if (port.listeners.has(address) || (address === EVERY_ADDRESS && port.listeners.has(EVERY_IPV4_ADDRESS))) return
    try {
      port.listeners.set(address, await this.#listen(address, port.number))
    } catch (error) {
      if (!isIpv6Missing(error)) throw error
      // A machine without IPv6: its share of `localhost` and of `every address` is empty.
      if (address === EVERY_ADDRESS) {
        port.listeners.set(EVERY_IPV4_ADDRESS, await this.#listen(EVERY_IPV4_ADDRESS, port.number))
      } else if (address !== '::1') throw error
    }
  }

  #listen(host: string, port: number): Promise<EngineListener> {
    const endpoint = { kind: 'tcp', host, port, ipv6Only: host !== EVERY_ADDRESS } as const
    return this.#engine.listen(endpoint, (connection) => this.#onConnection(connection, connection.localPort))
  }

  /** Lets the kernel pick a port that is free on every address of the scope. */
  async #openFree(scope: Scope): Promise<Port> {
    for (;;) {
      const first = scope[0]!
      const listener = await this.#listen(first, 0).catch((error: unknown) => {
        throw describe(error, 0)
      })
      const port = newPort(listener.port)
      port.listeners.set(first, listener)
      try {
        for (const address of scope) await this.#bind(port, address)
        return port
      } catch (error) {
        await listener.close()
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw describe(error, 0)
      }
    }
  }
}

function newPort(number: number): Port {
  return { number, scopes: [], listeners: new Map() }
}

function scopeOf(prefix: UrlPrefix): Scope {
  if (prefix.host === 'localhost') return LOOPBACK
  if (prefix.category === 'ip-bound') return [prefix.host.replace(/^\[|\]$/g, '')]
  return [EVERY_ADDRESS]
}

function addressesOf(scopes: readonly Scope[]): string[] {
  const addresses = new Set(scopes.flat())
  return addresses.has(EVERY_ADDRESS) ? [EVERY_ADDRESS] : [...addresses]
}

function isIpv6Missing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT'
}

function describe(error: unknown, port: number): HttpSysError {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EACCES' || code === 'EPERM') {
    return new HttpSysError({
      code: 'EACCES',
      syscall: 'listen',
      subject: `port ${port}`,
      reason: 'this user may not listen there',
      remedy: 'Use a port from 1024 on, or allow it with `sysctl net.ipv4.ip_unprivileged_port_start`.',
      cause: error,
    })
  }
  if (code === 'EADDRINUSE') {
    return new HttpSysError({
      code: 'EADDRINUSE',
      syscall: 'listen',
      subject: `port ${port}`,
      reason: 'another program listens on this TCP port',
      remedy: 'Stop that program, or choose another port in the prefix or in HTTPSYS_BASE.',
      cause: error,
    })
  }
  return new HttpSysError({
    code: 'EINVAL',
    syscall: 'listen',
    subject: `port ${port}`,
    reason: `the operating system refuses to listen (${code ?? String(error)})`,
    remedy: 'Check the address in the prefix: it must belong to this machine.',
    cause: error,
  })
}
