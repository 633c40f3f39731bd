import type { UrlPrefix } from '../../base/url-prefix.ts'
import type { PrivatePort } from './http1/private-port.ts'
import type { RequestQueueEntry } from './request-queue-entry.ts'

const EVERY_ADDRESS = '*'
const MAPPED_IPV4 = '::ffff:'

/** The private ports: a port of one address, or of all. */
export class PrivatePorts {
  readonly #ports = new Map<number, Map<string, PrivatePort>>()
  readonly #onChange: (port: number, isPrivate: boolean) => void

  /** @param onChange - called when a port becomes private, and when it is no more */
  constructor(onChange: (port: number, isPrivate: boolean) => void) {
    this.#onChange = onChange
  }

  /** The port at which a connection has arrived. */
  find(port: number, localAddress: string): PrivatePort | undefined {
    const addresses = this.#ports.get(port)
    if (addresses === undefined) return undefined
    const address = localAddress.startsWith(MAPPED_IPV4) ? localAddress.slice(MAPPED_IPV4.length) : localAddress
    return addresses.get(address) ?? addresses.get(EVERY_ADDRESS)
  }

  /** Whether the port, at any address, belongs to one process alone. */
  hasPort(port: number): boolean {
    return this.#ports.has(port)
  }

  /** Whether a claim would be the second on a private port. */
  isTaken(prefix: UrlPrefix, port: number, isPrivate: boolean): boolean {
    const addresses = this.#ports.get(port)
    return addresses !== undefined && (!isPrivate || addresses.has(addressOf(prefix)))
  }

  /** Whether the claim is one of a private port. */
  has({ prefix, port }: RequestQueueEntry): boolean {
    return this.#ports.get(port)?.get(addressOf(prefix))?.claim.entry.prefix === prefix
  }

  add(privatePort: PrivatePort): void {
    const { prefix, port } = privatePort.claim.entry
    if (!this.hasPort(port)) this.#onChange(port, true)
    const addresses = this.#ports.get(port) ?? new Map<string, PrivatePort>()
    this.#ports.set(port, addresses.set(addressOf(prefix), privatePort))
  }

  /** Takes out the port of a claim, if it has one to itself. */
  remove({ entry }: PrivatePort['claim']): PrivatePort | undefined {
    const addresses = this.#ports.get(entry.port)
    const address = addressOf(entry.prefix)
    const privatePort = addresses?.get(address)
    if (addresses === undefined || privatePort?.claim.entry !== entry) return undefined
    addresses.delete(address)
    if (addresses.size > 0) return privatePort
    this.#ports.delete(entry.port)
    this.#onChange(entry.port, false)
    return privatePort
  }
}

function addressOf(prefix: UrlPrefix): string {
  return prefix.category === 'ip-bound' ? prefix.host.replace(/^\[|\]$/g, '') : EVERY_ADDRESS
}
