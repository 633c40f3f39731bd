import type { TLSSocket } from 'node:tls'
import type { TlsInfo } from '../../../base/tls-info.ts'
import { SocketConnection, addressesOf } from '../../engine/net/socket-connection.ts'

/** A connection whose bytes TLS decrypts and encrypts. */
export class TlsConnection extends SocketConnection {
  readonly tls: TlsInfo

  constructor(socket: TLSSocket, tls: TlsInfo) {
    super(addressesOf(socket), socket)
    this.tls = tls
    socket.on('data', (bytes: Buffer) => this.handler.onData(bytes, 0, bytes.length))
    socket.pause()
  }
}
