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
      if (prefix.port === 0) return this.#openFree(scope)
      const port = this.#ports.get(prefix.port) ?? newPort(prefix.port, [])
      port.scopes.push(scope)
      this.#ports.set(port.number, port)
      try {
        await this.#rebind(port)
      } catch (error) {
        port.scopes.pop()
        await this.#narrow(port)
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
      await this.#narrow(port)
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
        await this.#narrow(port)
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

  /**
   * The same after a claim has gone. Nobody is there to be told of a failure: when another program takes an address in the moment
   * between two bindings, the claims that are left keep the other addresses, and the next change of the port tries again.
   */
  async #narrow(port: Port): Promise<void> {
    await this.#rebind(port).catch(() => {})
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
      await this.#listen(port, address)
    } catch (error) {
      if (!isIpv6Missing(error)) throw error
      // A machine without IPv6: its share of `localhost` and of `every address` is empty.
      if (address === EVERY_ADDRESS) return this.#listen(port, EVERY_IPV4_ADDRESS)
      const isShare = address === '::1' && port.scopes.every((scope) => scope === LOOPBACK || !scope.includes(address))
      if (!isShare) throw error
    }
  }

  async #listen(port: Port, host: string): Promise<void> {
    const endpoint = { kind: 'tcp', host, port: port.number, ipv6Only: host !== EVERY_ADDRESS } as const
    const listener = await this.#engine.listen(endpoint, (connection) => {
      this.#onConnection(connection, connection.localPort)
    })
    port.listeners.set(host, listener)
  }

  /** Lets the kernel pick a port that is free on every address of the scope. */
  async #openFree(scope: Scope): Promise<number> {
    for (;;) {
      const picked = newPort(0, [scope])
      try {
        await this.#bind(picked, scope[0]!)
      } catch (error) {
        throw describe(error, 0)
      }
      const [[address, listener]] = picked.listeners as unknown as [[string, EngineListener]]
      const port = newPort(listener.port, [scope])
      port.listeners.set(address, listener)
      try {
        for (const other of scope) await this.#bind(port, other)
        // Picked for these addresses, it may be a port that claims on other addresses have.
        if (!this.#ports.has(port.number)) {
          this.#ports.set(port.number, port)
          return port.number
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') {
          await closeAll(port)
          throw describe(error, 0)
        }
      }
      await closeAll(port)
    }
  }
}

function newPort(number: number, scopes: Scope[]): Port {
  return { number, scopes, listeners: new Map() }
}

async function closeAll(port: Port): Promise<void> {
  for (const listener of port.listeners.values()) await listener.close()
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
