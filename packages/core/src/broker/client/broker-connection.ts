import type { QueueConnection } from '../../queue/exchange.ts'

/** What the broker said of a client's connection: the payload of CONNECTION. */
export class BrokerConnection implements QueueConnection {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly encrypted: boolean
  readonly closeIfIdle: () => void

  /** @param facts - `<remote port> <local port> <remote address> <local address>` */
  constructor(facts: string, encrypted: boolean, closeIfIdle: () => void) {
    const [remotePort, localPort, remoteAddress, localAddress] = facts.split(' ')
    this.remoteAddress = remoteAddress ?? ''
    this.remotePort = Number(remotePort)
    this.localAddress = localAddress ?? ''
    this.localPort = Number(localPort)
    this.encrypted = encrypted
    this.closeIfIdle = closeIfIdle
  }
}
