import { BlockPool } from './block-pool.ts'
import { receiveClientCertificate } from './client-certificate.ts'
import { CompletionPort } from './completion-port.ts'
import { HttpFeatureResponseTrailers } from './constants.ts'
import { KernelClock } from './kernel-clock.ts'
import { ConnectionTable } from './native-connection.ts'
import { ResponseEncoder } from './response-encoder.ts'
import { ServerSession } from './server-session.ts'
import type { Win32Api } from './win32-api.ts'

/** What all exchanges of the process share. */
export class IoContext {
  readonly api: Win32Api
  readonly session: ServerSession
  readonly port: CompletionPort
  readonly clock: KernelClock
  readonly blocks: BlockPool
  readonly encoder: ResponseEncoder
  readonly connections: ConnectionTable
  /** Trailers of HTTP/2 responses; those of HTTP/1.1 need no help of HTTP.SYS. */
  readonly hasTrailers: boolean

  constructor(api: Win32Api) {
    this.api = api
    // First of all: before HttpInitialize, no queue can be made either.
    this.session = new ServerSession(api)
    this.port = new CompletionPort(api)
    this.clock = new KernelClock(api)
    this.blocks = new BlockPool(api.memory)
    this.encoder = new ResponseEncoder(this.blocks)
    this.connections = new ConnectionTable(api, this.port, (queue, connection) =>
      receiveClientCertificate(this, queue, connection),
    )
    this.hasTrailers = (api.http.HttpIsFeatureSupported?.(HttpFeatureResponseTrailers) ?? 0) !== 0
  }
}
