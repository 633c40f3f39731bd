import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import type { UrlPrefix } from '../../base/url-prefix.ts'
import type { PortReservation, PrivatePortLimits, QueueAddress } from '../../queue/exchange.ts'
import { SHUT_RDWR, lastError, libc } from '../../sockets/libc.ts'
import type { Libc } from '../../sockets/libc.ts'
import { BACKLOG, openListeningSocket } from '../../sockets/listening-socket.ts'
import { EVERY_ADDRESS, EVERY_IPV4_ADDRESS, bindScopeOf, isIpv6Missing } from '../protocol/bind-scope.ts'
import type { BindScope } from '../protocol/bind-scope.ts'
import { describeListenFailure } from '../protocol/listen-failure.ts'

/** How often a port that the kernel picked for one address may be taken on another. */
const MAX_ATTEMPTS = 16

interface Bound {
  readonly address: string
  readonly descriptor: number
}

/**
 * A port that this process listens on until the broker has it; a private one, as long as the broker listens on the same socket.
 *
 * bound ──handed over, released or refused──▶ closed
 */
export class BoundPort implements PortReservation {
  readonly prefix: UrlPrefix
  readonly address: QueueAddress
  privatePort: (() => PrivatePortLimits) | undefined
  readonly #libc: Libc
  readonly #sockets: readonly Bound[]
  #isClosed = false

  private constructor(library: Libc, prefix: UrlPrefix, sockets: readonly Bound[]) {
    this.#libc = library
    this.prefix = prefix
    this.#sockets = sockets
    const { address } = sockets[0]!
    this.address = { address, family: address.includes(':') ? 'IPv6' : 'IPv4', port: prefix.port }
  }

  /** Listens on `host`, else on every address that the prefix needs; undefined on systems whose sockets are not known here. */
  static open(prefix: UrlPrefix, host?: string): BoundPort | undefined {
    const library = libc()
    if (library === null) return undefined
    const scope = host === undefined ? bindScopeOf(prefix) : [host]
    for (let attempt = 1; ; attempt++) {
      try {
        return BoundPort.#openOnce(library, prefix, scope)
      } catch (error) {
        const isUnlucky = prefix.port === 0 && (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
        if (!isUnlucky || attempt === MAX_ATTEMPTS) throw describeListenFailure(error, prefix.port)
      }
    }
  }

  static #openOnce(library: Libc, prefix: UrlPrefix, scope: BindScope): BoundPort {
    const sockets: Bound[] = []
    let { port } = prefix
    try {
      for (const host of scope) {
        const socket = openOn(library, host, port, sockets.length > 0)
        if (socket === undefined) continue
        sockets.push(socket)
        port = socket.port
      }
      return new BoundPort(library, prefix.withPort(port), sockets)
    } catch (error) {
      for (const { descriptor } of sockets) closeSync(descriptor)
      throw error
    }
  }

  get descriptors(): number[] {
    return this.#sockets.map(({ descriptor }) => descriptor)
  }

  release(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const { descriptor } of this.#sockets) closeSync(descriptor)
  }

  refuse(): void {
    if (this.#isClosed) return
    // Also the broker's descriptor stops listening, since the socket is one. Elsewhere than on Linux this fails, and clients are
    // refused as soon as the broker has closed it.
    for (const { descriptor } of this.#sockets) this.#libc.shutdown(descriptor, SHUT_RDWR)
    this.release()
  }
}

/** Undefined when the address belongs to IPv6, the machine has none, and another address is bound. */
function openOn(
  library: Libc,
  host: string,
  port: number,
  isOptional: boolean,
): (Bound & { port: number }) | undefined {
  try {
    const target = { host, port, ipv6Only: host !== EVERY_ADDRESS }
    const { descriptor, port: bound } = openListeningSocket(library, target, BACKLOG)
    return { address: host, descriptor: tracked(library, descriptor), port: bound }
  } catch (error) {
    if (!isIpv6Missing(error)) throw error
    if (host === EVERY_ADDRESS) return openOn(library, EVERY_IPV4_ADDRESS, port, false)
    if (isOptional) return undefined
    throw error
  }
}

/**
 * The same socket under a descriptor that Node knows as one of this thread's files: it is closed with the thread, however that ends, and
 * by `closeSync` before.
 */
function tracked(library: Libc, descriptor: number): number {
  try {
    const file = openSync(devNull, 'r')
    if (library.dup2(descriptor, file) === file) {
      library.setCloseOnExec(file)
      return file
    }
    const error = lastError('dup2')
    closeSync(file)
    throw error
  } finally {
    library.close(descriptor)
  }
}
