import { Socket } from 'node:net'
import { SocketConnection, addressesOf } from './socket-connection.ts'

/** One buffer for all reads: every read is consumed before the next one starts. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024)

/** libuv's handle of an accepted socket; `pauseOnConnect` leaves it idle, so a reader of our own can take it over. */
interface SocketWithHandle {
  _handle: object | null
}

/** A connection on node:net. */
export class NetConnection extends SocketConnection {
  constructor(accepted: Socket) {
    // Called only when there is something to read, long after.
    const onBytes = (length: number): void => this.handler.onData(READ_BUFFER, 0, length)
    // Before the handle moves.
    const addresses = addressesOf(accepted)
    super(addresses, withReadBuffer(accepted, onBytes))
  }
}

/**
 * Moves an accepted, paused socket onto one that reads into {@link READ_BUFFER}.
 *
 * node:net offers `onread` (no stream machinery and no allocation per read) to client sockets only; the constructor takes an
 * existing handle too, which is how node:net itself wraps accepted ones.
 */
function withReadBuffer(accepted: Socket, onBytes: (length: number) => void): Socket {
  const holder = accepted as unknown as SocketWithHandle
  const handle = holder._handle
  holder._handle = null
  const socket = new Socket({
    ...(handle === null ? {} : { handle }),
    allowHalfOpen: true,
    readable: true,
    writable: true,
    onread: {
      buffer: READ_BUFFER,
      callback(length: number): boolean {
        onBytes(length)
        return true
      },
    },
  } as ConstructorParameters<typeof Socket>[0])
  // Gone between accept and now: `close` is all that follows.
  if (handle === null) socket.destroy()
  return socket
}
