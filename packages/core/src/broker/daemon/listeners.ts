import { HttpSysError } from '../../base/errors.ts'
import type { UrlPrefix } from '../../base/url-prefix.ts'
import { libc } from '../../sockets/libc.ts'
import { isListening } from '../../sockets/listening-socket.ts'
import type { Divert, Endpoint, EngineConnection, EngineListener, Transport } from '../engine/engine.ts'
import { EVERY_ADDRESS, EVERY_IPV4_ADDRESS, LOOPBACK, bindScopeOf, isIpv6Missing } from '../protocol/bind-scope.ts'
import type { BindScope } from '../protocol/bind-scope.ts'
import { describeListenFailure } from '../protocol/listen-failure.ts'
import type { PortStatus } from '../protocol/status.ts'
import { BindScopes } from './bind-scopes.ts'
import { BoundAddress } from './bound-address.ts'
import type { Acceptors, Listening } from './bound-address.ts'

/** What listens at one address, for a successor. */
export interface InheritedAddress {
  /** Of its sockets, which share the clients. */
  readonly descriptors: readonly number[]
  readonly isSecure: boolean
}

interface Port {
  readonly number: number
  /** Clients speak TLS: all prefixes of the port are https. */
  readonly isSecure: boolean
  /** Of the live claims on the port. */
  readonly scopes: BindScopes
  readonly addresses: Map<string, BoundAddress>
}

const ALONE: Acceptors = {
  acceptorCount: 1,
  listen() {
    throw new Error('there is one thread')
  },
}

/**
 * The TCP ports that live claims need, each bound to no more addresses than they need: `localhost` binds the loopback
 * interface, an address literal that address, everything else all addresses.
 *
 * Changes run one after the other, since claims and releases of one port may arrive together.
 */
export class Listeners {
  readonly #ports = new Map<number, Port>()
  readonly #engine: Transport
  readonly #secureEngine: Transport
  readonly #onConnection: (connection: EngineConnection, port: number) => void
  readonly #divert: Divert | undefined
  readonly #acceptors: Acceptors
  #queue: Promise<unknown> = Promise.resolve()
  /** How many sockets listen. */
  socketCount = 0

  /**
   * @param secureEngine - listens on the ports of https prefixes
   * @param divert - takes connections of the other ports away, see {@link Transport.listen}
   * @param acceptors - who accepts at the ports that are bound here; one thread unless said otherwise
   */
  constructor(
    engine: Transport,
    onConnection: (connection: EngineConnection, port: number) => void,
    secureEngine: Transport = engine,
    divert?: Divert,
    acceptors: Acceptors = ALONE,
  ) {
    this.#engine = engine
    this.#secureEngine = secureEngine
    this.#onConnection = onConnection
    this.#divert = divert
    this.#acceptors = acceptors
  }

