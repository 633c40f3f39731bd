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
    const socket = withReadBuffer(accepted, onBytes)
    super(addresses, socket)
    if (addresses.remoteAddress === '') hearLastWords(socket)
  }
}

/** A process may have sent something just before it went: a write that fails, since it is gone, must not keep that from being read. */
function hearLastWords(socket: Socket): void {
  const destroy = socket.destroy.bind(socket)
  socket.destroy = (error?: NodeJS.ErrnoException): Socket => {
    if (error?.syscall !== 'write') return destroy(error)
    // All that has come is read between one and the next.
    setImmediate(() => setImmediate(destroy, error))
    return socket
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
