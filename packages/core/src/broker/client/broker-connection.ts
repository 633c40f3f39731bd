import type { TlsInfo } from '../../base/tls-info.ts'
import type { QueueConnection } from '../../queue/exchange.ts'
import { decodeConnectionFacts } from '../protocol/connection-facts.ts'

/** What the broker said of a client's connection: the payload of CONNECTION. */
export class BrokerConnection implements QueueConnection {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly encrypted: boolean
  readonly tls: TlsInfo | undefined
  readonly closeIfIdle: (isEnd?: boolean) => void
  context: unknown = undefined
  onClosed: (() => void) | undefined = undefined

  constructor(payload: string, encrypted: boolean, closeIfIdle: (isEnd?: boolean) => void) {
    const facts = decodeConnectionFacts(payload)
    this.remoteAddress = facts.remoteAddress
    this.remotePort = facts.remotePort
    this.localAddress = facts.localAddress
    this.localPort = facts.localPort
    this.encrypted = encrypted
    this.tls = facts.tls
    this.closeIfIdle = closeIfIdle
  }
}