  /**
   * Binds what the prefix needs and resolves to the real port.
   *
   * @throws HttpSysError `EADDRINUSE` or `EACCES`, naming the port.
   */
  acquire(prefix: UrlPrefix): Promise<number> {
    return this.#serially(async () => {
      const scope = bindScopeOf(prefix)
      if (prefix.port === 0) return this.#openFree(scope, prefix.scheme === 'https')
      const port = this.#portOf(prefix)
      port.scopes.add(scope)
      try {
        await this.#rebind(port)
      } catch (error) {
        port.scopes.remove(scope)
        await this.#narrow(port)
        throw describeListenFailure(error, port.number)
      }
      return port.number
    })
  }

  /**
   * Takes over sockets that listen already, which belong to the broker from here on, and binds what the prefix needs beyond them.
   *
   * @throws HttpSysError `EADDRINUSE`, `EINVAL`, naming the port.
   */
  adopt(prefix: UrlPrefix, descriptors: readonly number[]): Promise<number> {
    return this.#serially(async () => {
      const left = [...descriptors]
      const scope = bindScopeOf(prefix)
      const port = this.#portOf(prefix)
      port.scopes.add(scope)
      try {
        while (left.length > 0) await this.#adopt(port, left.shift()!)
        await this.#rebind(port)
      } catch (error) {
        for (const descriptor of left) libc()?.close(descriptor)
        port.scopes.remove(scope)
        await this.#narrow(port)
        throw describeListenFailure(error, port.number)
      }
      return port.number
    })
  }

  /**
   * Takes over what another broker had: the sockets that it listens on, none when it has died, and the ports that its claims need.
   * A port that can't be had now is tried again when it is claimed.
   */
  inherit(inherited: readonly InheritedAddress[], prefixes: readonly UrlPrefix[]): Promise<void> {
    return this.#serially(async () => {
      for (const prefix of prefixes) this.#portOf(prefix).scopes.add(bindScopeOf(prefix))
      for (const { descriptors, isSecure } of inherited) {
        const [descriptor, ...others] = descriptors
        const first = await this.#listenAt({ kind: 'descriptor', descriptor: descriptor! }, isSecure)
        const siblings: Listening[] = []
        for (const [index, other] of others.entries()) siblings.push(await this.#listenAlso(index + 1, other, isSecure))
        const bound = new BoundAddress(first, siblings, isSecure, false)
        this.#portOfNumber(first.port, isSecure).addresses.set(first.address, bound)
      }
      // All scopes are known by now: none of the sockets is closed, and opened again for the next claim.
      for (const port of this.#ports.values()) await this.#narrow(port)
    })
  }

  /** What listens, for a successor. */
  get inheritance(): InheritedAddress[] {
    return [...this.#ports.values()].flatMap(({ addresses, isSecure }) =>
      [...addresses.values()].map(({ descriptors }) => ({ descriptors, isSecure })),
    )
  }

  /** There are more acceptors now: each gets a socket of its own at every address that was bound here. */
  grow(): Promise<void> {
    return this.#serially(async () => {
      for (const { addresses } of this.#ports.values()) {
        for (const address of addresses.values()) address.grow(this.#acceptors)
      }
    })
  }

  #listenAt(endpoint: Endpoint, isSecure: boolean): Promise<EngineListener> {
    if (isSecure) return this.#secureEngine.listen(endpoint, this.#onAccepted)
    return this.#engine.listen(endpoint, this.#onAccepted, this.#divert)
  }

  /** The broker before this one may have had more threads. */
  async #listenAlso(index: number, descriptor: number, isSecure: boolean): Promise<Listening> {
    const thread = index % this.#acceptors.acceptorCount
    if (thread > 0) return this.#acceptors.listen(thread, descriptor, isSecure)
    return this.#listenAt({ kind: 'descriptor', descriptor }, isSecure)
  }

  /** @throws HttpSysError `EADDRINUSE` when the port is one of the other scheme */
  #portOf(prefix: UrlPrefix): Port {
    const isSecure = prefix.scheme === 'https'
    const port = this.#portOfNumber(prefix.port, isSecure)
    if (port.isSecure !== isSecure) throw otherScheme(prefix)
    return port
  }

  #portOfNumber(number: number, isSecure: boolean): Port {
    let port = this.#ports.get(number)
    if (port === undefined) {
      port = newPort(number, isSecure)
      this.#ports.set(number, port)
    }
    return port
  }

  /** Gives back what {@link Listeners.acquire} and {@link Listeners.adopt} took. */
  release(prefix: UrlPrefix, portNumber: number): Promise<void> {
    return this.#serially(async () => {
      const port = this.#ports.get(portNumber)
      if (port === undefined) return
      port.scopes.remove(bindScopeOf(prefix))
      await this.#narrow(port)
    })
  }

  get status(): PortStatus[] {
    return [...this.#ports.values()].map(({ number, addresses }) => ({
      port: number,
      addresses: [...addresses.keys()],
    }))
  }

  /** Whether any claim holds the port. */
  has(port: number): boolean {
    return this.#ports.has(port)
  }

  /** Stops listening everywhere. */
  close(): Promise<void> {
    return this.#serially(async () => {
      for (const port of this.#ports.values()) {
        port.scopes.clear()
        await this.#narrow(port)
      }
    })
  }

  /** The address to show for a prefix. */
  static addressOf(prefix: UrlPrefix): { address: string; family: 'IPv4' | 'IPv6' } {
    const address = bindScopeOf(prefix)[0]!
    return { address, family: address.includes(':') ? 'IPv6' : 'IPv4' }
  }

  #serially<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(task)
    const count = (): void =>
      void (this.socketCount = this.inheritance.reduce((sum, at) => sum + at.descriptors.length, 0))
    this.#queue = result.then(count, count)
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
    const wanted = port.scopes.addresses
    // Narrower sockets must go first: a wildcard address can't be bound beside them.
    for (const [address, bound] of port.addresses) {
      if (wanted.includes(address) || (address === EVERY_IPV4_ADDRESS && wanted.includes(EVERY_ADDRESS))) continue
      port.addresses.delete(address)
      await bound.close()
    }
    for (const address of wanted) await this.#bind(port, address)
    if (port.scopes.isEmpty) this.#ports.delete(port.number)
  }

  async #bind(port: Port, address: string): Promise<void> {
    if (port.addresses.has(address) || (address === EVERY_ADDRESS && port.addresses.has(EVERY_IPV4_ADDRESS))) return
    try {
      await this.#listen(port, address)
    } catch (error) {
      if (!isIpv6Missing(error)) throw error
      // A machine without IPv6: its share of `localhost` and of `every address` is empty.
      if (address === EVERY_ADDRESS) return this.#listen(port, EVERY_IPV4_ADDRESS)
      const isShare =
        address === '::1' && port.scopes.different.every((scope) => scope === LOOPBACK || !scope.includes(address))
      if (!isShare) throw error
    }
  }

  async #listen(port: Port, host: string): Promise<void> {
    const endpoint = { kind: 'tcp', host, port: port.number, ipv6Only: host !== EVERY_ADDRESS } as const
    const bound = new BoundAddress(await this.#listenAt(endpoint, port.isSecure), [], port.isSecure, true)
    port.addresses.set(host, bound)
    bound.grow(this.#acceptors)
  }

  async #adopt(port: Port, descriptor: number): Promise<void> {
    const library = libc()
    if (library !== null && !isListening(library, descriptor)) {
      library.close(descriptor)
      throw new Error('what was handed over is no socket that listens')
    }
    const endpoint = { kind: 'descriptor', descriptor } as const
    const listener = await this.#listenAt(endpoint, port.isSecure)
    if (listener.port === port.number && !port.addresses.has(listener.address)) {
      // Its process may keep it, and others of another user can't listen beside it.
      port.addresses.set(listener.address, new BoundAddress(listener, [], port.isSecure, false))
      return
    }
    await listener.close()
    throw new Error(`the socket listens on port ${listener.port}`)
  }

  readonly #onAccepted = (connection: EngineConnection): void => this.#onConnection(connection, connection.localPort)

  /** Lets the kernel pick a port that is free on every address of the scope. */
  async #openFree(scope: BindScope, isSecure: boolean): Promise<number> {
    for (;;) {
      const picked = newPort(0, isSecure, scope)
      try {
        await this.#bind(picked, scope[0]!)
      } catch (error) {
        throw describeListenFailure(error, 0)
      }
      const [[address, bound]] = picked.addresses as unknown as [[string, BoundAddress]]
      const port = newPort(bound.port, isSecure, scope)
      port.addresses.set(address, bound)
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
          throw describeListenFailure(error, 0)
        }
      }
      await closeAll(port)
    }
  }
}

function newPort(number: number, isSecure: boolean, scope?: BindScope): Port {
  const scopes = new BindScopes()
  if (scope !== undefined) scopes.add(scope)
  return { number, isSecure, scopes, addresses: new Map() }
}

function otherScheme(prefix: UrlPrefix): HttpSysError {
  const other = prefix.scheme === 'https' ? 'http' : 'https'
  return new HttpSysError({
    code: 'EADDRINUSE',
    syscall: 'listen',
    subject: prefix.href,
    reason: `port ${prefix.port} has ${other} prefixes, and a port speaks one of the two`,
    remedy: `Use another port, or an ${other} prefix.`,
  })
}

async function closeAll(port: Port): Promise<void> {
  for (const bound of port.addresses.values()) await bound.close()
}
